"""What an installation contains, held against the folders and the imports."""

from __future__ import annotations

import ast
import sys
from configparser import ConfigParser
from fnmatch import fnmatch
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path

import pytest
from setuptools import Distribution
from setuptools.command.build_py import build_py

import voxres_tf

ROOT = Path(__file__).parents[1]
MAPPED = {"voxres_cli": "cli", "voxres_models": "saved_models"}
MODULE_OF = {"scikit-image": "skimage", "grpcio": "grpc", "protobuf": "google"}
NOT_IMPORTED = {
    "nilearn": "its data files hold the packaged anatomy",
    "tensorboard": "it reads the event files of a run",
}


@pytest.fixture(scope="module")
def setup() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def table(text: str) -> dict[str, str]:
    return {k.strip(): v.strip() for k, v in (line.split("=", 1) for line in lines(text))}


def test_every_package_is_listed(setup: ConfigParser) -> None:
    folders = [path.parent for path in (ROOT / "voxres_tf").rglob("__init__.py")]
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(lines(setup["options"]["packages"])) == found | MAPPED.keys()
    assert table(setup["options"]["package_dir"]) == MAPPED
    stray = {p.parent for p in (ROOT / "voxres_tf").rglob("*.py")} - set(folders)
    assert not stray, "folders with modules but without __init__.py"


def test_files_that_are_no_modules_are_shipped(setup: ConfigParser) -> None:
    patterns = [p for value in setup["options.package_data"].values() for p in lines(value)]
    for package in ("voxres_tf", "cli"):
        assert (ROOT / package / "py.typed").is_file()
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert any(fnmatch(path.name, pattern) for pattern in patterns), path


def test_imports_and_dependencies_are_the_same(setup: ConfigParser) -> None:
    imported = set()
    for path in [*(ROOT / "voxres_tf").rglob("*.py"), *(ROOT / "cli").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module)
    roots = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"voxres_tf"}
    extras = lines(setup["options.extras_require"]["ray"])
    needed = [*lines(setup["options"]["install_requires"]), *extras]
    declared = {line.split(">")[0] for line in needed}
    assert {MODULE_OF.get(name, name) for name in declared - NOT_IMPORTED.keys()} == roots
    assert declared >= NOT_IMPORTED.keys()


def test_the_command_is_installed(setup: ConfigParser) -> None:
    assert lines(setup["options.entry_points"]["console_scripts"]) == [
        "voxres = voxres_cli.main:cli"
    ]
    (script,) = entry_points(group="console_scripts", name="voxres")
    assert script.load().name == "cli"


def test_the_version_is_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {voxres_tf.__version__}" in changelog


def test_public_names_are_there_and_others_are_not() -> None:
    assert set(voxres_tf.__all__) == {*voxres_tf._PUBLIC, "__version__"}
    for name in voxres_tf.__all__:
        assert getattr(voxres_tf, name) is not None
    assert dir(voxres_tf) == sorted(voxres_tf.__all__)
    with pytest.raises(AttributeError, match="no attribute 'surprise'"):
        attrgetter("surprise")(voxres_tf)


def test_shipped_models_have_a_folder_that_is_installed(
    setup: ConfigParser, tmp_path: Path
) -> None:
    assert (ROOT / "saved_models" / "__init__.py").is_file()
    version = ("saved_model.pb", "assets.extra/voxres.json", "variables/variables.index")
    files = {"README.md", "net/README.md", *(f"net/1/{name}" for name in version)}
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = {k: lines(v) for k, v in setup["options.package_data"].items()}
    patterns[""] = patterns.pop("*")  # as setuptools calls what holds for every package
    where = {"voxres_models": str(tmp_path)}
    build = build_py(
        Distribution(
            {"packages": list(where), "package_dir": where, "package_data": patterns},
        )
    )
    build.finalize_options()
    ((_, source, _, found),) = build.get_data_files_without_manifest()
    assert {name for name in found if Path(source, name).is_file()} == files


def test_the_licence_is_the_whole_licence(setup: ConfigParser) -> None:
    text = (ROOT / setup["metadata"]["license_files"]).read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
