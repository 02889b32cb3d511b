"""Who may import whom, where TensorFlow lives, what no file may hold: `docs/architecture.md`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from voxres_cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 250

STAGES = {
    "crossval",
    "dataset",
    "phantom",
    "preprocess",
    "model",
    "training",
    "export",
    "inference",
    "evaluation",
    "report",
}
MAY_IMPORT = {
    "dataset": set(),
    "phantom": {"dataset"},
    "preprocess": {"dataset"},
    "model": set(),
    # Validation segments whole volumes as users will, and scores them.
    "training": {"dataset", "preprocess", "model", "inference.tiling", "evaluation.metrics"},
    # The exported graph prepares and tiles as prediction does; it is tried on a phantom, by
    # prediction among others.
    "export": {"dataset", "model", "phantom", "preprocess", "inference"},
    "inference": {"dataset", "preprocess"},
    # References may lie in any layout that training reads.
    "evaluation": {"dataset"},
    "report": {"evaluation"},
    "crossval": {"dataset", "preprocess", "training", "evaluation"},
    "demo": STAGES,
    "__init__": {"config", "inference", "model"},  # names that are loaded when they are asked for
}
ROOT_MODULES = {
    "config",
    "contract",
    "errors",
    "files",
    "grid",
    "headers",
    "labels",
    "presets",
    "runtime",
    "schema",
    "start",
    "volume",
    "wire",
}
TENSORFLOW_MAY_BE_IN = ("model", "training", "export", "inference.engine")


def module_files() -> dict[str, Path]:
    """Dotted name below voxres_tf -> file; packages by the name of their folder."""
    package = ROOT / "voxres_tf"
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return names


MODULES = module_files()
SOURCES = [*MODULES.values(), *sorted((ROOT / "cli").glob("*.py"))]
every_source = pytest.mark.parametrize(
    "path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES]
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, at_run_time: bool = False) -> set[str]:
    """Dotted names that a file imports, anywhere in it, "from a import b" as both a and a.b."""
    tree = parsed(path)
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if at_run_time and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def ours(path: Path, *, at_run_time: bool = False) -> set[str]:
    """Modules of voxres_tf, by their dotted names below it, that a file imports."""
    names = imports(path, at_run_time=at_run_time)
    return {name.removeprefix("voxres_tf.") for name in names} & MODULES.keys()


def within(name: str, places: Iterable[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def within_roots(names: set[str], roots: set[str]) -> set[str]:
    return {name for name in names if name.split(".", maxsplit=1)[0] in roots}


def test_every_package_has_its_rule_and_its_tests() -> None:
    folders = {p.name for p in (ROOT / "voxres_tf").iterdir() if (p / "__init__.py").is_file()}
    assert folders == STAGES
    missing = {name for name in STAGES if not list((ROOT / "tests" / name).glob("test_*.py"))}
    assert not missing
    roots = {name for name in MODULES if "." not in name} - STAGES
    assert roots == ROOT_MODULES | {"__init__", "demo"}


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_one_way(name: str) -> None:
    package = name.split(".", maxsplit=1)[0]
    allowed = {package, *ROOT_MODULES, *MAY_IMPORT.get(package, set())}
    # A package is imported with each of its modules; only what is asked of it counts.
    asked = {n for n in ours(MODULES[name]) if n not in STAGES}
    assert not {other for other in asked if not within(other, allowed)}


def test_there_is_no_circle() -> None:
    graph = {name: ours(path, at_run_time=True) - {name} for name, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


def test_prediction_knows_neither_network_nor_training() -> None:
    reached, todo = set(), [name for name in MODULES if within(name, ("inference",))]
    while todo:
        name = todo.pop()
        reached.add(name)
        todo += ours(MODULES[name]) - reached
    assert not {name for name in reached if within(name, ("model", "training", "export"))}


@pytest.mark.parametrize("name", MODULES)
def test_tensorflow_is_imported_in_four_places(name: str) -> None:
    heavy = within_roots(imports(MODULES[name]), {"tensorflow", "keras"})
    assert not heavy or within(name, TENSORFLOW_MAY_BE_IN)


def test_commands_import_tensorflow_only_through_the_library() -> None:
    for path in (ROOT / "cli").glob("*.py"):
        assert not within_roots(imports(path), {"tensorflow", "keras", "numpy", "nibabel"})


def test_without_the_four_places_tensorflow_stays_out() -> None:
    names = [
        n for n in MODULES if not within(n, (*TENSORFLOW_MAY_BE_IN, "crossval", "demo", "__init__"))
    ]
    lines = "\n".join(f"import voxres_tf.{name}" for name in names)
    code = f"import sys\n{lines}\nsys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


@every_source
def test_checks_are_errors_and_words_go_through_click(path: Path) -> None:
    tree = parsed(path)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


@every_source
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_every_command_is_a_file_and_the_other_way_round() -> None:
    files = {path.stem for path in (ROOT / "cli").glob("*.py")}
    shared = {"__init__", "main", "options", "types", "settings", "folds", "server"}
    assert files - shared == {name.replace("-", "_") for name in COMMANDS}


def test_the_document_has_a_section_for_every_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    headings = {line.strip("# `") for line in text.splitlines() if line.startswith("### ")}
    assert {f"voxres_tf/{name}" for name in STAGES} | {"cli"} <= headings
    named = {name for name in ROOT_MODULES | {"demo"} if f"`{name}.py`" in text}
    assert named == ROOT_MODULES | {"demo"}
