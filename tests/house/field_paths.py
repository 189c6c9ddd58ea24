"""Field paths: follows the values of added fields through policy, card and request.

Imported by ``extended_structs`` once the structs have their added fields. Each check yields a
sentence for each value that it loses.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import typer
from msgspec import structs
from tests.core import builders
from tests.house.card_paths import find_card_losses
from tests.house.extended_structs import added_values
from tests.house.message_paths import find_message_losses
from tests.house.struct_samples import Path, caught, get_at, list_paths, make_sample, replace_at
from typer.testing import CliRunner

from entraide import i18n
from entraide.cli import coops as coops_cli
from entraide.decoding import decode_toml
from entraide.quality_terms import QualityException
from entraide.types import Task
from entraide_scheduler.control.admin import AdminService
from entraide_scheduler.core import events as e
from entraide_scheduler.core import recording
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import (
    DEFAULT_CLASSES,
    CoopReasoning,
    CoopTerms,
    Period,
    Policy,
    Quota,
)
from entraide_scheduler.policy_versions.cli_output import change_line
from entraide_scheduler.policy_versions.differences import PolicyChange, find_changes
from entraide_scheduler.policy_versions.documents import (
    find_all_faults,
    read_document,
    write_document,
)
from entraide_sim.building.world_builder import make_policy
from entraide_sim.files import scenario_toml
from entraide_sim.replay.report_inputs import coops_of
from entraide_sim.scenario import Scenario, ScenarioCoop

COOP = "alpha"
# Where not every value of a field makes a valid policy.
GIVEN: dict[type, dict[str, Any]] = {
    Policy: {"version": "v1", "classes": DEFAULT_CLASSES},
    CoopTerms: {"coop": COOP},
    CoopReasoning: {"coop": COOP},
    Quota: {"period": Period.DAY},
    QualityException: {"task": Task.ANSWER, "language": "fr"},
}
BASE: Policy = make_sample(Policy, GIVEN)
PATHS = [path for path in list_paths(BASE) if path != ("classes", 1)]


def find_losses() -> Iterator[str]:
    """Yields what is lost anywhere."""
    for check in (
        _check, _document, _difference, _difference_of_whole, _coops_set, _journal, _simulator,
        _replayed,
    ):  # fmt: skip
        for path in PATHS:
            for name, value in added_values():
                policy = replace_at(BASE, path, **{name: value})
                place = ".".join(map(str, (*path, name)))
                losses = caught(partial(check, policy, path, name))
                yield from (f"{check.__name__[1:]} {place}: {loss}" for loss in losses)
    yield from find_card_losses()
    yield from find_message_losses()


def _check(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """A sound value is accepted, and a number that is none is refused, with its key."""
    if faults := find_all_faults(policy):
        yield f"refused as {faults[0].fault}"
    if isinstance(getattr(get_at(policy, path), name), float):
        wrong = replace_at(policy, path, **{name: math.nan})
        if not any(fault.key.endswith(name) for fault in find_all_faults(wrong)):
            yield "not a number, and accepted"


def _document(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """The document that ``policy show`` writes reads back as the same policy."""
    if read_document(write_document(policy).encode()).policy != policy:
        yield "the document does not have it"


def _difference(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """A changed value is shown, before and after, with its key, in each language."""
    yield from _shown_losses(find_changes(BASE, policy), policy, path, name)
    yield from _shown_losses(find_changes(policy, BASE), policy, path, name)


def _difference_of_whole(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """What a new co-op and a new quota bring is shown too."""
    for depth in range(2, len(path) + 1, 2):
        if path[0] == "coops" and isinstance(path[depth - 1], int):
            owner, field = path[: depth - 2], path[depth - 2]
            without = replace_at(policy, owner, **{str(field): ()})
            yield from _shown_losses(find_changes(without, policy), policy, path, name)


def _shown_losses(
    changes: tuple[PolicyChange, ...], policy: Policy, path: Path, name: str
) -> Iterator[str]:
    value = getattr(get_at(policy, path), name)
    texts = [str(part) for part in (value if isinstance(value, tuple) else (value,))]
    if not any(name in str(change.values.get("key")) for change in changes):
        yield "no change names it"
    for lang in i18n.LANGUAGES:
        lines = "\n".join(change_line(change, lang, {}) for change in changes)
        shown = [
            text if isinstance(value, tuple | str) else i18n.decimal(value, lang) for text in texts
        ]
        if name not in lines or not all(text in lines for text in shown) or i18n.HOLE in lines:
            yield f"not in the sentences in {lang}"


def _coops_set(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """``coops set`` changes what it is asked to change, and keeps the rest of the co-op's terms."""
    if path[0:1] != ("coops",):
        return
    (terms,) = policy.coops
    (quota,) = terms.quotas
    wanted = {
        "--shares 2": structs.replace(terms, shares=2.0),
        f"--quota {quota.kind.value}=9/{quota.period.value}": structs.replace(
            terms, quotas=(structs.replace(quota, limit=9),)
        ),
        "--name Tournesol": structs.replace(terms, name="Tournesol"),
        "--language fr": structs.replace(terms, language="fr"),
        "--lend-part 0.5": structs.replace(terms, lend=structs.replace(terms.lend, part=0.5)),
        "--lend-wh 700": structs.replace(
            terms, lend=structs.replace(terms.lend, energy_wh_per_day=700)
        ),
    }
    for options, expected in wanted.items():
        if _run_coops_set(policy, options.split()).coops != (expected,):
            yield f"erased by coops set {options}"


def _run_coops_set(policy: Policy, options: list[str]) -> Policy:
    """Runs ``coops set`` against the Admin service of a pool with a policy; returns the new one."""
    pool = _PoolOfPolicy(policy)
    app = typer.Typer()
    coops_cli.register(app, "en")
    before, coops_cli.find_pool = coops_cli.find_pool, lambda *_: pool  # type: ignore[assignment]
    try:
        done = CliRunner().invoke(app, ["coops", "set", COOP, *options], catch_exceptions=False)
    finally:
        coops_cli.find_pool = before
    assert done.exit_code == 0, done.output
    return pool.policy


class _PoolOfPolicy:
    """A pool whose Admin service has a policy and a core, and nothing else."""

    def __init__(self, policy: Policy) -> None:
        core = Core()
        core.handle(e.PolicyChanged(1, builders.START, policy))
        self.policy = policy
        absent: Any = None
        self._service = AdminService(
            store=absent, registry=absent, identity=absent, catalogue=absent, membership=absent,
            node_listener=absent, on_keys_changed=absent, broadcast_revocation=absent,
            list_gateways=absent, list_models=absent, render_statement=absent,
            driver=SimpleNamespace(core=core),  # type: ignore[arg-type]
            policies=self,  # type: ignore[arg-type]
            access=self,  # type: ignore[arg-type]
        )  # fmt: skip
        self.changing = asyncio.Lock()

    def admin(self) -> Any:
        """Stands in for the client's connection to the service."""
        return nullcontext(self)

    def call(self, method: str, message: Any) -> Any:
        """Calls the service with the message as it arrives over the network."""
        arrived = type(message).FromString(message.SerializeToString())
        return asyncio.run(getattr(self._service, method)(arrived, None))

    async def check_signature(self, *_: Any, **__: Any) -> None:
        """Accepts who signs."""

    async def replace(self, policy: Policy, **_: Any) -> None:
        """Takes the new policy."""
        self.policy = policy


def _journal(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """The policy comes back from the journal and from a snapshot."""
    event = e.PolicyChanged(1, builders.START, policy)
    line = recording.RecordedEvent(msgspec.msgpack.encode(event), b"")
    if recording.event_of(line) != event:
        yield "not in the journal"
    core = Core()
    core.handle(event)
    if Core.restore(core.snapshot())._state.policy != policy:
        yield "not in the snapshot"
    if msgspec.json.decode(msgspec.json.encode(policy), type=Policy) != policy:
        yield "not in the store"


def _simulator(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """A scenario with the policy's keys, written and read again, has the same policy."""
    raw = decode_toml(write_document(policy))
    version, coops = raw.pop("version"), raw.pop("coops")
    for coop in coops:
        coop |= {"shown_name": coop.pop("name"), "name": coop.pop("coop")}
    scenario = Scenario(
        name=version, policy=raw, coops=msgspec.convert(coops, tuple[ScenarioCoop, ...])
    )
    if make_policy(scenario) != policy:
        yield "the simulated policy does not have it"
    if msgspec.convert(decode_toml(scenario_toml(scenario)), Scenario) != scenario:
        yield "the scenario's file does not have it"


def _replayed(policy: Policy, path: Path, name: str) -> Iterator[str]:
    """The scenario of a replay has the co-ops' whole terms."""
    scenario = Scenario(name=policy.version, coops=coops_of(policy))
    if make_policy(scenario).coops != policy.coops:
        yield "the replay's scenario does not have it"
