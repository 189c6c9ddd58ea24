"""Message paths: follows the values of added fields between the core and the gateways' messages.

Each check yields a sentence for each value that it loses.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from unittest.mock import Mock

from msgspec import structs
from tests.core import builders
from tests.house.card_paths import BASE
from tests.house.extended_structs import added_values
from tests.house.struct_samples import caught

from entraide.types import JobState
from entraide.wire import messages as m
from entraide_scheduler.core import commands as c
from entraide_scheduler.core import events as e
from entraide_scheduler.core import records
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.driver.executor import Executor
from entraide_scheduler.gateways import LocalSchedulerAdapter
from entraide_scheduler.gateways.scheduler_adapters import _model_card


def find_message_losses() -> Iterator[str]:
    """Yields what is lost on the way from a command to a message, or from a message to an event."""
    for check in (_commands, _messages, _cards, _earlier_runs):
        for name, value in added_values():
            losses = caught(partial(check, {name: value}))
            yield from (f"{check.__name__[1:]} {name}: {loss}" for loss in losses)


def _commands(added: Mapping[str, Any]) -> Iterator[str]:
    """A gateway is told what the core's command says."""
    pool = builders.Pool()
    pool.join(builders.card("n1"))
    place = builders.placed(pool)
    event = e.Woke(1, builders.START)
    for command in (
        place,
        c.Refuse(1, "j1", "gw", "queue_full", {}, None, place.explanation),
        c.EndJob(1, "j1", "gw", JobState.COMPLETED, "", 1, {}),
        c.EndStalledJob(
            1,
            "j1",
            "gw",
            JobState.FAILED,
            "waited_too_long",
            1,
            {},
            "alpha",
            9.0,
            place.explanation,
        ),
    ):
        outbound = Mock()
        executor = Executor(
            store=Mock(), journal=Mock(), outbound=outbound, health=Mock(), counts=Counter(),
            occurrences=Mock(),
            stop=Mock(), peak_w=lambda _: 0.0, sender_of=lambda _: ("", ""),
            idempotency_of=lambda _: "",
            earlier_runs=lambda _: (), quotas_left=lambda *_: (), prefix_keep_s=lambda _: 0.0,
            is_elsewhere=lambda _: False, note_unsent=lambda _: None,
        )  # fmt: skip
        executor._carry_out(structs.replace(command, **added), event)
        _, message = outbound.send_to_gateway.call_args.args
        if not _has(message, added):
            yield f"{type(command).__name__} does not reach {type(message).__name__}"


def _messages(added: Mapping[str, Any]) -> Iterator[str]:
    """The core is told what a gateway's message says."""
    driver = Mock()
    adapter = LocalSchedulerAdapter(driver, Mock(), Mock(), Mock(), "gw")
    reports: tuple[tuple[Callable[[Any], None], m.Message], ...] = (
        (adapter.report_excess, m.LeaseExceeded("j1", 1, "n1", "length", 9)),
        (adapter.report_resumed, m.AnswerResumed("j1", 2, ((1, 5),))),
    )
    for report, message in reports:
        report(structs.replace(message, **added))
        (event,) = driver.feed.call_args.args
        if not _has(event, added):
            yield f"{type(message).__name__} does not reach {type(event).__name__}"


def _cards(added: Mapping[str, Any]) -> Iterator[str]:
    """The card of a model has what the core's view of the model has."""
    pool = builders.Pool()
    pool.join(BASE)
    (view,) = pool.core.models()
    card = _model_card(structs.replace(view, **added))
    if not _has(card, added):
        yield "ModelView does not reach ModelCard"


def _earlier_runs(added: Mapping[str, Any]) -> Iterator[str]:
    """A gateway is told of a lost run what the core knows of it."""
    driver, run = Mock(), records.EarlierRun(Mock(), builders.usage(), "node_lost", True)
    driver.core.earlier_runs = lambda _: (structs.replace(run, **added),)
    (message,) = LiveDriver._earlier_runs(driver, "j1")
    if not _has(message, added):
        yield "a lost run does not reach the gateway"


def _has(struct: Any, added: Mapping[str, Any]) -> bool:
    return all(getattr(struct, name) == value for name, value in added.items())
