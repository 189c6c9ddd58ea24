"""The owner's files: pause, declared energy, and the status that the agent writes.

It decides how an owner speaks to a running agent: through files in the agent's own folder, read
once a second, so that nothing listens. A declaration that cannot be read counts as no surplus.
"""

import os
from pathlib import Path

import msgspec
import psutil
import structlog
from msgspec import Struct

from entraide.decoding import decode_json, decode_toml
from entraide.types import EnergyStatus
from entraide_node.config import EnergyConfig, SurplusDeclaration, find_declaration_problem
from entraide_node.energy.power_sampler import PowerStatus
from entraide_node.energy.site_meters import SiteStatus
from entraide_node.keys import write_private
from entraide_node.owner.policy_driver import OwnerStatus

PAUSE_NAME = "paused"
ENERGY_NAME = "energy.toml"
STATUS_NAME = "status.json"
STOPPED_NAME = "stopped.json"
STALE_S = 10.0
ENERGY_BYTES_MAX = 64 * 1024


class ModelStatus(Struct, frozen=True):
    """What the status says of a model.

    Attributes:
        model: public name.
        state: as ``core.model_manager`` names it; ``down`` or ``waiting`` beside that.
        runs: that it has now.
    """

    model: str
    state: str
    runs: int = 0


class NodeStatus(Struct, frozen=True, kw_only=True):
    """What a running agent says of itself, once a second.

    Attributes:
        node, coop, zone, pool: who and where it is.
        pid, started_at: its process; ``started_at`` by the process's own clock.
        state: stable code of the one sentence that tells why it works or not.
        values: the numbers and names in that sentence.
        written_at: when this was written.
        connected: whether it is on the bus.
        welcomed: whether the pool's scheduler knows it.
        running, slots: jobs it runs, of how many.
        model, engine: what it serves; the first where there are several.
        models: every model that is here or on its way.
        surplus_w: the site's surplus that it advertises.
        site: what the site's meters tell.
        power: what the machine's meters tell.
        reports: usage reports that the pool has not acknowledged.
        owner: what there is to say of the owner's terms.
        prefill_tokens_per_s, tpot_base_s, tpot_per_sequence_s: the first one's measured speed.
        pool_version: of the pool's Entraide; "" while it has not told.
        clock_offset_s: this machine's clock minus the pool's, seconds; None while not known.
    """

    node: str
    coop: str
    zone: str
    pool: str
    pid: int
    started_at: float
    state: str
    values: dict[str, str | int | float]
    written_at: float
    connected: bool = False
    welcomed: bool = False
    running: int = 0
    slots: int = 0
    model: str = ""
    engine: str = ""
    models: tuple[ModelStatus, ...] = ()
    surplus_w: float = 0.0
    site: SiteStatus = SiteStatus()
    power: PowerStatus = PowerStatus()
    reports: int = 0
    owner: OwnerStatus = OwnerStatus()
    prefill_tokens_per_s: float = 0.0
    tpot_base_s: float = 0.0
    tpot_per_sequence_s: float = 0.0
    pool_version: str = ""
    clock_offset_s: float | None = None


def is_paused(folder: Path) -> bool:
    """Whether the owner paused the node."""
    return (folder / PAUSE_NAME).exists()


def pause(folder: Path) -> None:
    """Asks the agent to take no more work; it sees it within a second, and after a restart."""
    write_private(folder / PAUSE_NAME, b"")


def resume(folder: Path) -> None:
    """Lets the agent work again."""
    (folder / PAUSE_NAME).unlink(missing_ok=True)


def write_status(folder: Path, status: NodeStatus) -> None:
    """Replaces the status at one stroke; what is lost in a power cut is not missed."""
    path = folder / STATUS_NAME
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(msgspec.json.encode(status))
    beside.replace(path)


def read_status(folder: Path, *, now: float) -> NodeStatus | None:
    """Returns the status of a running agent; None when none runs there."""
    try:
        status = decode_json((folder / STATUS_NAME).read_bytes(), type=NodeStatus)
        process = psutil.Process(status.pid)
        same = abs(process.create_time() - status.started_at) < 1
    except (OSError, msgspec.MsgspecError, psutil.Error):
        return None
    return status if same and now - status.written_at < STALE_S else None


class StopReason(Struct, frozen=True):
    """Why the last agent in this folder ended: a stable code and its values; "" when asked to."""

    code: str
    values: dict[str, str | int | float]


def write_stopped(folder: Path, stopped: StopReason) -> None:
    """Remembers why the agent ended, and takes its status away."""
    (folder / STATUS_NAME).unlink(missing_ok=True)
    write_private(folder / STOPPED_NAME, msgspec.json.encode(stopped))


def read_stopped(folder: Path) -> StopReason:
    """Returns why the last agent ended; as if asked to, when nothing is known."""
    try:
        return decode_json((folder / STOPPED_NAME).read_bytes(), type=StopReason)
    except (OSError, msgspec.MsgspecError):
        return StopReason("", {})


class DeclaredSurplus:
    """The site's declared surplus, renewed while the agent lives.

    A statement stays the same until half of its time is over, so that a heartbeat changes only
    when there is something to tell.
    """

    def __init__(self, folder: Path, configured: EnergyConfig | None) -> None:
        self._path = folder / ENERGY_NAME
        # Where meters are named and nothing is declared, there is nothing to fall back on.
        only_meters = configured is not None and configured.sources and not configured.surplus_w
        self._configured: SurplusDeclaration | None = None if only_meters else configured
        self._declared: SurplusDeclaration | None = None
        self._status: EnergyStatus | None = None
        self._problem = ""
        self._log = structlog.get_logger("entraide.node")

    def current_status(self, now: float) -> EnergyStatus | None:
        """Returns what to advertise at a moment; None when nothing is declared."""
        declared = self._read()
        if declared is None or (declared.until and now >= declared.until):
            self._declared = self._status = None
            return None
        old = self._status
        if old is None or declared != self._declared or now >= old.expires_at - declared.ttl_s / 2:
            ends_at = now + declared.ttl_s
            self._status = EnergyStatus(
                surplus_w=declared.surplus_w,
                basis=declared.basis,
                evidence=declared.evidence,
                measured_at=now,
                expires_at=min(ends_at, declared.until) if declared.until else ends_at,
            )
        self._declared = declared
        return self._status

    def _read(self) -> SurplusDeclaration | None:
        try:
            with self._path.open("rb") as file:
                raw = file.read(ENERGY_BYTES_MAX)
        except FileNotFoundError:
            self._problem = ""
            return self._configured
        except OSError as problem:
            self._log_unreadable(str(problem))
            return None
        try:
            declared = msgspec.convert(decode_toml(raw.decode("utf-8")), SurplusDeclaration)
        except (ValueError, msgspec.ValidationError) as problem:
            self._log_unreadable(str(problem))
            return None
        fault = find_declaration_problem(declared)
        if fault:
            self._log_unreadable(fault)
            return None
        self._problem = ""
        return declared

    def _log_unreadable(self, problem: str) -> None:
        if problem != self._problem:
            self._log.warning("node.energy_unreadable", file=str(self._path), problem=problem)
        self._problem = problem
