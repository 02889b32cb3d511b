"""The rank score of the MRBrainS challenge (Mendrik et al. 2015), and the paper's Table 2."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from voxres_tf.errors import DataError, message
from voxres_tf.evaluation.results import (
    KEYS,
    TISSUES,
    Key,
    Results,
    notes,
    read_results,
    require_once,
)
from voxres_tf.evaluation.scores import FIGURES
from voxres_tf.files import csv_text

PUBLISHED_FILE = "mrbrains13_teams.csv"
PUBLISHED_DECIMALS = 2
_ALL_DECIMALS = 9  # more than any measurement has: removes only floating-point error
_UNITS = {"dice": "dice_percent"}
_COLUMNS = {(tissue, figure): f"{tissue}_{_UNITS.get(figure, figure)}" for tissue, figure in KEYS}
_BESIDE_PUBLISHED = (
    "The published figures are means over the 15 test subjects of MRBrainS13, known to two "
    "decimals, to which all figures were rounded before ranking. Other subjects do not compare.",
    "The paper's own scores rank 37 teams, so they are higher, and their order may differ.",
)


@dataclass(frozen=True)
class Team:
    """A team and the figures it is ranked by.

    Attributes:
        name: name of the team.
        means: mean over the subjects for each of `results.KEYS`: Dice in %, HD95 in mm, AVD in %.
    """

    name: str
    means: Mapping[Key, float]


@dataclass(frozen=True)
class Ranked:
    """A team with its ranks among others.

    Attributes:
        team: the team with its means.
        ranks: one rank per key of `results.KEYS`, 1 for the best.
    """

    team: Team
    ranks: Mapping[Key, int]

    @property
    def score(self) -> int:
        """The sum of the nine ranks; smaller is better."""
        return sum(self.ranks.values())


@dataclass(frozen=True)
class Ranking:
    """Teams by rank score, the best first, and notes on the comparison."""

    ranked: tuple[Ranked, ...]
    notes: tuple[str, ...] = ()


def team_of(results: Results) -> Team:
    """The means of a team over the subjects that define each figure.

    Raises:
        DataError: if a figure is defined for no subject; names the tissue and the figure.
    """
    means = {}
    for tissue, figure in KEYS:
        mean = results.summaries[tissue, figure].mean
        if mean is None:
            rule = f"{tissue} {FIGURES[figure].paper} is defined for at least one subject"
            received = f"none of {len(results.subjects)}"
            then = "leave the team out, or see why voxres evaluate finds it undefined"
            raise DataError(message(f"team {results.name}", rule, received, then))
        means[tissue, figure] = FIGURES[figure].scale * mean
    return Team(results.name, means)


def published_teams() -> list[Team]:
    """The ten teams of the paper's Table 2, in its order; DC, HD and AVD as printed there."""
    text = resources.files(__package__).joinpath(PUBLISHED_FILE).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [
        Team(row["team"], {key: float(row[column]) for key, column in _COLUMNS.items()})
        for row in rows
    ]


def rank(teams: Sequence[Team], decimals: int = _ALL_DECIMALS) -> list[Ranked]:
    """Rank teams per tissue and figure on their means, and order them by the sum of the ranks.

    Equal means share the better rank, and the ranks after them are left out (1, 2, 2, 4). For
    Dice higher is better, for HD95 and AVD lower is.

    Args:
        teams: any number; no teams give an empty list.
        decimals: decimals to which means are rounded before they are compared.

    Returns:
        The best first; teams of equal score by name.

    Raises:
        DataError: if two teams have the same name.
    """
    require_once([team.name for team in teams])
    costs = {key: [_cost(team, key, decimals) for team in teams] for key in KEYS}
    ranked = [
        Ranked(team, {k: 1 + sum(c < column[n] for c in column) for k, column in costs.items()})
        for n, team in enumerate(teams)
    ]
    return sorted(ranked, key=lambda r: (r.score, r.team.name))


def rank_files(files: Iterable[tuple[str, Path]], *, beside_published: bool = False) -> Ranking:
    """Rank the teams of score files.

    Args:
        files: pairs of a team's name and its CSV file from `voxres evaluate`.
        beside_published: add the teams of the paper's Table 2. All means are then rounded to its
            two decimals, so that no team wins by digits that the others do not show.

    Raises:
        DataError: as `results.read_results`, `team_of` and `rank`.
    """
    results = read_results(files)
    teams = [team_of(r) for r in results]
    remarks = notes(results)
    if not beside_published:
        return Ranking(tuple(rank(teams)), tuple(remarks))
    ranked = rank([*teams, *published_teams()], PUBLISHED_DECIMALS)
    return Ranking(tuple(ranked), (*remarks, *_BESIDE_PUBLISHED))


def ranking_csv(ranking: Ranking) -> str:
    """Table 2 as CSV, figures with two decimals; no teams give only a header."""
    header = ("team", *_COLUMNS.values(), "rank_score")
    return csv_text(header, ([r.team.name, *_cells(r.team), r.score] for r in ranking.ranked))


def ranking_table(ranking: Ranking) -> str:
    """Table 2 for the screen, with the notes."""
    width = max((len(r.team.name) for r in ranking.ranked), default=0) + 2
    tissues = "".join(f"{tissue:>7}{'':14}" for tissue in TISSUES)
    titles = "".join(f"{FIGURES[figure].paper:>7}" for _, figure in KEYS)
    count = len(ranking.ranked)
    lines = [
        f"{count} team{'s' * (count != 1)}; means of DC in %, HD (95th percentile, MRBrainS) in "
        "mm, AVD in %; score: sum of nine ranks, less is better",
        f"{'':{width}}{tissues}".rstrip(),
        f"{'team':{width}}{titles}{'score':>7}",
    ]
    for r in ranking.ranked:
        cells = "".join(f"{cell:>7}" for cell in _cells(r.team))
        lines.append(f"{r.team.name:{width}}{cells}{r.score:>7}")
    return "\n".join([*lines, *(f"Note: {note}" for note in ranking.notes)])


def _cost(team: Team, key: Key, decimals: int) -> float:
    mean = round(team.means[key], decimals)
    return -mean if FIGURES[key[1]].higher_is_better else mean


def _cells(team: Team) -> list[str]:
    return [f"{team.means[key]:.2f}" for key in KEYS]
