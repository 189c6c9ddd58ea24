"""Announcer: what a node tells the pool and its owner about itself.

Input: the state of engines, runs, meters and owner policy. Output: a hello with the node's card
until the pool answers and whenever the card changes; heartbeats in between, at once if the reason
or the surplus changes or a first run gives text or lasts; and the status file. An engine that does
not respond is not on the card. While there are runs, heartbeats list them and come more often, if
the pool reads that.
"""

import os
import secrets
import time
from pathlib import Path

import msgspec
import psutil
import structlog

import entraide
from entraide.lent_terms import LentTerms
from entraide.types import Basis, EnergyStatus, Lending, NodeCard, Rates, Replica, Sandbox
from entraide.wire.messages import PREFIX_HELD_MAX, PROTOCOL, Heartbeat, Hello, Welcome
from entraide_node.bus import NodeBus
from entraide_node.config import NodeConfig
from entraide_node.core.owner_policy import LendingLimits
from entraide_node.energy.power_sampler import PowerSampler
from entraide_node.energy.site_meters import SiteMeters
from entraide_node.engines.sandbox import kind_sandbox, weakest_sandbox
from entraide_node.model_manager.engine_manager import EngineManager
from entraide_node.owner import files as owner_files
from entraide_node.report_outbox import ReportOutbox
from entraide_node.run_manager import RunManager

HEARTBEAT_MIN_S, HEARTBEAT_MAX_S = 0.1, 60.0
HELD_AGAIN_S = 60.0  # what the engines hold is told again, since a heartbeat may be lost
# The replica of a node without a model.
NO_REPLICA = Replica("", "", "", 0, 0, (), Rates(0.0, 0.0, 0.0, Basis.DEFAULT))


class Announcer:
    """The announcements of one agent."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        bus: NodeBus,
        engines: EngineManager,
        runs: RunManager,
        power: PowerSampler,
        site: SiteMeters,
        reports: ReportOutbox,
    ) -> None:
        """Sends nothing yet; the arguments are the sources of the announcements, and the bus."""
        self._config = config
        self._folder = Path(config.dir)
        self._bus = bus
        self._engines = engines
        self._runs = runs
        self._power_sampler = power
        self._site_meters = site
        self._reports = reports
        self._declaration = owner_files.DeclaredSurplus(self._folder, config.energy)
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)
        self._boot = secrets.token_hex(8)
        self._seq = 0
        self._started_at = psutil.Process().create_time()
        self._hello: Hello | None = None
        self._must_say_hello = True  # a hello must be sent
        self._last_announced: tuple[str, EnergyStatus | None, Lending] = ("", None, Lending.ALL)
        self._pool_version = ""
        self._zone: str | None = None  # by the pool's record
        self._clock_offset_s: float | None = None
        self._lists_runs = False  # the last heartbeat listed runs
        self._told_held: tuple[str, ...] = ()  # of earlier prompts, since the last hello
        self._told_held_s = 0.0
        self.heartbeat_s = 1.0
        self.busy_heartbeat_s = 1.0
        self.is_welcomed = False  # the pool answered the hello
        self.is_refused = False  # the bus refuses its identity
        self.is_unapproved = False  # the operator has not approved it yet
        self.rtt_s = 0.0
        self.status: owner_files.NodeStatus | None = None  # as last written

    # Messages of the pool.

    def reset(self, *, refused: bool = False) -> None:
        """Sends the hello again, because the pool does not know this node (any more)."""
        self.is_refused = refused
        self.is_welcomed, self._must_say_hello, self._lists_runs = False, True, False

    def note_pending_approval(self) -> None:
        """Remembers, and logs once, that the operator has not approved the node yet."""
        if not self.is_unapproved:
            self._log.warning("node.unapproved")
        self.is_unapproved = True

    def accept_welcome(self, message: Welcome) -> tuple[tuple[str, int], ...]:
        """Handles the pool's answer to a hello; returns the runs that the node must stop."""
        self.is_welcomed, self.is_unapproved = True, False
        self._zone = message.zone
        self._pool_version = message.pool_version
        self._clock_offset_s = round(time.time() - message.sent_at, 3)
        self.heartbeat_s = min(HEARTBEAT_MAX_S, max(HEARTBEAT_MIN_S, message.heartbeat_s))
        busy_s = max(HEARTBEAT_MIN_S, message.busy_heartbeat_s)
        self.busy_heartbeat_s = min(self.heartbeat_s, busy_s)
        # Only runs of the hello: a run that started since is not in the answer.
        announced_runs = self._hello.running if self._hello is not None else ()
        return tuple(run for run in announced_runs if run not in message.keep)

    # Announcements.

    @property
    def period_s(self) -> float:
        """Seconds between two heartbeats now.

        The short period lasts until a heartbeat has told the pool that no run is left.
        """
        is_busy = self._lists_runs or bool(self._runs.active_runs())
        return self.busy_heartbeat_s if is_busy else self.heartbeat_s

    @property
    def must_list_runs(self) -> bool:
        """Whether runs have begun since a heartbeat that listed none."""
        return not self._lists_runs and bool(self._runs.active_runs())

    def announce(
        self,
        reason: str,
        limits: LendingLimits,
        *,
        models_bytes: int,
        terms: LentTerms | None,
        due: bool,
    ) -> bool:
        """Sends a hello or a heartbeat if one is due; returns whether it sent one.

        Args:
            reason: why the node accepts no work, or "".
            limits: how much of the machine its owner lends now.
            models_bytes: memory for models that the pool loads.
            terms: the owner's hours and caps; None if the owner does not tell them.
            due: whether the heartbeat period has passed.
        """
        card = msgspec.structs.replace(self._card(limits, models_bytes), terms=terms)
        energy = self.energy_status(time.time())
        announced = reason, energy, limits.lending
        is_known = self._hello is not None and self._hello.card == card and not self._must_say_hello
        if not is_known or (due and not self.is_welcomed):
            hello = Hello(
                card=card,
                boot=self._boot,
                seq=self._next_sequence_number(),
                sent_at=time.time(),
                accepting=not reason,
                reason=reason,
                running=self._open_runs(),
                protocol=PROTOCOL,
                lending=limits.lending,
            )
            self._hello, self._must_say_hello, self._told_held = hello, False, ()
            with_energy = msgspec.structs.replace(card, energy=energy)
            self._bus.send_to_scheduler(msgspec.structs.replace(hello, card=with_energy))
        elif self.is_welcomed and (due or self.must_list_runs or self._last_announced != announced):
            runs = self._runs.describe_runs()
            beat = Heartbeat(
                boot=self._boot,
                seq=self._next_sequence_number(),
                sent_at=time.time(),
                accepting=not reason,
                reason=reason,
                running=len(self._runs.active_runs()),
                energy=energy,
                lending=limits.lending,
                runs=runs,
                prefix_held=self._changed_held(),
            )
            self._lists_runs = bool(runs)
            self._bus.send_to_scheduler(beat)
        else:
            return False
        self._last_announced = announced
        return True

    def _changed_held(self) -> tuple[str, ...] | None:
        """What the engines hold of earlier prompts, if the pool may not know it."""
        held, now_s = self._engines.held_prefixes().jobs[:PREFIX_HELD_MAX], time.monotonic()
        if held == self._told_held and (not held or now_s - self._told_held_s < HELD_AGAIN_S):
            return None
        self._told_held, self._told_held_s = held, now_s
        return held

    def _open_runs(self) -> tuple[tuple[str, int], ...]:
        """Returns the current runs, and the runs whose reports are not acknowledged."""
        reported = ((report.job, report.epoch) for report in self._reports.pending())
        return tuple(dict.fromkeys((*self._runs.active_runs(), *reported)))

    def _next_sequence_number(self) -> int:
        self._seq += 1
        return self._seq

    def _card(self, limits: LendingLimits, models_bytes: int) -> NodeCard:
        """The node's card; its energy, which changes often, is added when it is sent."""
        return NodeCard(
            # Site and zone are the pool's record's, which may have changed since the joining.
            node=self._config.node, coop=self._config.coop, site="", zone="",
            power=self._power_sampler.power(),
            replicas=tuple(_limit_slots(replica, limits) for replica in self._engines.replicas()),
            data_classes=tuple(
                data_class
                for data_class in self._config.data_classes
                if data_class in limits.data_classes
            ),
            energy=None, rtt_s=self.rtt_s, agent=entraide.__version__,
            loadable=self._engines.loadable_models(), loading=self._engines.loading_models(),
            models_bytes=models_bytes, sandbox=self._sandbox(),
        )  # fmt: skip

    def _sandbox(self) -> Sandbox:
        """The weakest sandbox of the engines that serve, and of those that could be loaded."""
        wanted = self._config.models.sandbox
        kinds = {offer.engine for offer in self._engines.loadable_models()}
        loadable = (kind_sandbox(kind, wanted=wanted) for kind in sorted(kinds))
        return weakest_sandbox((*self._engines.sandboxes(), *loadable))

    def energy_status(self, now: float) -> EnergyStatus | None:
        """Returns the site's surplus: measured, else declared."""
        return self._site_meters.current_status(now) or self._declaration.current_status(now)

    def _model_status(self, model: str, state: str, runs: int) -> owner_files.ModelStatus:
        failure = self._engines.find_failure(model)
        code, values = ("", {}) if failure is None else (failure.code, failure.values)
        return owner_files.ModelStatus(model, state, runs, code, values)

    def write_status(self, state: str, owner: owner_files.OwnerStatus) -> None:
        """Writes the status file that the owner's commands read.

        Args:
            state: stable code of the sentence that says why the node works or not.
            owner: status of the owner's terms.
        """
        energy, replicas = self.energy_status(time.time()), self._engines.replicas()
        first, running = (replicas or (NO_REPLICA,))[0], len(self._runs.active_runs())
        lent = self._hello.card.replicas if self._hello is not None else replicas
        status = self.status = owner_files.NodeStatus(
            node=self._config.node,
            coop=self._config.coop,
            zone=self._config.zone if self._zone is None else self._zone,
            zone_missing=self._zone == "",
            pool=self._config.pool,
            pid=os.getpid(),
            started_at=self._started_at,
            state=state,
            values={"running": running, "model": first.model, **owner.values},
            owner=owner,
            connected=self._bus.is_up,
            welcomed=self.is_welcomed,
            running=running,
            slots=sum(replica.slots for replica in lent),
            model=first.model,
            engine=first.engine,
            models=tuple(self._model_status(*each) for each in self._engines.model_states()),
            surplus_w=energy.surplus_w if energy is not None else 0.0,
            site=self._site_meters.status(),
            power=self._power_sampler.status(),
            reports=len(self._reports),
            prefill_tokens_per_s=first.rates.prefill_tokens_per_s,
            tpot_base_s=first.rates.tpot_base_s,
            tpot_per_sequence_s=first.rates.tpot_per_sequence_s,
            version=entraide.__version__,
            pool_version=self._pool_version,
            clock_offset_s=self._clock_offset_s,
            written_at=time.time(),
        )
        try:
            owner_files.write_status(self._folder, status)
        except OSError as problem:  # a full disk must not stop the node
            self._log.warning("node.status_write_failed", problem=str(problem))


def _limit_slots(replica: Replica, limits: LendingLimits) -> Replica:
    """A replica with no more slots than the owner lends."""
    if limits.slots is None or limits.slots >= replica.slots:
        return replica
    return msgspec.structs.replace(replica, slots=max(1, limits.slots))
