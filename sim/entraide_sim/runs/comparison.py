"""Comparison: which variant of a scenario is recommended, and which differences are only noise.

Input: the variants, each with the same seeds. The recommended variant has the least emissions per
output token among those whose SLO attainment is not worse than the best one's. A difference counts
only if its paired 95 % interval excludes zero; a single seed has no interval, so there each
difference counts that exceeds ``PROMISE_TOLERANCE``.
"""

from collections.abc import Sequence

from msgspec import Struct

from entraide_sim.runs.seeded_result import Measure, SeededResult

ATTAINMENT = "slo_attainment"
CARBON = "carbon_g_per_1k_output_tokens"
PROMISE_TOLERANCE = 0.01  # difference of SLO attainment that does not affect the recommendation


class Comparison(Struct, frozen=True):
    """Variants of a scenario, and what is recommended.

    Attributes:
        variants: with the same seeds.
        recommended: index of the recommended variant.
        worse: indices of the variants whose SLO attainment is worse beyond the noise.
        equal: indices of the other variants that show no difference of emissions from it; empty for
            a single seed.
    """

    variants: tuple[SeededResult, ...]
    recommended: int
    worse: tuple[int, ...]
    equal: tuple[int, ...]

    def verdict(self, number: int) -> str:
        """Returns what was found of a variant: ``recommended``, ``equal``, ``worse`` or ``more``.

        ``more`` are emissions beyond the noise.
        """
        if number == self.recommended:
            return "recommended"
        if number in self.equal:
            return "equal"
        return "worse" if number in self.worse else "more"


def compare_variants(variants: Sequence[SeededResult]) -> Comparison:
    """Returns the comparison of at least one variant.

    Raises:
        ValueError: the variants have different seeds.
    """
    kept = promise_keepers(variants)
    recommended = min(kept, key=lambda number: _carbon_rank(variants[number], number))
    equal = [
        number
        for number in kept
        if number != recommended
        and shows_no_difference(variants[number], variants[recommended], CARBON)
    ]
    worse = [number for number in range(len(variants)) if number not in kept]
    return Comparison(tuple(variants), recommended, tuple(worse), tuple(equal))


def promise_keepers(variants: Sequence[SeededResult]) -> list[int]:
    """Returns the indices of the variants whose SLO attainment is not worse than the best one's.

    Without promises these are all variants.
    """
    means = [variant.interval(ATTAINMENT) for variant in variants]
    known = {number: of.mean for number, of in enumerate(means) if of is not None}
    if not known:
        return list(range(len(variants)))
    best = max(known, key=lambda number: known[number])
    return [
        number
        for number, mean in known.items()
        if mean >= known[best] - PROMISE_TOLERANCE
        or shows_no_difference(variants[number], variants[best], ATTAINMENT)
    ]


def shows_no_difference(variant: SeededResult, base: SeededResult, measure: Measure) -> bool:
    """Returns whether several seeds show no difference of a measure."""
    difference = variant.difference(base, measure)
    return len(variant.seeds) > 1 and difference is not None and difference.contains_zero


def _carbon_rank(variant: SeededResult, number: int) -> tuple[bool, float, int]:
    of = variant.interval(CARBON)
    return of is None, 0.0 if of is None else of.mean, number
