"""Options: what a request says to the pool itself, beside what it says to the engine.

It decides what the ``X-Entraide-*`` headers (and the same options over gRPC) may hold, and makes
the facts that the core sees. It never lets text into them: a session name and an idempotency key
become keyed hashes, a key per co-op, so that none can probe another's.
"""

import hashlib
import hmac
import itertools
import math
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from entraide.types import DataClass, JobClass, JobKind, RequestFacts
from entraide.units import UG_PER_G, round_half_up
from entraide_scheduler.gateway.openai import Ask
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.sizes import Sizes

DEADLINE_S_MAX = 31 * 86_400.0
CARBON_G_MAX = 1e9
NAME_MAX = 256
KEPT_PREFIX = "kept-"

Chosen = TypeVar("Chosen", bound=StrEnum)

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3}){0,2}")


class Caller(Struct, frozen=True):
    """Who asks: the API key's identifier, and whose it is."""

    key: str
    coop: str
    project: str


class Options(Struct, frozen=True):
    """What was asked of the pool; "" and None mean its defaults.

    Attributes:
        job_class, data_class, jurisdiction: see ``RequestFacts``.
        deadline_at: seconds since the epoch.
        max_gco2e: grams for this job.
        session, idempotency: as the client named them.
    """

    job_class: str = ""
    data_class: str = ""
    jurisdiction: str = ""
    deadline_at: float | None = None
    max_gco2e: float | None = None
    session: str = ""
    idempotency: str = ""


def from_headers(headers: Mapping[str, str], now: float) -> Options:
    """Reads the pool's own request headers.

    Raises:
        Refused: ``invalid_request`` or ``deadline_passed``.
    """
    deadline = headers.get("x-entraide-deadline", "")
    grams = headers.get("x-entraide-max-gco2e", "")
    return Options(
        job_class=headers.get("x-entraide-class", ""),
        data_class=headers.get("x-entraide-data-class", ""),
        jurisdiction=headers.get("x-entraide-jurisdiction", ""),
        deadline_at=_deadline(deadline, now) if deadline else None,
        max_gco2e=_number("X-Entraide-Max-Gco2e", grams) if grams else None,
        session=headers.get("x-entraide-session", ""),
        idempotency=headers.get("idempotency-key", ""),
    )


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= CARBON_G_MAX:
        raise refused("invalid_request", param=name, detail=f"{name} ≥ 0")
    return value


def _deadline(text: str, now: float) -> float:
    """Seconds from now, or a moment in ISO 8601 (UTC where it names no zone)."""
    try:
        return now + float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        detail = "X-Entraide-Deadline: s | ISO 8601"
        raise refused("invalid_request", param="X-Entraide-Deadline", detail=detail) from problem
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class JobNames:
    """Makes job identifiers, ``job-…`` or ``kept-…``; later ones sort after earlier ones.

    Each is the time in milliseconds, what is drawn once for this run of the gateway, and a count.
    They are unique, not secret: who may see a job is decided by its co-op.
    """

    def __init__(self) -> None:
        self._boot = secrets.token_hex(5)
        self._count = itertools.count()

    def new(self, kind: JobKind, now: float) -> str:
        """Returns the next one."""
        prefix = KEPT_PREFIX if kind is JobKind.KEPT else "job-"
        return f"{prefix}{int(now * 1_000):012x}{self._boot}{next(self._count):08x}"


def named_at(job: str) -> float:
    """Returns when a name was made, seconds since the epoch; 0 for a name that is not ours.

    >>> named_at(JobNames().new(JobKind.LIVE, 1_795_612_841.25)), named_at("job-x")
    (1795612841.25, 0.0)
    """
    try:
        return int(job.partition("-")[2][:12], 16) / 1_000
    except ValueError:
        return 0.0


class FactsMaker:
    """Makes the facts of a request, with this gateway's name and the pool's defaults."""

    def __init__(
        self, *, gateway: str, kept_gateway: str, jurisdiction: str, secret: bytes, sizes: Sizes
    ) -> None:
        self._gateways = {JobKind.LIVE: gateway, JobKind.KEPT: kept_gateway}
        self._jurisdiction = jurisdiction
        self._secret = secret
        self._sizes = sizes
        self._names = JobNames()

    def veiled(self, coop: str, text: str) -> str:
        """Returns a keyed hash of a client's text, or "" for none."""
        if not text:
            return ""
        key = hmac.digest(self._secret, coop.encode(), "sha256")
        return hashlib.blake2b(text.encode(), digest_size=12, key=key).hexdigest()

    def facts(self, ask: Ask, caller: Caller, options: Options, kind: JobKind) -> RequestFacts:
        """Returns all that the core learns.

        Raises:
            Refused: an option is not one of its values, or the deadline has passed.
        """
        now = time.time()
        if options.deadline_at is not None and not now < options.deadline_at < now + DEADLINE_S_MAX:
            if options.deadline_at <= now:
                raise refused("deadline_passed", param="X-Entraide-Deadline")
            detail = f"X-Entraide-Deadline ≤ {DEADLINE_S_MAX:.0f} s"
            raise refused("invalid_request", param="X-Entraide-Deadline", detail=detail)
        if len(options.session) > NAME_MAX or len(options.idempotency) > NAME_MAX:
            detail = f"|X-Entraide-Session|, |Idempotency-Key| ≤ {NAME_MAX}"
            raise refused("invalid_request", detail=detail)
        if options.jurisdiction and not _JURISDICTION.fullmatch(options.jurisdiction):
            detail = "X-Entraide-Jurisdiction: CA, CA-QC, …"
            raise refused("invalid_request", param="X-Entraide-Jurisdiction", detail=detail)
        grams = options.max_gco2e
        return RequestFacts(
            job=self._names.new(kind, now),
            coop=caller.coop,
            project=caller.project,
            key=caller.key,
            gateway=self._gateways[kind],
            kind=kind,
            job_class=_choice("X-Entraide-Class", JobClass, options.job_class, "interactive"),
            data_class=_choice("X-Entraide-Data-Class", DataClass, options.data_class, "internal"),
            jurisdiction=options.jurisdiction or self._jurisdiction,
            model=ask.model,
            input_tokens_est=self._sizes.input_tokens_est(ask),
            input_tokens_max=ask.input_tokens_max,
            output_tokens_max=ask.output_tokens_max,
            choices=ask.choices,
            features=ask.features,
            stream=ask.stream and kind is JobKind.LIVE,
            session=self.veiled(caller.coop, options.session),
            deadline_at=options.deadline_at,
            max_carbon_ug=None if grams is None else round_half_up(grams * UG_PER_G),
            idempotency=self.veiled(caller.coop, options.idempotency),
        )


def _choice(name: str, kind: type[Chosen], text: str, default: str) -> Chosen:
    try:
        return kind(text or default)
    except ValueError as problem:
        detail = f"{name} ∈ {{{', '.join(kind)}}}"
        raise refused("invalid_request", param=name, detail=detail) from problem
