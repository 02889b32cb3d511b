import numpy as np
import pytest
from matplotlib.image import imread

from voxres_tf.errors import DataError
from voxres_tf.report.cases import Case, View
from voxres_tf.report.curves import training_curves
from voxres_tf.report.figure import segmentation_figure
from voxres_tf.report.panels import TISSUE_COLOURS

SPACING = (1.0, 1.0, 3.0)
DIFFERENCE = (255, 90, 54)


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def near(picture, colour, tolerance=40):
    distance = np.abs(picture[..., :3] * 255 - np.array(colour)).max(axis=-1)
    return distance < tolerance


@pytest.fixture
def head():
    """Nested boxes: CSF around GM around WM; the scan is bright on the subject's right."""
    labels = np.zeros((40, 48, 12), np.uint8)
    labels[4:36, 4:44, 1:11], labels[8:32, 8:40, 1:11], labels[14:26, 14:34, 1:11] = 1, 2, 3
    image = np.where(np.arange(40)[:, None, None] >= 20, 100.0, 0.0) * (labels > 0)
    return image, labels


def draw_cases(tmp_path, *cases):
    path = tmp_path / "picture.png"
    segmentation_figure(path, cases)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]
    return imread(path)


def draw(tmp_path, *args, **options):
    return draw_cases(tmp_path, Case(*args, SPACING, "A title", **options))


def test_the_right_of_the_subject_is_on_the_left(tmp_path, head):
    image, labels = head
    picture = draw(tmp_path, image, labels, None)
    # The upper half holds the scans; each of four panels is bright on its left only.
    white = near(picture, (255, 255, 255), 10)[: picture.shape[0] // 2]
    columns = np.flatnonzero(white.sum(axis=0) > 50)
    starts = columns[np.flatnonzero(np.diff(columns, prepend=-9) > 5)]
    assert len(starts) == 4
    panel = np.diff(starts).mean()
    assert starts[0] < 0.4 * panel


def test_outlines_lie_where_the_labels_are(tmp_path, head):
    image, labels = head
    one_sided = labels.copy()
    one_sided[:20] = 0
    picture = draw(tmp_path, np.zeros_like(image), one_sided, labels)
    height = picture.shape[0]
    marked = near(picture, rgb(TISSUE_COLOURS["GM"]))
    prediction = marked[int(0.3 * height) : int(0.5 * height)]
    reference = marked[int(0.52 * height) : int(0.7 * height)]
    assert 0 < prediction.sum() < 0.8 * reference.sum()
    # Of the first panel, the left half holds what is predicted on the right.
    first = np.flatnonzero(prediction[:, : picture.shape[1] // 4].any(axis=0))
    assert first.mean() < picture.shape[1] / 8


def test_every_tissue_has_its_colour(tmp_path, head):
    picture = draw(tmp_path, *head, None)
    for colour in TISSUE_COLOURS.values():
        assert near(picture, rgb(colour)).sum() > 200


def test_disagreement_is_marked_where_it_is_scored(tmp_path, head):
    image, labels = head
    other = np.where(labels == 3, 2, labels).astype(np.uint8)
    counts = [
        near(draw(tmp_path, image, other, reference, **options), DIFFERENCE).sum()
        for reference, options in (
            (other, {}),
            (labels, {}),
            (labels, {"scored": labels != 3}),
        )
    ]
    # The key of the legend has the colour too.
    assert counts[0] == counts[2]
    assert counts[1] > 5 * counts[0]


def test_without_a_reference_there_are_two_rows(tmp_path, head):
    image, labels = head
    assert draw(tmp_path, image, labels, None).shape[0] < draw(tmp_path, *head, labels).shape[0]


def test_voxels_keep_their_proportions(tmp_path, head):
    image, labels = head
    wide = draw_cases(tmp_path, Case(image, labels, None, (2.0, 1.0, 3.0), "Wide"))
    assert wide.shape[0] < draw(tmp_path, image, labels, None).shape[0]


def test_two_cases_share_the_columns_at_one_scale(tmp_path, head):
    _, labels = head
    # Boxes of 40 x 48 voxels, the whole of either scan, hold white 32 voxels wide.
    white = (labels > 0).astype(np.float32)
    one, half = (Case(white, labels, labels, (mm, mm, 3.0), "A title") for mm in (1.0, 0.5))
    picture = draw_cases(tmp_path, one, half)
    assert picture.shape == draw_cases(tmp_path, one).shape
    columns = near(picture, (255, 255, 255), 10).sum(axis=0) > 20
    edges = np.flatnonzero(np.diff(columns.astype(int), prepend=0, append=0))
    left, _, small, other = np.diff(edges.reshape(4, 2)).ravel()
    assert small == pytest.approx(left / 2, rel=0.05)
    assert other == pytest.approx(small, abs=1)


def test_a_case_without_a_reference_leaves_its_rows_empty(tmp_path, head):
    image, labels = head
    without, beside = (Case(image, labels, r, SPACING, "A title") for r in (None, labels))
    both = draw_cases(tmp_path, without, beside)
    height, width = both.shape[0], both.shape[1]
    lower = near(both, rgb(TISSUE_COLOURS["WM"]))[height // 2 : int(0.9 * height)]
    assert not lower[:, : width // 2].any()
    assert lower[:, width // 2 :].any()


def test_slices_are_the_middles_of_equal_parts(head):
    image, labels = head
    tall = np.repeat(labels, 10, axis=2)
    case = Case(np.repeat(image, 10, axis=2), tall, None, SPACING, "A title")
    # Labels from 10 to 109: .35 and .92 of 99 above 10 are 44.65 and 101.08, 56.43 between.
    assert View(case, 1).levels == [73]
    assert View(case, 2).levels == [59, 87]


def test_dice_stands_in_the_title(tmp_path, head):
    image, labels = head
    plain = draw(tmp_path, image, labels, None)
    scored = draw(tmp_path, image, labels, None, dice={"CSF": 0.5, "GM": None})
    assert plain.shape == scored.shape
    top = slice(0, plain.shape[0] // 10)
    assert not np.array_equal(plain[top], scored[top])


def test_empty_labels_and_a_constant_image_still_make_a_picture(tmp_path):
    empty = np.zeros((8, 8, 3), np.uint8)
    assert draw(tmp_path, np.full((8, 8, 3), 7), empty, empty).ndim == 3


@pytest.mark.parametrize("shape", [(1, 180, 200), (160, 1, 200), (180, 200, 1)])
def test_thin_volumes_make_a_picture_to_look_at(tmp_path, shape):
    labels = np.ones(shape, np.uint8)
    picture = draw(tmp_path, np.random.default_rng(0).random(shape), labels, labels)
    assert all(300 < side < 3500 for side in picture.shape[:2])


def test_many_classes_have_a_legend_of_several_lines(tmp_path, head):
    image, labels = head
    names = ("background", *(f"structure number {n}" for n in range(40)))
    few, many = (
        draw(tmp_path, image, labels, labels, class_names=names[:count]) for count in (4, 41)
    )
    assert many.shape[0] > few.shape[0] + 60
    assert many.shape[1] == few.shape[1]


def test_shapes_must_agree(head):
    image, labels = head
    with pytest.raises(DataError, match="of one shape"):
        Case(image, labels[:-1], None, SPACING, "A title")


def test_curves(tmp_path):
    rows = [
        {
            "epoch": epoch,
            "step": 10 * epoch,
            "loss": 2.0,
            **{f"{name}_loss": 1.0 / epoch for name in ("main", "aux1", "aux2", "aux3", "aux4")},
            "aux_weight": 10.0**-epoch,
            "learning_rate": 1e-3,
            # As they come from a run, from a file, and where nothing was measured.
            "val_dice_CSF": 0.5 if epoch == 2 else None,
            "val_dice_GM": "0.6" if epoch == 2 else "",
        }
        for epoch in (1, 2, 3)
    ]
    path = tmp_path / "curves.png"
    training_curves(path, rows)
    picture = imread(path)
    for tissue, drawn in (("CSF", True), ("GM", True), ("WM", False)):
        assert near(picture, rgb(TISSUE_COLOURS[tissue]), 8).any() == drawn
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]


def test_curves_of_nothing(tmp_path):
    training_curves(tmp_path / "curves.png", [])
    assert (tmp_path / "curves.png").is_file()
