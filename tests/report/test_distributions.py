import numpy as np
import pytest
from matplotlib.image import imread

from voxres_tf.evaluation.results import Results
from voxres_tf.evaluation.scores import Score
from voxres_tf.report.distributions import MEDIAN, POINT, distributions


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def near(picture, colour, tolerance=60):
    return np.abs(picture[..., :3] * 255 - rgb(colour)).max(axis=-1) < tolerance


def row(name, seed=0, subjects=5, missing=()):
    random = np.random.default_rng(seed)
    return Results(
        name,
        tuple(
            Score(
                str(n),
                tissue,
                float(random.uniform(0.7, 0.9)),
                None if (tissue, n) in missing else float(random.uniform(1, 3)),
                float(random.uniform(0, 20)),
                1.0,
                1.0,
            )
            for n in range(subjects)
            for tissue in ("CSF", "GM", "WM")
        ),
    )


def draw(tmp_path, *rows):
    path = tmp_path / "distributions.png"
    distributions(path, rows)
    assert [p.name for p in tmp_path.iterdir()] == ["distributions.png"]
    return imread(path)


def test_every_panel_has_points_and_medians(tmp_path):
    picture = draw(tmp_path, row("T1"), row("T1 + T2", 1))
    assert picture.shape[1] == 1320
    assert picture.shape[0] > 400
    for part in np.array_split(picture[:, 100:], 3, axis=0):
        for panel in np.array_split(part, 3, axis=1):
            # Ten points, and two bars.
            assert near(panel, POINT).sum() > 10 * 10
            assert near(panel, MEDIAN).sum() > 2 * 20


@pytest.mark.parametrize(
    "sight",  # Machado et al. 2009, linear RGB: without red, green and blue cones
    [
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ],
)
def test_colour_blind_people_tell_the_colours_apart(sight):
    seen = [np.array(sight) @ (rgb(colour) / 255) ** 2.2 for colour in (POINT, MEDIAN)]
    assert np.abs(seen[0] - seen[1]).max() > 0.25


def test_the_picture_follows_the_values(tmp_path):
    assert not np.array_equal(draw(tmp_path, row("T1", 0)), draw(tmp_path, row("T1", 1)))
    assert np.array_equal(draw(tmp_path, row("T1", 0)), draw(tmp_path, row("T1", 0)))


def test_more_rows_need_more_height(tmp_path):
    two, six = (draw(tmp_path, *(row(f"row {n}") for n in range(k))).shape[0] for k in (2, 6))
    assert six > two + 3 * 4 * 30


def test_an_undefined_figure_is_counted_not_drawn(tmp_path):
    whole = draw(tmp_path, row("T1"))
    lacking = draw(tmp_path, row("T1", missing=[("GM", n) for n in range(5)]))
    panel = np.s_[: whole.shape[0] // 3, 550:900]
    assert near(whole[panel], MEDIAN).any()
    assert not near(lacking[panel], MEDIAN).any()
    assert not np.array_equal(whole[panel], lacking[panel])


@pytest.mark.parametrize("rows", [(), (row("one", subjects=1),), (row("cost in $ and $"),)])
def test_odd_rows_still_make_a_picture(tmp_path, rows):
    assert draw(tmp_path, *rows).ndim == 3
