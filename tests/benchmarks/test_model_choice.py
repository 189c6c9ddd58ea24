"""The simulated month of the choice of a model."""

from benchmarks import model_choice


def test_auto_uses_no_model_that_is_not_good_enough() -> None:
    """With these seeds, auto uses no model below the least rate, and less than always the large."""
    rows = {(row.pool, row.choice): row for row in model_choice.run(2, 300)}

    for pool in ("drawn", "small_as_good", "small_bad"):
        auto, large = rows[pool, "auto"], rows[pool, "always_large"]
        assert (0, True) == (auto.below, auto.right >= model_choice.LEAST)
        assert auto.wh < large.wh
        assert rows[pool, "always_small"].wh <= rows[pool, "oracle"].wh <= auto.wh
