"""Encrypted ways: the authority that was named is trusted, and no other."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme

from tests.inference.loopback import Model, serve_grpc
from tests.inference.ways import asking, serve_rest
from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.errors import ConfigError, ServerError
from voxres_tf.inference.remote import RemoteEngine


@dataclass(frozen=True)
class Authority:
    """Files of an authority, and of a server that it vouches for."""

    certificate: Path
    server_key: Path
    server_certificate: Path


def make_authority(folder):
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    files = Authority(*(folder / name for name in ("ca.pem", "key.pem", "server.pem")))
    authority.cert_pem.write_to_path(files.certificate)
    server.private_key_pem.write_to_path(files.server_key)
    server.cert_chain_pems[0].write_to_path(files.server_certificate)
    return files


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("other"))


@pytest.fixture(params=["grpc", "rest"])
def address(request, contract_folder, own):
    model = Model((contract_folder / CONTRACT_FILE).read_text())
    key, certificate = own.server_key, own.server_certificate
    if request.param == "grpc":
        pair = (key.read_bytes(), certificate.read_bytes())
        with serve_grpc(model, credentials=grpc.ssl_server_credentials([pair])) as address:
            yield address, False
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with serve_rest(model, tls=context) as address:
            yield address, True


def test_the_authority_that_was_named(address, own):
    place, rest = address
    assert RemoteEngine(asking(place, rest=rest, tls_ca=own.certificate)).contract.name == "formula"


def test_another_authority(address, other):
    place, rest = address
    code = "UNAUTHENTICATED" if rest else "UNAVAILABLE"
    with pytest.raises(ServerError, match=rf"{code}.*(CERTIFICATE_VERIFY_FAILED|SSL|certificate)"):
        RemoteEngine(asking(place, rest=rest, tls_ca=other.certificate))


@pytest.mark.parametrize("rest", [False, True])
def test_a_file_that_holds_no_certificate(own, tmp_path, rest):
    with pytest.raises(ConfigError, match="PEM file of certificates"):
        RemoteEngine(asking("localhost:1", rest=rest, tls_ca=own.server_key))
    with pytest.raises(ConfigError, match=r"a PEM file\. Received: No such file"):
        RemoteEngine(asking("localhost:1", rest=rest, tls_ca=tmp_path / "none"))
    damaged = tmp_path / "damaged.pem"
    damaged.write_text(own.certificate.read_text().replace("M", "", 1))
    with pytest.raises(ConfigError, match=r"damaged\.pem: a PEM file of sound certificates"):
        RemoteEngine(asking("localhost:1", rest=rest, tls_ca=damaged))
