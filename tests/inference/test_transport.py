"""Encrypted ways: the authority that was named is trusted, and no other."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import grpc
import pytest

from tests.inference.loopback import Model, asking, serve_grpc, serve_rest
from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.errors import ConfigError, ServerError
from voxres_tf.inference.remote import RemoteEngine


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Makes (key, certificate) files of an authority that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return key, certificate

    return make


@pytest.fixture(scope="module")
def own(certificate):
    return certificate("own")


@pytest.fixture(scope="module")
def other(certificate):
    return certificate("other")


@pytest.fixture(params=["grpc", "rest"])
def address(request, contract_folder, own):
    model = Model((contract_folder / CONTRACT_FILE).read_text())
    key, certificate = own
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
    assert RemoteEngine(asking(place, rest=rest, tls_ca=own[1])).contract.name == "formula"


def test_another_authority(address, other):
    place, rest = address
    code = "UNAUTHENTICATED" if rest else "UNAVAILABLE"
    with pytest.raises(ServerError, match=rf"{code}.*(CERTIFICATE_VERIFY_FAILED|SSL|certificate)"):
        RemoteEngine(asking(place, rest=rest, tls_ca=other[1]))


@pytest.mark.parametrize("rest", [False, True])
def test_a_file_that_holds_no_certificate(own, tmp_path, rest):
    with pytest.raises(ConfigError, match="PEM file of certificates"):
        RemoteEngine(asking("localhost:1", rest=rest, tls_ca=own[0]))
    with pytest.raises(ConfigError, match=r"a PEM file\. Received: No such file"):
        RemoteEngine(asking("localhost:1", rest=rest, tls_ca=tmp_path / "none"))
