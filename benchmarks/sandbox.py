"""What the sandbox of an engine costs: tokens per second inside and outside, and the start.

    python -m benchmarks.sandbox [--rounds N] [--tokens N]

Two real llama.cpp serve the tests' model, one in its sandbox and one without, by the agent's own
code. They answer the same request in turn, one at a time, and begin alternately, so that what else
the machine does falls on both alike. A round reads a prompt of some 100 tokens and writes
``--tokens`` tokens. Prints JSON: the median tokens per second of writing and of reading by the
engine's own timings, the ratio inside / outside as the median of the rounds' ratios with its 95 %
interval (order statistics of the median), and the time from start to ready. Exits with 1 if the
median ratio of writing is below 0.97.
"""

import argparse
import asyncio
import json
import math
import sys
import time
from statistics import median
from typing import Any

from msgspec import Struct
from tests.engines.support import llamacpp, ran, request

from entraide.process_sandbox import find_sandbox_problem, landlock_version
from entraide.types import Outcome
from entraide_node.engines.supervised_engine import SupervisedEngine

LEAST_RATIO = 0.97
PROMPT = [{"role": "user", "content": "Tell a story about a cat and a co-operative. " * 9}]
STARTS = 5
CONTEXT_TOKENS = 1024


class Speed(Struct, frozen=True):
    """Speed of one answer, tokens per second."""

    writing: float
    reading: float


async def measure_answer(engine: SupervisedEngine, tokens: int) -> Speed:
    """Returns the speed of one answer, by the engine's own timings."""
    asked = request(max_tokens=tokens, temperature=0, ignore_eos=True, messages=PROMPT)
    _, end = await ran(engine, asked)
    assert Outcome.COMPLETED is end.outcome, end
    return Speed(
        end.usage.completion_tokens / end.timings.decode_s,
        end.usage.prompt_tokens / end.timings.prefill_s,
    )


async def measure_start(*, sandbox: bool) -> float:
    """Returns the time from the start to ready, seconds."""
    began_s = time.perf_counter()
    async with llamacpp(sandbox=sandbox, context_tokens=CONTEXT_TOKENS):
        return time.perf_counter() - began_s


def ratio_of(inside: list[float], outside: list[float]) -> dict[str, float]:
    """Returns the median of paired ratios, and its 95 % interval.

    The interval's ranks are n/2 ± 0.98 √n, the normal approximation of the binomial distribution
    of the number of values below the median.
    """
    ratios = sorted(speed / other for speed, other in zip(inside, outside, strict=True))
    count = len(ratios)
    reach = 0.98 * math.sqrt(count)
    low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
    return {
        "ratio": round(median(ratios), 4),
        "low": round(ratios[max(0, low)], 4),
        "high": round(ratios[min(count - 1, high)], 4),
    }


async def measure(rounds: int, tokens: int) -> dict[str, Any]:
    """Returns the result of all rounds."""
    starts: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(STARTS):
        for sandbox in (True, False):
            starts[sandbox].append(await measure_start(sandbox=sandbox))
    speeds: dict[bool, list[Speed]] = {True: [], False: []}
    async with (
        llamacpp(sandbox=True, context_tokens=CONTEXT_TOKENS) as inside,
        llamacpp(sandbox=False, context_tokens=CONTEXT_TOKENS) as outside,
    ):
        engines = {True: inside, False: outside}
        for engine in engines.values():
            await measure_answer(engine, tokens)  # the first one reads the weights into memory
        for number in range(rounds):
            order = (True, False) if number % 2 else (False, True)
            for sandbox in order:
                speeds[sandbox].append(await measure_answer(engines[sandbox], tokens))
    result: dict[str, Any] = {
        "rounds": rounds, "tokens": tokens, "landlock": landlock_version(),
        "start_s": {name: round(median(starts[key]), 3) for key, name in NAMES.items()},
    }  # fmt: skip
    for work in ("writing", "reading"):
        values = {key: [getattr(speed, work) for speed in speeds[key]] for key in NAMES}
        result[work] = {
            f"{name}_tokens_per_s": round(median(values[key]), 2) for key, name in NAMES.items()
        } | ratio_of(values[True], values[False])
    return result


NAMES = {True: "inside", False: "outside"}


def main() -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    if problem := find_sandbox_problem():
        sys.stderr.write(f"no sandbox here: {problem}\n")
        return 1
    result = asyncio.run(measure(options.rounds, options.tokens))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0 if result["writing"]["ratio"] >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
