"""The folder of `voxres tables`: Table 1, the differences between its rows, the picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from voxres_tf.errors import DataError, OutputExistsError, message
from voxres_tf.evaluation.comparisons import compare_all, differences_csv
from voxres_tf.evaluation.results import Results
from voxres_tf.evaluation.tables import table_csv, table_markdown
from voxres_tf.files import atomic_path, refuse_existing, refuse_inputs
from voxres_tf.report.distributions import distributions

TABLE, DIFFERENCES, PAGE = "table1.csv", "differences.csv", "table1.md"
PICTURE = "distributions.png"


def write_tables(
    out: Path,
    results: Sequence[Results],
    *,
    overwrite: bool = False,
    inputs: Sequence[Path] = (),
) -> list[Path]:
    """Write `table1.csv`, `differences.csv`, `table1.md` and `distributions.png`.

    A new folder appears only when it is complete. With `overwrite`, the four files replace their
    predecessors when all of them are written, and other files in the folder are left alone.

    Args:
        out: the folder.
        results: the rows of the table in their order, at least one.
        overwrite: write into an existing folder.
        inputs: files that the results were read from.

    Returns:
        The four files.

    Raises:
        DataError: if there are no results.
        OutputExistsError: if `out` exists and may not be overwritten, or is a file, or a folder is
            in the place of a file.
        ConfigError: if a table would replace an input.
    """
    if not results:
        raise DataError(message(out, "a table has rows", "none", "name score files"))
    refuse_existing(out, overwrite=overwrite)
    refuse_inputs(_outputs_in(out), inputs)
    if out.is_dir():
        if folders := [path for path in _outputs_in(out) if path.is_dir()]:
            rule, then = "a file for each table", "choose another output"
            raise OutputExistsError(message(folders[0], rule, "a folder", then))
        # All of them are drawn before the first is replaced.
        with ExitStack() as stack:
            _write([stack.enter_context(atomic_path(path)) for path in _outputs_in(out)], results)
    elif out.exists():
        raise OutputExistsError(message(out, "tables go to a folder", "a file", "choose another"))
    else:
        with atomic_path(out) as temporary:
            temporary.mkdir()
            _write(_outputs_in(temporary), results)
    return _outputs_in(out)


def _outputs_in(out: Path) -> list[Path]:
    """The four files that `write_tables` writes to a folder."""
    return [out / name for name in (TABLE, DIFFERENCES, PAGE, PICTURE)]


def _write(files: Sequence[Path], results: Sequence[Results]) -> None:
    table, listed, page, picture = files
    differences = compare_all(results)
    texts = (table_csv(results), differences_csv(differences), table_markdown(results, differences))
    for path, text in zip((table, listed, page), texts, strict=True):
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    distributions(picture, results)
