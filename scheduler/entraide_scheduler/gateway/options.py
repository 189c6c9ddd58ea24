"""Options: the pool's own request options, and the facts of a request for the core.

In: ``X-Entraide-*`` headers, or the same options over gRPC, checked against one set of bounds. Out:
``RequestFacts``, which contain no text of the client. Session names and idempotency keys become
keyed hashes with one key per co-op, so that a co-op cannot probe the values of another.
"""

import hashlib
import hmac
import itertools
import math
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from msgspec import Struct, structs

from entraide.types import Control, DataClass, JobClass, JobKind, RequestFacts
from entraide.units import UG_PER_G, round_half_up
from entraide_scheduler.gateway.field_faults import show_value
from entraide_scheduler.gateway.fields import JURISDICTION, PoolFields
from entraide_scheduler.gateway.openai import ParsedRequest
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.token_estimator import TokenEstimator

DEADLINE_DAYS_MAX = 31
DEADLINE_S_MAX = DEADLINE_DAYS_MAX * 86_400.0
CARBON_G_MAX = 1e9
NAME_MAX = 256
KEPT_PREFIX = "kept-"

# Names of the options by protocol.
HTTP_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "job_class": "X-Entraide-Class",
        "data_class": "X-Entraide-Data-Class",
        "jurisdiction": "X-Entraide-Jurisdiction",
        "controlled_by": "X-Entraide-Controlled-By",
        "deadline": "X-Entraide-Deadline",
        "max_gco2e": "X-Entraide-Max-Gco2e",
        "session": "X-Entraide-Session",
        "idempotency": "Idempotency-Key",
        "keep_s": "keep_s",
    }
)
GRPC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "job_class": "options.job_class",
        "data_class": "options.data_class",
        "jurisdiction": "options.jurisdiction",
        "controlled_by": "options.controlled_by",
        "deadline": "options.deadline_s",
        "max_gco2e": "options.max_gco2e",
        "session": "options.session",
        "idempotency": "options.idempotency_key",
        "keep_s": "keep_s",
    }
)

_JURISDICTION = re.compile(JURISDICTION)
_CONTROLS = tuple(filter(None, Control))  # what a request may say


class Caller(Struct, frozen=True):
    """The caller: identifier of the API key, its co-op and project."""

    key: str
    coop: str
    project: str


class Options(Struct, frozen=True):
    """Options of a request, unchecked; "" and None mean the defaults.

    Attributes:
        job_class, data_class, jurisdiction, controlled_by: see ``RequestFacts``.
        deadline_at: seconds since the epoch.
        max_gco2e: maximum emissions of the job, grams.
        session, idempotency: the client's own names.
        names: names of the options in the client's protocol.
    """

    job_class: str = ""
    data_class: str = ""
    jurisdiction: str = ""
    controlled_by: str = ""
    deadline_at: float | None = None
    max_gco2e: float | None = None
    session: str = ""
    idempotency: str = ""
    names: Mapping[str, str] = HTTP_NAMES

    @property
    def idempotency_name(self) -> str:
        """Name of the idempotency key, without the message that holds it."""
        return self.names["idempotency"].rpartition(".")[2]


class Submission(Struct, frozen=True):
    """A request for a job, as a protocol's codec read it.

    Attributes:
        path: one of ``openai.PATHS``.
        body: the JSON body that the request has over HTTP.
        options: options of the request.
        keep_s: of a kept job: how long its result is retained, seconds; 0 for the default.
        began_at: start of the request, on the monotonic clock, seconds.
    """

    path: str
    body: bytes
    options: Options
    keep_s: float = 0.0
    began_at: float = 0.0


def options_from_headers(headers: Mapping[str, str], now: float) -> Options:
    """Reads the pool's own request headers; ``check_options`` checks their values."""
    deadline = headers.get("x-entraide-deadline", "")
    grams = headers.get("x-entraide-max-gco2e", "")
    return Options(
        job_class=headers.get("x-entraide-class", ""),
        data_class=headers.get("x-entraide-data-class", ""),
        jurisdiction=headers.get("x-entraide-jurisdiction", ""),
        controlled_by=headers.get("x-entraide-controlled-by", ""),
        deadline_at=_deadline(deadline, now) if deadline else None,
        max_gco2e=_number(grams) if grams else None,
        session=headers.get("x-entraide-session", ""),
        idempotency=headers.get("idempotency-key", ""),
    )


def check_options(options: Options, now: float) -> None:
    """Checks the options.

    Raises:
        Refused: ``invalid_request`` with the option's name, or ``deadline_passed``.
    """
    names = options.names
    _check_word(names["job_class"], JobClass, options.job_class)
    _check_word(names["data_class"], DataClass, options.data_class)
    _check_word(names["controlled_by"], _CONTROLS, options.controlled_by)
    if options.jurisdiction and not _JURISDICTION.fullmatch(options.jurisdiction):
        raise refused(
            "invalid_request", param=names["jurisdiction"], fault="wrong_form", form="CA, CA-QC",
            found=show_value(options.jurisdiction),
        )  # fmt: skip
    deadline, name = options.deadline_at, names["deadline"]
    if deadline is not None:
        if not math.isfinite(deadline):
            raise refused("invalid_request", param=name, fault="deadline_form")
        if deadline <= now:
            raise refused("deadline_passed", param=name)
        if deadline > now + DEADLINE_S_MAX:
            raise refused(
                "invalid_request", param=name, fault="deadline_far", days=DEADLINE_DAYS_MAX
            )
    grams = options.max_gco2e
    if grams is not None and not 0.0 <= grams <= CARBON_G_MAX:
        raise refused(
            "invalid_request", param=names["max_gco2e"], fault="between", low=0,
            high=round(CARBON_G_MAX), found=show_value(grams),
        )  # fmt: skip
    for field, text in (("session", options.session), ("idempotency", options.idempotency)):
        if len(text) > NAME_MAX:
            raise refused("invalid_request", param=names[field], fault="too_long", limit=NAME_MAX)


def with_body_options(options: Options, fields: PoolFields) -> Options:
    """Returns the options with those that stand in the body.

    Raises:
        Refused: ``invalid_request``: the body contradicts another option of the request.
    """
    stated = {name: value for name, value in structs.asdict(fields).items() if value is not None}
    for name, value in stated.items():
        if getattr(options, name) not in ("", value):
            raise refused(
                "invalid_request", param=f"entraide.{name}", fault="differs",
                other=options.names[name],
            )  # fmt: skip
    return structs.replace(options, **stated)


def _check_word(name: str, words: Iterable[str], text: str) -> None:
    choices = list(words)
    if text and text not in choices:
        raise refused(
            "invalid_request", param=name, fault="not_one_of", choices=", ".join(choices),
            found=show_value(text),
        )  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _deadline(text: str, now: float) -> float:
    """Returns a deadline given in seconds from now or in ISO 8601 (UTC without a zone)."""
    try:
        return now + float(text)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


JOB_ID = re.compile(r"(job|kept)-[0-9a-f]{8,64}")


def is_job_id(text: str) -> bool:
    r"""Whether a text has the form of a job identifier, and is safe in a header.

    >>> job = JobIdGenerator().next_id(JobKind.LIVE, 1_795_612_841.25)
    >>> is_job_id(job), is_job_id("job-x\r\n")
    (True, False)
    """
    return JOB_ID.fullmatch(text) is not None


class JobIdGenerator:
    """Generates job identifiers, ``job-…`` or ``kept-…``, that sort by time.

    An identifier has the time in milliseconds, a random number of this process, and a counter. It
    is unique but not secret: access to a job depends on its co-op.
    """

    def __init__(self) -> None:
        self._boot = secrets.token_hex(5)
        self._count = itertools.count()

    def next_id(self, kind: JobKind, now: float) -> str:
        """Returns the next identifier."""
        prefix = KEPT_PREFIX if kind is JobKind.KEPT else "job-"
        return f"{prefix}{int(now * 1_000):012x}{self._boot}{next(self._count):08x}"


def parse_creation_time(job: str) -> float:
    """Returns the creation time in a job identifier, seconds since the epoch; 0 if malformed.

    >>> job = JobIdGenerator().next_id(JobKind.LIVE, 1_795_612_841.25)
    >>> parse_creation_time(job), parse_creation_time("job-x")
    (1795612841.25, 0.0)
    """
    try:
        return int(job.partition("-")[2][:12], 16) / 1_000
    except ValueError:
        return 0.0


class FactsBuilder:
    """Builds the facts of requests, with this gateway's name and the pool's defaults."""

    def __init__(
        self,
        *,
        gateway: str,
        kept_gateway: str,
        jurisdiction: str,
        secret: bytes,
        token_estimator: TokenEstimator,
    ) -> None:
        self._gateways = {JobKind.LIVE: gateway, JobKind.KEPT: kept_gateway}
        self._jurisdiction = jurisdiction
        self._secret = secret
        self._token_estimator = token_estimator
        self._ids = JobIdGenerator()

    def hash_text(self, coop: str, text: str) -> str:
        """Returns a keyed hash of a client's text, or "" for none."""
        if not text:
            return ""
        key = hmac.digest(self._secret, coop.encode(), "sha256")
        return hashlib.blake2b(text.encode(), digest_size=12, key=key).hexdigest()

    def build_facts(
        self, parsed: ParsedRequest, caller: Caller, options: Options, kind: JobKind
    ) -> RequestFacts:
        """Returns the facts of a request for the core.

        Raises:
            Refused: an option is invalid or contradicted, or the deadline has passed.
        """
        now = time.time()
        options = with_body_options(options, parsed.pool_fields)
        check_options(options, now)
        grams = options.max_gco2e
        return RequestFacts(
            job=self._ids.next_id(kind, now),
            coop=caller.coop,
            project=caller.project,
            key=caller.key,
            gateway=self._gateways[kind],
            kind=kind,
            job_class=JobClass(options.job_class or JobClass.INTERACTIVE),
            data_class=DataClass(options.data_class or DataClass.INTERNAL),
            jurisdiction=options.jurisdiction or self._jurisdiction,
            model=parsed.model,
            input_tokens_est=self._token_estimator.estimate_input_tokens(parsed),
            input_tokens_max=parsed.input_tokens_max,
            output_tokens_max=parsed.output_tokens_max,
            choices=parsed.choices,
            features=parsed.features,
            stream=parsed.stream and kind is JobKind.LIVE,
            session=self.hash_text(caller.coop, options.session),
            deadline_at=options.deadline_at,
            max_carbon_ug=None if grams is None else round_half_up(grams * UG_PER_G),
            idempotency=self.hash_text(caller.coop, options.idempotency),
            controlled_by=Control(options.controlled_by),
        )
