from voxres_tf.evaluation.evaluate import Evaluation, table
from voxres_tf.evaluation.scores import Score

LONG = "left cerebellum cortex"


def test_long_names_do_not_run_into_the_figures():
    score = Score("1", LONG, 0.9, 1.0, 2.0, 10.0, 10.2)
    lines = table(Evaluation("plain", (score,), (), ("background", LONG))).splitlines()
    assert lines[2].split("  ")[:2] == [LONG, "Dice"]
    assert len({len(line) for line in lines[1:5]}) == 1
