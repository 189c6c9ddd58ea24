"""Answers of a real pool whose machine is given back or stopped in order: another continues them.

Real agents and engines, a real X server and a key that is pressed, the owner's own command, a
signal. Each machine that is lost here serves again afterwards.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from msgspec.structs import replace
from tests.engines.screens import type_a_key, typed_screen
from tests.engines.stories import COOP, continuation, read_story, received
from tests.engines.support import llamacpp
from tests.integration.local_pool import RunningPool, up

from entraide_node.core.owner_terms import (
    UNRESTRICTED_TERMS,
    PresencePolicy,
    UnknownPresencePolicy,
)
from entraide_node.owner.terms_file import write_terms

NODES = ("node-1", "node-2")
TOKENS = 400  # more than a machine writes until it has noticed its owner
LOST_AFTER = 8  # events
DRAIN_S = 0.2
NEVER_ENDS = {"2": -100}  # the model's end token
TERMS = replace(UNRESTRICTED_TERMS, give_back_s=0.0)
OWNER_FIRST = replace(
    TERMS, present=PresencePolicy.NOTHING, idle_min=0.1, unseen=UnknownPresencePolicy.ABSENT
)

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.needs("Xvfb", "xdotool"),
]


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real X server on which an owner types; what the pool starts belongs to its session."""
    with typed_screen(tmp_path_factory.mktemp("session")) as environ:
        yield environ


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, screen: dict[str, str]) -> Iterator[RunningPool]:
    """A pool of two machines, which end their runs soon when they are asked to."""
    assert screen
    started = up(tmp_path_factory.mktemp("pool") / "pool", "--nodes", str(len(NODES)))
    try:
        before = started.file.pids
        for node in NODES:
            write_terms(folder(started, node), TERMS)
            config = folder(started, node) / "node.toml"
            changed = tomllib.loads(config.read_text("utf-8")) | {"drain_s": DRAIN_S}
            config.write_text(tomli_w.dumps(changed), "utf-8")
            stop(started, node)  # the pool's supervisor starts it again
        started.until(
            lambda: all(started.file.pids.get(node) not in (None, before[node]) for node in NODES),
            "the agents have read their new configuration",
        )
        yield started
    finally:
        started.entraide("down")


def folder(pool: RunningPool, node: str) -> Path:
    """The folder of a machine."""
    return pool.state / "nodes" / node


def command(pool: RunningPool, node: str, name: str) -> None:
    """Runs a command of the owner's."""
    arguments = ["node", name, "--dir", str(folder(pool, node))]
    subprocess.run([sys.executable, "-m", "entraide.cli", *arguments], check=True)


def pause(pool: RunningPool, node: str) -> None:
    """The owner pauses the machine."""
    command(pool, node, "pause")


def stop(pool: RunningPool, node: str) -> None:
    """Asks the agent to stop, as the system does."""
    os.kill(pool.file.pids[node], signal.SIGTERM)


def come_back(pool: RunningPool, node: str) -> None:
    """The owner, who wants the machine alone while there, presses a key."""
    write_terms(folder(pool, node), OWNER_FIRST)
    type_a_key()


def records(pool: RunningPool, node: str, *events: str) -> list[dict[str, Any]]:
    """What a machine has logged of these events."""
    log = (pool.state / "logs" / f"{node}.log").read_text("utf-8")
    logged = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [record for record in logged if record["event"] in events]


def all_serve(pool: RunningPool) -> bool:
    """Whether every machine is live and takes work."""
    rows = pool.nodes()
    return pool.live() == {*NODES} and not any(row["reason"] for row in rows)


# How the machine is lost, what it then says of itself, and the code with which its run ends.
LOSSES: dict[str, tuple[Callable[[RunningPool, str], None], str, str]] = {
    "paused by its owner's command": (pause, "paused", "owner_terms"),
    "its agent is asked to stop": (stop, "time-up", "shutting_down"),
    "its owner presses a key": (come_back, "owner_busy", "owner_terms"),
}


@pytest.mark.parametrize("how", LOSSES)
async def test_the_answer_of_a_machine_that_is_given_back_goes_on(
    pool: RunningPool, how: str
) -> None:
    """No character is missing or doubled, it is billed once, and the receipt names both machines;
    the lost one ends its run by itself, and serves again."""
    lose, why, code = LOSSES[how]
    pool.until(lambda: all_serve(pool), "both machines take work", within_s=180.0)
    before = received(pool)
    story = read_story(
        pool, lambda node: lose(pool, node), lost_after=LOST_AFTER, max_tokens=TOKENS,
        logit_bias=NEVER_ENDS,
    )  # fmt: skip
    assert 1 == len(story.seams), story.last
    write_terms(folder(pool, story.lost), TERMS)
    command(pool, story.lost, "resume")
    async with llamacpp() as engine:
        continued = await continuation(engine, story.before)
    pool.until(lambda: received(pool) != before, "it is billed")
    pool.until(lambda: all_serve(pool), "both machines take work again", within_s=180.0)
    after = received(pool)
    last = story.last["entraide"]
    receipt = pool.http(f"/v1/jobs/{last['job']}/receipt", coop=COOP)[2]
    said = records(pool, story.lost, "node.owner", "node.phase", "run.ended")

    (seam,) = story.seams
    assert (story.lost, last["node"], code) == (
        seam["node_before"], seam["node_after"], seam["code"]
    )  # fmt: skip
    assert story.lost != last["node"]
    assert story.after.startswith(continued)
    assert "length" == story.last["choices"][0]["finish_reason"]
    assert [
        (story.lost, seam["token_offset"], code),
        (last["node"], TOKENS - seam["token_offset"], ""),
    ] == [(run["node"], run["output_tokens"], run["ended"]) for run in receipt["runs"]]
    assert last["runs"] == receipt["runs"]
    assert (1, receipt["input_tokens"] + TOKENS) == (
        after["jobs"] - before["jobs"],
        after["tokens"] - before["tokens"],
    )
    assert (why, code) in [
        (earlier.get("reason") or earlier.get("sign"), ended["code"])
        for earlier, ended in itertools.pairwise(said)
        if ended["event"] == "run.ended"
    ]
