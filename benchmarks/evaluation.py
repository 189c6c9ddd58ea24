"""Coverage of evaluations: how often the interval of an engine's rate holds the truth at the stop.

Scripted engines answer the items of each cell with errors of known kinds at known rates; the
checkers judge each kind, and each of many evaluations stops as ``entraide models evaluate`` does.
Prints a table, and exits with 1 if an interval misses more often than it may.
"""

import argparse
import sys

from tests.sdk import scripted_answers as scripted
from tests.sdk.scripted_answers import ENGINES, LEAST

from entraide.enums import Task
from entraide.models import EVALUATED_LANGUAGES

HELD_MIN = 0.93


def main() -> int:
    """Runs the evaluations and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20_000, help="evaluations of each engine")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.times} evaluations of each engine, least rate {LEAST}")
    misjudged = 0
    for task in Task:
        for language in EVALUATED_LANGUAGES:
            rates = scripted.right_by_way(task, language, 400)
            wrong = [way for way, rate in rates.items() if rate != (way in scripted.RIGHT)]
            misjudged += len(wrong)
            print(f"{task:10} {language}: the checkers judge as scripted{wrong or ''}")
    accepted = dict.fromkeys(scripted.RIGHT, 1.0) | dict.fromkeys(scripted.WRONG, 0.0)
    table, missed = scripted.intervals(), 0
    print(f"{'engine':22} {'true rate':>9} {'held':>7} {'answers':>8} {'passes':>7} {'fails':>7}")
    for number, (name, errors) in enumerate(ENGINES.items()):
        truth = 1.0 - sum(errors.values())
        low, high, answers = scripted.runs(
            errors, accepted, least=LEAST, times=options.times, seed=options.seed + number,
            table=table,
        )  # fmt: skip
        held = ((low <= truth) & (truth <= high)).mean()
        missed += held < HELD_MIN
        passes, fails = (low >= LEAST).mean(), (high < LEAST).mean()
        print(
            f"{name:22} {truth:9.2f} {held:7.2%} {answers.mean():8.0f} {passes:7.2%} {fails:7.2%}"
        )
    return 1 if missed or misjudged else 0


if __name__ == "__main__":
    sys.exit(main())
