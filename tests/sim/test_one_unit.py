"""One figure has one unit in a table or sentence; a difference that means nothing is not told."""

from entraide.units import compare_g
from entraide_sim.replay.replay_text import format_both
from entraide_sim.report.formatting import format_carbon, format_energy

NBSP = "\u00a0"


def test_before_and_after_have_one_unit() -> None:
    """999 Wh beside 1.2 kWh reads as 0.999 kWh, and grams beside kilograms likewise."""
    assert ("0.999 kWh", "1.2 kWh") == spaced(format_both(format_energy, 999.0, 1_200.0, "en"))
    assert ("1,5 kg CO2e", "0,9 kg CO2e") == spaced(
        format_both(format_carbon, 1_500.0, 900.0, "fr")
    )


def test_a_difference_that_means_nothing_is_not_told() -> None:
    """Emissions that differ by less than 1 % or 1 mg read alike; energies are told as they are."""
    small, near = (format_both(format_carbon, *pair, "en") for pair in ((1e-6, 0.0), (80.0, 80.5)))

    assert small[0] == small[1]
    assert near[0] == near[1]
    assert ["80 Wh", "80.5 Wh"] == list(spaced(format_both(format_energy, 80.0, 80.5, "en")))


def test_what_counts_as_a_saving() -> None:
    """A saving is told from 1 mg and 1 % on, and so is a loss."""
    cases = [(9.39e-7, 0.0), (0.002, 80.0), (2.0, 80.0), (-2.0, 80.0), (0.002, 0.0), (0.0, 0.0)]

    assert ["same", "same", "less", "more", "less", "same"] == [compare_g(*case) for case in cases]


def spaced(texts: tuple[str, str]) -> tuple[str, ...]:
    return tuple(text.replace(NBSP, " ") for text in texts)
