"""What a conversation gains when its beginning is not read again: first word and energy by turn.

    python -m benchmarks.prefix [--only PART ...] [--seed N]

A pool on this machine (NATS, scheduler with its gateway, one node agent, an engine on one thread)
is asked over HTTP. Each turn is asked twice, once with ``entraide.prefix`` "off" and once without,
in alternating order and greedily; each way goes on with its own answers, whose length is fixed (no
token that ends an answer may be chosen). Parts:

- ``toy``: the tests' model, a document of 1,000 tokens, then short questions until the context of
  2,048 tokens is full;
- ``random``: a model of random weights (``support/random_model.py``), a document of 6,000 tokens,
  then questions of 150 tokens until the context of 8,000 is full;
- ``vllm``: as ``toy``, by vLLM's build for processors, which finds full blocks of 128 tokens again;
- ``many_rest`` and ``many_live``: six conversations on two slots, all at a time, with states at
  rest and with live slots only, where each finds nothing again. A round asks all of them, one way
  and then the other.

Prints JSON: by turn the seconds to the first text, the energy and the tokens; sums; ratios of on to
off; and for each target whether it is met: the first word at most 0.15 of "off" in each turn from
the second, less energy in all, and more conversations than slots at most 1.05 of "off" (first word,
time of the rounds, CPU time of agent and engine, energy). The energy is that of the receipts, which
the node estimates unless the machine has a meter (``energy_basis``). ``equal_answers`` counts turns
with the same text both ways; after one that differs, the history of that conversation differs, too.
Exits with 1 if a target is missed or a turn has another length than asked.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from benchmarks.notice import has_text
from benchmarks.support.random_model import write_random_gguf
from msgspec import Struct
from tests.engines.own_environments import ENVIRONMENT, cache_folder, installed, weights

from entraide_node.engines.environments import ROOT_VARIABLE
from entraide_scheduler.supervision.poolfile import PoolFile
from entraide_scheduler.up import settings
from entraide_scheduler.up.pool import LocalPool, PoolOptions

COOP = "boreale"
MODEL = "measured"  # the public name of every part's model
FIRST_MOST, MANY_MOST = 0.15, 1.05
# Tokens of the vocabulary with a meaning of their own, which end an answer or have no text.
SPECIAL_TOKENS = 17
MARGIN_TOKENS = 24  # of a turn's marks, and of words that are two tokens
WAYS = ("on", "off")
OWNER_TERMS = """present = "all"
on_battery = true
temperature_max_c = 0
load_max_percent = 0
memory_free_min_gb = 0
settle_s = 0
[prefix]
memory_part = """
TERMS_APPLY_S = 3.0
WORDS = (
    "the of and to in that is was for it with as his on be at by had not are but from or have "
    "which one you were all her she there would their we him been has when who will no more if out "
    "so up said what its about than into them can only other time new some could these two may then"
)  # each is one token


class Shape(Struct, frozen=True):
    """The sizes of a conversation, in tokens; ``slots`` of the engine."""

    context: int
    document: int
    question: int
    answer: int
    slots: int = 4


TOY_SHAPE = Shape(context=2_048, document=1_000, question=24, answer=64)
RANDOM_SHAPE = Shape(context=8_000, document=6_000, question=150, answer=64)
MANY_SHAPE = Shape(context=1_024, document=150, question=24, answer=16, slots=2)
SHAPES = {
    "toy": TOY_SHAPE, "random": RANDOM_SHAPE, "vllm": TOY_SHAPE, "many_rest": MANY_SHAPE,
    "many_live": MANY_SHAPE,
}  # fmt: skip
CONVERSATIONS, ROUNDS = 6, 6


class Answer(Struct, frozen=True):
    """One turn, as who asks sees it; its energy in Wh is that of its receipt."""

    text: str
    first_s: float
    run_s: float
    wh: float
    basis: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Conversation:
    """A conversation in one way; its partition is its own."""

    def __init__(self, pool: PoolFile, way: str, name: str, shape: Shape) -> None:
        self._pool, self._way, self._name = pool, way, name
        self._shape = shape
        self._messages: list[dict[str, str]] = []

    async def ask(self, session: aiohttp.ClientSession, question: str) -> Answer:
        """Asks the next question."""
        self._messages.append({"role": "user", "content": question})
        body: dict[str, Any] = {
            "model": MODEL, "stream": True, "max_tokens": self._shape.answer,
            "messages": self._messages, "temperature": 0, "prompt_cache_key": self._name,
            "logit_bias": {str(token): -100 for token in range(SPECIAL_TOKENS)},
        }  # fmt: skip
        if self._way == "off":
            body["entraide"] = {"prefix": "off"}
        began_s = time.perf_counter()
        first_s, lines = 0.0, []
        url = f"{self._pool.http}/v1/chat/completions"
        async with session.post(url, json=body) as given:
            async for line in given.content:
                if has_text(line):
                    first_s = first_s or time.perf_counter() - began_s
                lines.append(line)
        run_s = time.perf_counter() - began_s
        events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
        receipts = [
            event["entraide"] for event in events if "energy_wh" in event.get("entraide", {})
        ]
        if given.status != 200 or not first_s or not receipts:
            sys.exit(f"prefix: {given.status} {b''.join(lines)[-2_000:]!r}")
        receipt = receipts[-1]
        choices = [choice for event in events for choice in event.get("choices") or ()]
        text = "".join(choice.get("delta", {}).get("content") or "" for choice in choices)
        self._messages.append({"role": "assistant", "content": text})
        return Answer(
            text, first_s, run_s, receipt["energy_wh"], receipt["energy_basis"],
            receipt["input_tokens"], receipt["cached_tokens"], receipt["output_tokens"],
        )  # fmt: skip


def text_of(source: random.Random, tokens: int) -> str:
    """Returns words of one token each."""
    return " ".join(source.choices(WORDS.split(), k=tokens))


async def converse(
    pool: PoolFile, part: str, shape: Shape, source: random.Random
) -> dict[str, list[Answer]]:
    """Returns the turns of one conversation, in both ways, until its context is full."""
    ways = {way: Conversation(pool, way, f"{part}-{way}", shape) for way in WAYS}
    turns: dict[str, list[Answer]] = {way: [] for way in WAYS}
    question = "Read this. " + text_of(source, shape.document) + " Say what you see."
    async with _session(pool) as session:
        while True:
            order = WAYS if len(turns["on"]) % 2 else WAYS[::-1]
            for way in order:
                turns[way].append(await ways[way].ask(session, question))
            last = max((turns[way][-1] for way in WAYS), key=lambda each: each.input_tokens)
            used = last.input_tokens + last.output_tokens
            if used + shape.question + shape.answer + MARGIN_TOKENS > shape.context:
                return turns
            question = text_of(source, shape.question)


async def ask_many(
    pool: PoolFile, name: str, shape: Shape, source: random.Random
) -> dict[str, Any]:
    """Asks more conversations than there are slots, all at a time; returns the sums by way."""
    talks = {
        way: [
            Conversation(pool, way, f"{name}-{way}-{number}", shape)
            for number in range(CONVERSATIONS)
        ]
        for way in WAYS
    }
    rounds_s: dict[str, list[float]] = {way: [] for way in WAYS}
    used_s: dict[str, list[float]] = {way: [] for way in WAYS}
    answers: dict[str, list[Answer]] = {way: [] for way in WAYS}
    begins = [text_of(source, shape.document) for _ in range(CONVERSATIONS)]
    async with _session(pool) as session:
        for number in range(ROUNDS):
            texts = [
                text_of(source, shape.question) if number else begin for begin in begins
            ]  # the same for both ways
            for way in WAYS if number % 2 else WAYS[::-1]:
                began_s, began_cpu_s = time.perf_counter(), _cpu_s(pool)
                answers[way] += await asyncio.gather(
                    *(talk.ask(session, text) for talk, text in zip(talks[way], texts, strict=True))
                )
                rounds_s[way].append(time.perf_counter() - began_s)
                used_s[way].append(_cpu_s(pool) - began_cpu_s)
    sums = {way: _sum_up(answers[way]) for way in WAYS}
    return {
        "conversations": CONVERSATIONS, "slots": shape.slots, "rounds": ROUNDS,
        **{
            way: {
                "rounds_s": round(sum(rounds_s[way]), 2), "cpu_s": round(sum(used_s[way]), 2),
                **sums[way],
            }
            for way in WAYS
        },
        "ratios": {
            "rounds_s": _ratio(sum(rounds_s["on"]), sum(rounds_s["off"])),
            "cpu_s": _ratio(sum(used_s["on"]), sum(used_s["off"])),
            "first_s": _ratio(sums["on"]["first_s"], sums["off"]["first_s"]),
            "wh": _ratio(sums["on"]["wh"], sums["off"]["wh"]),
        },
        "equal_answers": _count_equal(answers),
    }  # fmt: skip


def describe(shape: Shape, turns: dict[str, list[Answer]]) -> dict[str, Any]:
    """Returns a conversation's turns, sums and ratios."""
    pairs = list(zip(turns["on"], turns["off"], strict=True))
    firsts = [_ratio(on.first_s, off.first_s) for on, off in pairs[1:]]
    sums = {way: _sum_up(turns[way]) for way in WAYS}
    return {
        "context_tokens": shape.context, "answer_tokens": shape.answer, "turns": len(pairs),
        "by_turn": [
            {
                way: {
                    "first_s": round(each.first_s, 3), "wh": round(each.wh, 6),
                    "input_tokens": each.input_tokens, "cached_tokens": each.cached_tokens,
                }
                for way, each in (("on", on), ("off", off))
            }
            for on, off in pairs
        ],
        "sums": sums,
        "ratios": {
            "first_turn_s": _ratio(pairs[0][0].first_s, pairs[0][1].first_s),
            "first_s_from_second": _ratio(
                sum(on.first_s for on, _ in pairs[1:]), sum(off.first_s for _, off in pairs[1:])
            ),
            "first_s_from_second_worst": max(firsts),
            "wh": _ratio(sums["on"]["wh"], sums["off"]["wh"]),
        },
        "equal_answers": _count_equal(turns),
    }  # fmt: skip


def _cpu_s(pool: PoolFile) -> float:
    """CPU time of the node's agent and of its engine so far, in seconds."""
    agent = psutil.Process(pool.pids["node-1"])
    times = [each.cpu_times() for each in (agent, *agent.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _sum_up(answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "first_s": round(sum(answer.first_s for answer in answers), 3),
        "run_s": round(sum(answer.run_s for answer in answers), 3),
        "wh": round(sum(answer.wh for answer in answers), 6),
        "energy_basis": sorted({answer.basis for answer in answers}),
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "cached_tokens": sum(answer.cached_tokens for answer in answers),
        "output_tokens_each": sorted({answer.output_tokens for answer in answers}),
    }


def _count_equal(answers: dict[str, list[Answer]]) -> int:
    return sum(on.text == off.text for on, off in zip(answers["on"], answers["off"], strict=True))


def _ratio(value: float, reference: float) -> float:
    return round(value / reference, 4)


def judge(result: dict[str, Any]) -> dict[str, bool]:
    """Returns for each target of the parts that were measured whether it is met."""
    met: dict[str, bool] = {}
    for part, values in result.items():
        ratios = values["ratios"]
        each = ("on", "off")
        sums = values["sums"] if "sums" in values else {way: values[way] for way in each}
        met[f"{part}: fixed length"] = all(len(sums[w]["output_tokens_each"]) == 1 for w in each)
        if part.startswith("many"):
            met[f"{part}: processor"] = ratios["cpu_s"] <= MANY_MOST
            met[f"{part}: first word"] = ratios["first_s"] <= MANY_MOST
            met[f"{part}: time"] = ratios["rounds_s"] <= MANY_MOST
            met[f"{part}: energy"] = ratios["wh"] <= MANY_MOST
        else:
            met[f"{part}: first word"] = ratios["first_s_from_second_worst"] <= FIRST_MOST
            met[f"{part}: energy"] = ratios["wh"] < 1.0
    return met


def engine_table(part: str, shape: Shape, folder: Path) -> dict[str, str | int]:
    """Returns the ``[engine]`` table of a part's node; writes or makes what it needs."""
    sizes = {"threads": 1, "slots": shape.slots, "context_tokens": shape.context}
    if part == "vllm":
        installed(ENVIRONMENT["vllm"])
        os.environ[ROOT_VARIABLE] = str(cache_folder())
        return {"kind": "vllm", "model": str(weights()), "alias": MODEL, "cpu": True, **sizes}
    if part == "random":
        path = folder / "random.gguf"
        write_random_gguf(path)
        return {"kind": "llama.cpp", "model": str(path), "alias": MODEL, **sizes}
    return {"kind": "llama.cpp", "model": "demo", "alias": MODEL, **sizes}


@asynccontextmanager
async def serving(folder: Path, engine: dict[str, str | int]) -> AsyncIterator[PoolFile]:
    """Runs a pool of one node with this engine."""
    pool = LocalPool(PoolOptions(folder, nodes=1, lang="en", engine=engine))
    try:
        yield await pool.start()
    finally:
        await pool.stop()


@asynccontextmanager
async def _session(pool: PoolFile) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"authorization": f"Bearer {pool.keys[COOP]}"}
    limit = aiohttp.ClientTimeout(total=None, sock_read=600.0)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
        yield session


async def _set_memory_part(folder: Path, part: float) -> None:
    """Writes the owner's terms, and waits until the agent has read them."""
    terms = settings.node_dir(folder, 1) / "owner.toml"
    terms.write_text(f"{OWNER_TERMS}{part}\n", "utf-8")
    await asyncio.sleep(TERMS_APPLY_S)


async def measure(parts: Sequence[str], seed: int) -> dict[str, Any]:
    """Measures the parts, each in a pool of its own."""
    result: dict[str, Any] = {}
    for part in parts:
        source, shape = random.Random(f"{seed} {part}"), SHAPES[part]
        with tempfile.TemporaryDirectory() as name:
            state = Path(name) / "pool"
            async with serving(state, engine_table(part, shape, Path(name))) as pool:
                if part.startswith("many"):
                    await _set_memory_part(state, 0.1 if part == "many_rest" else 0.0)
                    result[part] = await ask_many(pool, part, shape, source)
                else:
                    result[part] = describe(shape, await converse(pool, part, shape, source))
    return result


def main() -> int:
    """Measures and prints; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=[*SHAPES], metavar="PART")
    parser.add_argument("--seed", type=int, default=38)
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):  # what the pool logs
        result = asyncio.run(measure(options.only, options.seed))
    met = judge(result)
    machine = {"cores": psutil.cpu_count(), "threads_of_engine": 1, "seed": options.seed}
    print(json.dumps({**machine, **result, "met": met}, indent=1))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
