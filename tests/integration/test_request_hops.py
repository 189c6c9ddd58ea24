"""The table "One request, hop by hop" of the architecture is what a traced request calls.

A real scheduler with its gateway, a real nats-server and a real node agent with the built-in engine
answer streamed chat requests. All but the server and the engine run in this process, so that one
trace has every hop. A row of the table names calls, in the order of their first execution, and
beside them the other modules and packages that the request enters from inside of those calls.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from msgspec.structs import replace
from tests.house.source import PACKAGES, ROOT
from tests.integration.call_tracer import Call, CallTracer
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import MODEL, RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide.wire.bus_connection import BusConnection
from entraide_node import run_manager, sleep_inhibitor
from entraide_node.agent import Agent
from entraide_node.config import LlamaCpp
from entraide_node.core.phases import PhaseEvent
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource
from entraide_scheduler.gateway.batches import feeder
from entraide_scheduler.gateway.requests import answer_writers

PAGE = ROOT / "docs/architecture.md"
TITLES = {PAGE: "One request, hop by hop", PAGE.with_suffix(".fr.md"): "Le chemin d’une requête"}
LINK = re.compile(r"\[`[\w/.]+`\]\(([\w/.]+?)(?:\.py)?\)(?:`\.([\w.]+)`)?")
REQUESTS = 3
SILENCE_S = 60.0

# What a request enters and no row names.
UNNAMED = {
    "entraide": "the vocabulary and the codecs: types, units, errors, subjects, messages",
    "entraide_scheduler.driver.clock": "the current time, which any module may read",
    "entraide_scheduler.driver.event_observer": "notes which parts ended unasked",
    "entraide_scheduler.core.records": "what the core's packages keep in the state",
    "entraide_scheduler.core.state": "the state that each handler of the core gets",
    "entraide_scheduler.gateway.jobs.metrics": "counts what the gateway does",
    "entraide_scheduler.service": "hands on what a part asks of one that is made later",
}


ListedCall = tuple[str, str]  # a module or package, and a function in it
Place = tuple[int, tuple[str, str]]


class Row(NamedTuple):
    """A row of the table: its calls, and the names of modules and packages beside them."""

    calls: tuple[ListedCall, ...]
    beside: tuple[str, ...]


def import_name(link: str) -> str:
    """The module or package that a link of a page in `docs` leads to."""
    path = (PAGE.parent / link).resolve()
    root = next(root for root in PACKAGES.values() if path.is_relative_to(root))
    return ".".join(path.relative_to(root).parts)


def read_rows(page: Path) -> list[Row]:
    """The rows of a page's table."""
    _, _, text = page.read_text("utf-8").partition(f"## {TITLES[page]}\n")
    cells = [line.split("|") for line in text.partition("\n## ")[0].splitlines()]
    return [
        Row(
            tuple((import_name(link), function) for link, function in LINK.findall(line[3])),
            tuple(import_name(link) for link, _ in LINK.findall(line[4])),
        )
        for line in cells
        if len(line) > 4 and line[1].strip().isdecimal()
    ]


@cache
def covers(name: str, module: str) -> bool:
    """Whether a name is the module's, or that of a package which it is in."""
    return f"{module}.".startswith(f"{name}.")


def list_by_function(rows: Sequence[Row]) -> dict[str, list[tuple[ListedCall, int]]]:
    """The listed calls by the name of their function, each with the number of its row."""
    listed: dict[str, list[tuple[ListedCall, int]]] = {}
    for number, row in enumerate(rows):
        for call in row.calls:
            listed.setdefault(call[1], []).append((call, number))
    return listed


def find_calls(rows: Sequence[Row], trace: Sequence[Call]) -> dict[ListedCall, Place]:
    """For each listed call that a trace has: its number, and the outermost call around it."""
    places: dict[ListedCall, Place] = {}
    by_function = list_by_function(rows)
    for number, call in enumerate(trace):
        made = (call.module, call.function)
        for listed, _ in by_function.get(call.function, ()):
            if covers(listed[0], call.module):
                places.setdefault(listed, (number, (made, *call.callers)[-1]))
    return places


def orders(
    before: ListedCall, after: ListedCall, traced: Sequence[dict[ListedCall, Place]]
) -> list[tuple[bool, bool]]:
    """For each request with both calls: are they in order, and are they inside of one call?"""
    both = [(places[before], places[after]) for places in traced if {before, after} <= set(places)]
    return [(first[0] < second[0], first[1] == second[1]) for first, second in both]


def misplaced_calls(rows: Sequence[Row], traces: Sequence[Sequence[Call]]) -> list[str]:
    """A sentence for each listed call that is not made, or that is made before an earlier one.

    Between calls that are not inside of one another messages pass, whose order may change: theirs
    need hold in one request only. A later request may find in a cache what the first one asked for.
    """
    traced = [find_calls(rows, trace) for trace in traces]
    listed = [call for row in rows for call in row.calls]
    wrong = [f"{'.'.join(call)} is not called" for call in listed if call not in traced[0]]
    for before, after in combinations(listed, 2):
        pairs = orders(before, after, traced)
        in_order = [is_in_order for is_in_order, _ in pairs]
        is_strict = any(inside for _, inside in pairs)
        if pairs and not (all(in_order) if is_strict else any(in_order)):
            wrong.append(f"{'.'.join(after)} is called before {'.'.join(before)}")
    return wrong


def row_of(call: Call, by_function: Mapping[str, Sequence[tuple[ListedCall, int]]]) -> int | None:
    """The number of the row with the nearest listed call that a call is inside of, or is."""
    for module, function in ((call.module, call.function), *call.callers):
        for listed, number in by_function.get(function, ()):
            if covers(listed[0], module):
                return number
    return None


def first_row(name: str, rows: Sequence[Row], trace: Sequence[Call]) -> int | None:
    """The number of the row from inside of which a name is entered first."""
    by_function = list_by_function(rows)
    entries = (row_of(call, by_function) for call in trace if covers(name, call.module))
    return next((entry for entry in entries if entry is not None), None)


def misplaced_names(rows: Sequence[Row], traces: Sequence[Sequence[Call]]) -> list[str]:
    """A sentence for each name beside a row from inside of which no request enters it first.

    What an engine sends is read inside of the call that asked, or when it arrives.
    """
    wrong = []
    for number, row in enumerate(rows):
        for name in row.beside:
            entered = [first_row(name, rows, trace) for trace in traces]
            if number not in entered:
                place = "in none" if entered[0] is None else f"in row {entered[0] + 1}"
                wrong.append(f"{name} stands in row {number + 1}, and is entered {place}")
    return wrong


def unnamed_modules(rows: Sequence[Row], trace: Sequence[Call]) -> list[str]:
    """A sentence for each module that is entered and not named, or excused and not entered."""
    entered = {call.module: call.function for call in reversed(trace)}
    named = {name for row in rows for name in (*(name for name, _ in row.calls), *row.beside)}
    return [
        f"{module}.{function} is called, and no row names {module}"
        for module, function in sorted(entered.items())
        if not any(covers(name, module) for name in named | UNNAMED.keys())
    ] + [
        f"{name} is not entered, and needs no excuse"
        for name in UNNAMED
        if not any(covers(name, module) for module in entered)
    ]


def faults(rows: Sequence[Row], traces: Sequence[Sequence[Call]]) -> list[str]:
    """A sentence for each thing in the table that the traced requests did otherwise."""
    return [
        *misplaced_calls(rows, traces),
        *misplaced_names(rows, traces),
        *unnamed_modules(rows, traces[0]),
    ]


@asynccontextmanager
async def running_node(scheduler: RunningScheduler, folder: Path) -> AsyncIterator[Agent]:
    """A node that has joined with the built-in engine and its small model, and is live."""
    token = await scheduler.operator.token()
    joined = await asyncio.to_thread(
        join_pool, scheduler.gateway.url, token, folder=folder, options=JoinOptions(name="n1")
    )
    engine = LlamaCpp(alias=MODEL, threads=1, slots=1, context_tokens=512)
    config = replace(joined.config, engine=engine)
    machine = await start_machine(config, tell=lambda state: None)
    assert isinstance(machine, MachineSetup), machine
    agent = Agent(config, machine=machine, model_source=CatalogueSource(config))
    work = asyncio.create_task(agent.run())
    await eventually(lambda: scheduler.state("n1") == "live")
    await eventually(lambda: agent._catalogue_asked_s > 0.0)
    try:
        yield agent
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await work
        await machine.stop()


async def ask(scheduler: RunningScheduler, key: str) -> None:
    """Makes a streamed chat request over a connection of its own, and reads the answer."""
    messages = [{"role": "user", "content": "Bonjour"}]
    body = {"model": MODEL, "max_tokens": 4, "stream": True, "messages": messages}
    async with (
        scheduler.session(key) as session,
        session.post("/v1/chat/completions", json=body) as answer,
    ):
        assert answer.status == 200
        assert b"[DONE]" in await answer.read()


@contextmanager
def held_heartbeats(agent: Agent) -> Iterator[None]:
    """Within the block no heartbeat is sent because its time has come: it would be traced."""
    announce = agent._announcer.announce

    def announce_changes(*args: Any, due: bool, **options: Any) -> bool:
        return announce(*args, due=False, **options)

    with patch.object(agent._announcer, "announce", announce_changes):
        yield


async def pass_on(sender: BusConnection, receiver: BusConnection) -> None:
    """Waits until a connection's reader has read what another one has sent."""
    await sender.flush()
    await receiver.flush()
    await eventually(lambda: not any(each.pending_msgs for each in receiver._subs.values()))


async def read_messages_underway(scheduler: RunningScheduler, agent: Agent) -> None:
    """Waits until scheduler and agent have read what was sent before, which would be traced."""
    bus, of_agent = scheduler.service.parts.bus, agent._bus._connection
    assert isinstance(of_agent, BusConnection)
    await pass_on(of_agent, bus)
    await pass_on(bus, of_agent)


async def trace_requests(folder: Path, tracer: CallTracer) -> list[list[Call]]:
    """The first calls of each request, from its connection until its receipt is settled."""
    traces = []
    async with (
        running_pool(folder) as bus,
        running_scheduler(folder, bus) as scheduler,
        running_node(scheduler, folder / "node") as agent,
    ):
        for _ in range(REQUESTS):
            key = await scheduler.operator.key()  # a new one, which the gateway has to look up
            with held_heartbeats(agent):
                await read_messages_underway(scheduler, agent)
                tracer.start()
                await ask(scheduler, key)
                await eventually(lambda: not agent._reports)  # the scheduler has settled the job
                traces.append(tracer.stop())
    return traces


async def take_no_lock() -> None:
    """Takes no lock against sleep: it would be traced, early or late, as logind answers."""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[list[Call]]:
    """The first calls of three requests."""
    tracer = CallTracer()
    # The feeder of batches looks at the store now and then, whatever a request does.
    # After 50 ms, the report would come before or after the first token, as the engine is fast.
    # After 2 s, on a busy machine, a stream would begin before its first token.
    with (
        tracer.installed(),
        patch.object(answer_writers, "HEAD_AFTER_S", SILENCE_S),
        patch.object(feeder, "POLL_S", 3_600.0),
        patch.object(run_manager, "REPORT_AFTER_S", 0.0),
        patch.object(sleep_inhibitor, "take_logind_lock", take_no_lock),
    ):
        return asyncio.run(trace_requests(tmp_path_factory.mktemp("hops"), tracer))


def test_the_table_is_what_a_request_calls(traces: list[list[Call]]) -> None:
    """Each listed call is made, in order, and each module that is entered stands in its row."""
    assert [] == faults(read_rows(PAGE), traces)


def test_both_languages_have_the_same_hops() -> None:
    """The French table has the calls and the modules of the English one, row by row."""
    english, french = (read_rows(page) for page in TITLES)

    assert english == french


def test_a_row_too_few_is_noticed(traces: list[list[Call]]) -> None:
    """Each row has something that no other row says."""
    rows = read_rows(PAGE)

    assert [] == [
        number + 1
        for number in range(len(rows))
        if not faults([*rows[:number], *rows[number + 1 :]], traces)
    ]


def test_a_row_in_the_wrong_place_is_noticed(traces: list[list[Call]]) -> None:
    """Two neighbours that each request calls in the same order cannot change places."""
    rows = read_rows(PAGE)
    traced = [find_calls(rows, trace) for trace in traces]
    neighbours = [
        number
        for number, (first, second) in enumerate(pairwise(rows))
        if all(in_order for in_order, _ in orders(first.calls[0], second.calls[0], traced))
    ]

    assert len(neighbours) > len(rows) / 2
    assert [] == [
        number + 1
        for number in neighbours
        if not faults([*rows[:number], rows[number + 1], rows[number], *rows[number + 2 :]], traces)
    ]


@pytest.mark.parametrize(
    "row",
    [
        Row((("entraide_scheduler.core.machine", "Core.restore"),), ()),
        Row((("entraide_scheduler.core.machine", "Core.handle"),), ("entraide_node.join",)),
    ],
)
def test_an_invented_row_is_noticed(row: Row, traces: list[list[Call]]) -> None:
    """A call that the request does not make is seen, and a module that it does not enter."""
    assert faults([*read_rows(PAGE), row], traces)
