"""Whether one partition's prompts show in another's answers, counts or times; `make leak-test`.

    python -m benchmarks.leak [--trials N] [--minutes N] [--rounds N] [--words N] [--threads N]
        [--seed N]

A real llama.cpp with the tests' model and the agent's own code. Prints JSON:

- ``text``: sixteen partitions at a time on four slots plant a word of their own each and have it
  repeated. Between the rounds states are evicted (little room at rest), runs are cancelled, and the
  engine's process is killed; later turns go on with each conversation. ``foreign`` counts answers
  with the word of another, of this round or an earlier one; ``unequal`` those that differ from the
  answer without any cache.
- ``counts``: tokens found again by the same partition and by others.
- ``times``: a victim asks a prompt, then an attacker asks the same one (planted) or another of the
  same length (other), each with a new prompt, in pairs and in changing order. A classifier looks at
  the attacker's own time to the first token. ``auc`` is the probability that a planted one was
  faster, with its 95 % interval (2,000 bootstrap samples of the pairs). ``off``: attacker and
  victim have one partition, so that the measurement is seen to find what it looks for. ``on``: each
  has its own, the attacker another for each run: of 220 random prompts, two begin with the same
  token as the one before them, which an attacker with one partition finds again. After
  ``--minutes`` no further pair begins; ``trials_a_side`` counts those that were measured.

Exits with 1 if a foreign word or an unequal text was seen, if the same partition found nothing or
another something, if ``off`` is below 0.95, or if the upper end of ``on`` is above 0.60.
"""

import argparse
import asyncio
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from benchmarks.support.prefix_runs import NOBODY, Answer, ask, partition_of, random_text
from tests.engines.support import llamacpp, ready_when

from entraide_node.engines.supervised_engine import SupervisedEngine

SLOTS, PARTITIONS, CONTEXT_TOKENS, ANSWER_TOKENS = 4, 16, 512, 12
SIGNS = "BCDFGHJKLMNPQRSTVWXZ"
REST_BYTES = 24 * 1024**2  # room for a part of the states: some are evicted
VICTIM, ATTACKER = partition_of(1), partition_of(2)
SAMPLES = 2_000
OFF_LEAST, ON_MOST = 0.95, 0.60


def conversation(word: str, number: int, turn: int) -> str:
    """A text that the model goes on with by repeating its word; all begin alike."""
    begin = "The password of this conversation is secret. " + f"The password is {word}. " * (
        3 + number % 4
    )
    return begin + f"Again, the password is {word}. " * turn + "The password is"


async def cancel_some(engine: SupervisedEngine, words: Sequence[str]) -> None:
    """Runs that are cancelled at once, or while they read."""
    for number, word in enumerate(words):
        job = f"cancelled-{number}"
        run = asyncio.create_task(
            ask(engine, job, conversation(word, 3, 0), partition_of(number), max_tokens=1)
        )
        await asyncio.sleep(0.02 * (number % 2))
        engine.cancel(job)
        with suppress(AssertionError):  # it did not complete
            await run


async def measure_text(rounds: int, source: random.Random) -> dict[str, Any]:
    """Plants words, and counts where they come up."""
    counts = {"answers": 0, "own": 0, "foreign": 0, "unequal": 0, "found_again_tokens": 0}
    earlier: set[str] = set()
    async with llamacpp(slots=SLOTS, context_tokens=CONTEXT_TOKENS) as engine:
        for number in range(rounds):
            engine.limit_prefixes(REST_BYTES)
            words = ["".join(source.choices(SIGNS, k=6)) for _ in range(PARTITIONS)]
            for turn in range(2):
                prompts = [conversation(word, n, turn) for n, word in enumerate(words)]
                name = f"round-{number}-{turn}"
                kept = await _ask_all(engine, f"{name}-kept", prompts, keeps=True)
                plain = await _ask_all(engine, f"{name}-plain", prompts, keeps=False)
                texts = [answer.text for answer in kept]
                counts["answers"] += len(kept)
                counts["own"] += sum(w in t for w, t in zip(words, texts, strict=True))
                counts["foreign"] += sum(
                    any(other in text for other in (earlier | {*words}) - {word})
                    for word, text in zip(words, texts, strict=True)
                )
                counts["unequal"] += sum(
                    text != answer.text for text, answer in zip(texts, plain, strict=True)
                )
                counts["found_again_tokens"] += sum(answer.cached_tokens for answer in kept)
                await cancel_some(engine, words[:4])
            earlier |= {*words}
            if engine.pid is not None and number % 2 == 0:
                os.kill(engine.pid, signal.SIGKILL)
                await ready_when(engine, "engine_exited")
                await ready_when(engine, None)
    return {"partitions": PARTITIONS, "slots": SLOTS, "rounds": rounds, **counts}


async def _ask_all(
    engine: SupervisedEngine, name: str, prompts: Sequence[str], *, keeps: bool
) -> list[Answer]:
    """All at a time, no more than the engine takes."""
    places = asyncio.Semaphore(2 * SLOTS)

    async def ask_next(number: int, prompt: str) -> Answer:
        async with places:
            partition = partition_of(number) if keeps else NOBODY
            return await ask(
                engine, f"{name}-{number}", prompt, partition, max_tokens=ANSWER_TOKENS
            )

    runs = (ask_next(number, prompt) for number, prompt in enumerate(prompts))
    return await asyncio.gather(*runs)


async def measure_counts(engine: SupervisedEngine, source: random.Random) -> dict[str, int]:
    """What the same partition finds again, and what others do."""
    text = random_text(source, 40)
    first = await ask(engine, "count-first", text, VICTIM, max_tokens=1)
    same = await ask(engine, "count-same", text, VICTIM, max_tokens=1)
    others = [
        await ask(engine, f"count-{number}", text, partition, max_tokens=1)
        for number, partition in enumerate((ATTACKER, partition_of(1, 1), NOBODY))
    ]
    return {
        "prompt_tokens": first.prompt_tokens,
        "first_cached_tokens": first.cached_tokens,
        "same_cached_tokens": same.cached_tokens,
        "others_cached_tokens": sum(answer.cached_tokens for answer in others),
    }


async def measure_times(
    engine: SupervisedEngine,
    *,
    trials: int,
    minutes: float,
    words: int,
    source: random.Random,
    shared: bool,
) -> dict[str, Any]:
    """Returns how well an attacker's own times tell what a victim has asked."""
    planted: list[Answer] = []
    other: list[Answer] = []
    end_at = time.monotonic() + 60 * minutes
    for number in range(trials):
        if number and time.monotonic() >= end_at:
            break
        for plants in source.sample((True, False), 2):
            prompt = random_text(source, words)
            victims = prompt if plants else random_text(source, words)
            name = f"trial-{shared}-{number}-{plants}"
            attacker = VICTIM if shared else partition_of(2, 2 * number + plants)
            await ask(engine, f"{name}-victim", victims, VICTIM, max_tokens=1)
            answer = await ask(engine, f"{name}-attacker", prompt, attacker, max_tokens=1)
            (planted if plants else other).append(answer)
    fast = np.array([answer.ttft_s for answer in planted])
    slow = np.array([answer.ttft_s for answer in other])
    low, high = bootstrap_interval(fast, slow)
    return {
        "trials_a_side": len(planted),
        "prompt_tokens_mean": round(float(np.mean([a.prompt_tokens for a in planted])), 1),
        "planted_ttft_s_median": round(float(np.median(fast)), 4),
        "other_ttft_s_median": round(float(np.median(slow)), 4),
        "planted_cached_tokens": sum(answer.cached_tokens for answer in planted),
        "other_cached_tokens": sum(answer.cached_tokens for answer in other),
        "auc": round(auc_of(fast, slow), 4), "auc_low": low, "auc_high": high,
    }  # fmt: skip


def auc_of(fast: "np.ndarray[Any, Any]", slow: "np.ndarray[Any, Any]") -> float:
    """Returns the probability that a value of the first is below one of the second.

    It is the area under the curve of the classifier "below a threshold"; ties count half.
    """
    below = fast[:, None] < slow[None, :]
    ties = fast[:, None] == slow[None, :]
    return float(below.mean() + ties.mean() / 2)


def bootstrap_interval(
    fast: "np.ndarray[Any, Any]", slow: "np.ndarray[Any, Any]"
) -> tuple[float, float]:
    """Returns the 95 % interval of ``auc_of``: the percentiles over samples of the pairs."""
    draws = np.random.default_rng(38)
    values = []
    for _ in range(SAMPLES):
        pairs = draws.integers(0, len(fast), len(fast))
        values.append(auc_of(fast[pairs], slow[pairs]))
    low, high = np.percentile(values, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def find_faults(result: dict[str, Any]) -> list[str]:
    """Returns what is not as it must be."""
    text, counts, times = result["text"], result["counts"], result["times"]
    checks = {
        "a word of another": text["foreign"] == 0,
        "an unequal text": text["unequal"] == 0,
        "words are not repeated": text["own"] > text["answers"] / 2,
        "nothing found again": min(text["found_again_tokens"], counts["same_cached_tokens"]) > 0,
        "found by another": counts["others_cached_tokens"] == counts["first_cached_tokens"] == 0,
        "times without partitions": times["off"]["auc"] >= OFF_LEAST,
        "times": times["on"]["auc_high"] <= ON_MOST,
        "found by an attacker": times["on"]["planted_cached_tokens"] == 0
        and times["on"]["other_cached_tokens"] == 0,
    }
    return [name for name, holds in checks.items() if not holds]


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the result of all three parts."""
    source = random.Random(options.seed)
    result: dict[str, Any] = {"seed": options.seed, "threads": options.threads}
    result["text"] = await measure_text(options.rounds, source)
    sizes = {"slots": SLOTS, "context_tokens": CONTEXT_TOKENS, "threads": options.threads}
    async with llamacpp(**sizes) as engine:
        engine.limit_prefixes(REST_BYTES)
        result["counts"] = await measure_counts(engine, source)
        result["times"] = {
            name: await measure_times(
                engine,
                trials=options.trials,
                minutes=options.minutes,
                words=options.words,
                source=source,
                shared=shared,
            )
            for name, shared in (("off", True), ("on", False))
        }
    result["faults"] = find_faults(result)
    return result


def main() -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=math.inf, help="of each side of the times")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--words", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=38)
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
