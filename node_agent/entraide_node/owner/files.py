"""Owner files: pause, declared surplus, and the status that the agent writes.

The owner's commands communicate with a running agent through these files in the agent's folder,
which the agent reads once a second; nothing listens. An unreadable declaration counts as no
surplus.
"""

from pathlib import Path

import msgspec
import psutil
import structlog
from msgspec import Struct

from entraide.decoding import decode_json, decode_toml
from entraide.files import write_atomically, write_private
from entraide.types import EnergyStatus
from entraide_node.config import EnergyConfig, SurplusDeclaration, find_declaration_fault
from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.energy.power_sampler import PowerStatus
from entraide_node.energy.site_meters import SiteStatus

PAUSE_NAME = "paused"
ENERGY_NAME = "energy.toml"
STATUS_NAME = "status.json"
STOPPED_NAME = "stopped.json"
STALE_S = 10.0
ENERGY_BYTES_MAX = 64 * 1024


class ModelStatus(Struct, frozen=True):
    """A model's status.

    Attributes:
        model: public name.
        state: as in ``core.model_manager``; also ``down`` or ``waiting``.
        runs: number of current runs.
        code, values: why it could not be loaded; "" if it could, or the reason is not known.
    """

    model: str
    state: str
    runs: int = 0
    code: str = ""
    values: dict[str, str | int | float] = {}


class OwnerStatus(Struct, frozen=True, kw_only=True):
    """The status of the owner's terms.

    Attributes:
        number, code, values: why the machine accepts no work; 0 and "" if it does.
        state: see ``core.owner_policy.LendingState``; "" before the first evaluation.
        since_at: since when that code applies, seconds since the epoch.
        until_at: when work starts again if no rule becomes effective; None if unknown.
        give_back_s: how long a run may continue after a rule became effective.
        own_only: whether only jobs of its own co-op are accepted.
        how: source of idle detection, or "".
        watching: whether a program keeps the screen on.
        file_code, file_values: fault of the owner's file; "" without one.
        terms: that apply; None before the first evaluation.
        terms_ns: time of the last change of the owner's file that the agent has read, nanoseconds;
            0 without a file.
    """

    number: int = 0
    code: str = ""
    values: dict[str, str | int | float] = {}
    state: str = ""
    since_at: float = 0.0
    until_at: float | None = None
    give_back_s: float = 0.0
    own_only: bool = False
    how: str = ""
    watching: bool = False
    file_code: str = ""
    file_values: dict[str, str | int | float] = {}
    terms: OwnerTerms | None = None
    terms_ns: int = 0


class NodeStatus(Struct, frozen=True, kw_only=True):
    """The status of a running agent, written once a second.

    Attributes:
        node, coop, zone, pool: identity and location.
        version: of Entraide that the agent runs; "" of an earlier agent.
        pid, started_at: its process, and the process's start time.
        state: stable code of the sentence that says why the node works or not.
        values: numbers and names in that sentence.
        written_at: time of writing.
        connected: whether it is connected to the bus.
        welcomed: whether the pool answered its hello.
        running, slots: current runs, and concurrent runs that its owner's terms allow.
        model, engine: the first replica.
        models: all models that are loaded or being loaded.
        surplus_w: the advertised surplus of the site.
        site: status of the site's meters.
        power: status of the machine's meters.
        reports: number of unacknowledged usage reports.
        owner: status of the owner's terms.
        prefill_tokens_per_s, tpot_base_s, tpot_per_sequence_s: rates of the first replica.
        pool_version: the pool's version of Entraide; "" while unknown.
        clock_offset_s: this machine's clock minus the pool's, seconds; None while unknown.
        zone_missing: whether the pool's record names no zone, so that no request may run here.
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
    zone_missing: bool = False
    version: str = ""


def is_paused(folder: Path) -> bool:
    """Whether the owner paused the node."""
    return (folder / PAUSE_NAME).exists()


def pause(folder: Path) -> None:
    """Asks the agent to accept no more work; it stays paused after a restart."""
    write_private(folder / PAUSE_NAME, b"")


def resume(folder: Path) -> None:
    """Lets the agent accept work again."""
    (folder / PAUSE_NAME).unlink(missing_ok=True)


def write_status(folder: Path, status: NodeStatus) -> None:
    """Replaces the status atomically, without fsync."""
    write_atomically(folder / STATUS_NAME, msgspec.json.encode(status))


def read_status(folder: Path, *, now: float) -> NodeStatus | None:
    """Returns the status of a running agent; None if none runs in this folder."""
    try:
        status = decode_json((folder / STATUS_NAME).read_bytes(), type=NodeStatus)
        process = psutil.Process(status.pid)
        same = abs(process.create_time() - status.started_at) < 1
    except (OSError, msgspec.MsgspecError, psutil.Error):
        return None
    return status if same and now - status.written_at < STALE_S else None


class StopReason(Struct, frozen=True):
    """Why the last agent ended: a stable code and its values; "" if it was asked to end."""

    code: str
    values: dict[str, str | int | float]


def write_stopped(folder: Path, stopped: StopReason) -> None:
    """Stores why the agent ended, and removes its status."""
    (folder / STATUS_NAME).unlink(missing_ok=True)
    write_private(folder / STOPPED_NAME, msgspec.json.encode(stopped))


def read_stopped(folder: Path) -> StopReason:
    """Returns why the last agent ended; an empty code if unknown."""
    try:
        return decode_json((folder / STOPPED_NAME).read_bytes(), type=StopReason)
    except (OSError, msgspec.MsgspecError):
        return StopReason("", {})


class DeclaredSurplus:
    """The declared surplus of the site, renewed while the agent runs.

    A statement stays the same until half of its validity has passed, so that heartbeats do not
    change needlessly.
    """

    def __init__(self, folder: Path, configured: EnergyConfig | None) -> None:
        self._path = folder / ENERGY_NAME
        # With meters and without a declared surplus, there is no declaration to fall back on.
        only_meters = configured is not None and configured.sources and not configured.surplus_w
        self._configured: SurplusDeclaration | None = None if only_meters else configured
        self._declared: SurplusDeclaration | None = None
        self._status: EnergyStatus | None = None
        self._problem = ""
        self._log = structlog.get_logger("entraide.node")

    def current_status(self, now: float) -> EnergyStatus | None:
        """Returns what to advertise at a time; None without a declaration."""
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
        fault = find_declaration_fault(declared)
        if fault is not None:
            self._log_unreadable(f"{fault.key}: {fault.fault} {fault.value}")
            return None
        self._problem = ""
        return declared

    def _log_unreadable(self, problem: str) -> None:
        if problem != self._problem:
            self._log.warning("node.declaration_unreadable", file=str(self._path), problem=problem)
        self._problem = problem
