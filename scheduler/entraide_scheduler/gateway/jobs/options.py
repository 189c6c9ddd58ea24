"""Options: the pool's own request options, from ``X-Entraide-*`` headers or the same over gRPC.

One set of bounds holds for both. ``JobIdGenerator`` makes the identifiers of jobs.
"""

import itertools
import math
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

from entraide.models import EVALUATED_LANGUAGES, REQUIRED_CLASSES
from entraide.types import Control, DataClass, JobClass, JobKind, Task
from entraide_scheduler.gateway.chat import (
    CARBON_G_MAX,
    DEADLINE_MAX_CHARS,
    JURISDICTION,
    MAX_WAIT_S_MAX,
    MAX_WAIT_S_MIN,
    NAME_MAX,
    RECONNECT_S_MAX,
    PoolFields,
)
from entraide_scheduler.gateway.refusals import clean_text, refused, show_value
from entraide_scheduler.store.owners import person_of

DEADLINE_DAYS_MAX = 31
DEADLINE_S_MAX = DEADLINE_DAYS_MAX * 86_400.0
KEPT_PREFIX = "kept-"
PREFIX_OFF = "off"  # nothing that an engine reads of the request is kept or found again


class OptionSpec(Struct, frozen=True):
    """Names of one option by protocol.

    Attributes:
        name: field of ``Options``; in the body's ``entraide`` object, the field of ``PoolFields``.
        header: name of the HTTP header.
        keyword: field of gRPC's ``JobOptions``, and keyword of the Python clients.
    """

    name: str
    header: str
    keyword: str


# The one table of the pool's own options.
OPTIONS = (
    OptionSpec("job_class", "X-Entraide-Class", "job_class"),
    OptionSpec("data_class", "X-Entraide-Data-Class", "data_class"),
    OptionSpec("jurisdiction", "X-Entraide-Jurisdiction", "jurisdiction"),
    OptionSpec("controlled_by", "X-Entraide-Controlled-By", "controlled_by"),
    OptionSpec("deadline", "X-Entraide-Deadline", "deadline_s"),
    OptionSpec("max_gco2e", "X-Entraide-Max-Gco2e", "max_gco2e"),
    OptionSpec("session", "X-Entraide-Session", "session"),
    OptionSpec("explain", "X-Entraide-Explain", "explain"),
    OptionSpec("resume_events", "X-Entraide-Resume-Events", "resume_events"),
    OptionSpec("reconnect_s", "X-Entraide-Reconnect", "reconnect_s"),
    OptionSpec("waiting_events", "X-Entraide-Waiting-Events", "waiting_events"),
    OptionSpec("max_wait_s", "X-Entraide-Max-Wait", "max_wait_s"),
    OptionSpec("task", "X-Entraide-Task", "task"),
    OptionSpec("language", "X-Entraide-Language", "language"),
    OptionSpec("openness", "X-Entraide-Openness", "openness"),
    OptionSpec("prefix", "X-Entraide-Prefix", "prefix"),
    OptionSpec("idempotency", "Idempotency-Key", "idempotency_key"),
)
HTTP_NAMES: Mapping[str, str] = MappingProxyType(
    {"keep_s": "keep_s", **{option.name: option.header for option in OPTIONS}}
)
GRPC_NAMES: Mapping[str, str] = MappingProxyType(
    {"keep_s": "keep_s", **{option.name: f"options.{option.keyword}" for option in OPTIONS}}
)
BOOLEANS: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
_NAMES_BY_HEADER = {option.header.lower(): option.name for option in OPTIONS}
_OTHER_HEADERS = frozenset({"x-entraide-csrf"})  # ``signin.cookies`` reads it
_LETTERS = str.maketrans("", "", "-_")
_PREFIX = "xentraide"
_HEADERS_BY_LETTERS = {
    option.header.lower().translate(_LETTERS): option.header for option in OPTIONS
}
_SWITCHES = ("explain", "resume_events", "waiting_events")
_NUMBERS = ("max_gco2e", "reconnect_s", "max_wait_s")

_JURISDICTION = re.compile(JURISDICTION)
_CONTROLS = tuple(filter(None, Control))  # what a request may say


class Caller(Struct, frozen=True):
    """The caller: an API key, or a person who has signed in.

    Attributes:
        key: identifier of the key or of the person.
        coop, project: on whom its use counts.
        role: of a person, a ``Role``; "" for a key.
        signin_session: identifier of the person's sign-in session; "" for a key.
        joined: a person's other starts that the session may read, as senders.
    """

    key: str
    coop: str
    project: str
    role: str = ""
    signin_session: str = ""
    joined: tuple[str, ...] = ()

    @property
    def readable(self) -> tuple[str, ...]:
        """The key, or the person in each start that the session may read, as senders."""
        return (self.key, *self.joined)

    @property
    def senders(self) -> tuple[str, ...]:
        """Whose things a list has: the person's, in those starts; none for a co-op's keys."""
        return self.readable if self.person else ()

    @property
    def person(self) -> str:
        """The person; "" for a key."""
        return person_of(self.key)

    @property
    def scope(self) -> str:
        """Within which the caller's own names are one: the co-op, or a person's start."""
        return f"{self.coop}/{self.key}" if self.person else self.coop

    def owns(self, coop: str, key: str) -> bool:
        """Whether what a key or a person of a co-op sent is open to the caller."""
        if (coop, person_of(key)) != (self.coop, self.person):
            return False
        return not self.person or key in self.readable

    def may_read(self, coop: str, key: str) -> bool:
        """Whether what a key or a person of a co-op sent is the caller's.

        Raises:
            Refused: ``session_new_start``: the person sent it, and it is closed to the session.
        """
        if self.owns(coop, key):
            return True
        if self.person and (coop, person_of(key)) == (self.coop, self.person):
            raise refused("session_new_start")
        return False


class Options(Struct, frozen=True):
    """Options of a request, unchecked; "" and None mean the defaults.

    Attributes:
        job_class, data_class, jurisdiction, controlled_by, task, language, openness: see
            ``RequestFacts``.
        deadline: latest completion: seconds from now, or a time in ISO 8601 (UTC without a zone).
        max_gco2e: maximum emissions of the job, grams.
        session, idempotency: the client's own names.
        explain: whether the answer contains the explanation of the job.
        resume_events: whether a stream says where another node continues the answer.
        reconnect_s: how long a streamed job goes on after its client's connection closed, seconds.
        waiting_events: whether a stream says why the job waits, and its place in line.
        max_wait_s: how long the job waits while no node would accept it, seconds.
        prefix: ``PREFIX_OFF`` where an engine keeps nothing of the prompt, and uses nothing kept.
        names: names of the options in the client's protocol.
    """

    job_class: str = ""
    data_class: str = ""
    jurisdiction: str = ""
    controlled_by: str = ""
    deadline: float | str | None = None
    max_gco2e: float | None = None
    session: str = ""
    explain: bool | None = None
    idempotency: str = ""
    resume_events: bool | None = None
    reconnect_s: float | None = None
    waiting_events: bool | None = None
    max_wait_s: float | None = None
    task: str = ""
    language: str = ""
    openness: str = ""
    prefix: str = ""
    names: Mapping[str, str] = HTTP_NAMES


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


def options_from_headers(headers: Mapping[str, str]) -> Options:
    """Reads the pool's own request headers; ``check_options`` checks their values.

    Raises:
        Refused: ``invalid_request``: a header that is true or false has another value; a header
            with the pool's prefix is unknown, however it is spelt, or empty.
    """
    for name in headers:
        if (letters := name.translate(_LETTERS)).startswith(_PREFIX):
            _check_header(name, letters, headers[name])
    values: dict[str, Any] = {
        name: text for header, name in _NAMES_BY_HEADER.items() if (text := headers.get(header))
    }
    for name in filter(values.__contains__, _SWITCHES):
        _check_word(HTTP_NAMES[name], BOOLEANS, values[name])
        values[name] = BOOLEANS[values[name]]
    values |= {name: _number(values[name]) for name in _NUMBERS if name in values}
    return Options(**values)


def _check_header(name: str, letters: str, text: str) -> None:
    """Refuses a header that would otherwise restrict nothing, against its sender's wish."""
    if name in _OTHER_HEADERS:
        return
    if name not in _NAMES_BY_HEADER:
        known = _HEADERS_BY_LETTERS.get(letters)
        suggestion = {"instead": known} if known else {}
        param = clean_text(name.title())
        raise refused("invalid_request", param=param, fault="unknown_field", **suggestion)
    if not text.strip():
        param = HTTP_NAMES[_NAMES_BY_HEADER[name]]
        raise refused("invalid_request", param=param, fault="empty")


def check_options(options: Options, now: float) -> None:
    """Checks the options.

    Raises:
        Refused: ``invalid_request`` with the option's name, or ``deadline_passed``.
    """
    names = options.names
    _check_word(names["job_class"], JobClass, options.job_class)
    _check_word(names["data_class"], DataClass, options.data_class)
    _check_word(names["controlled_by"], _CONTROLS, options.controlled_by)
    _check_word(names["task"], Task, options.task)
    _check_word(names["language"], EVALUATED_LANGUAGES, options.language)
    _check_word(names["openness"], REQUIRED_CLASSES, options.openness)
    _check_word(names["prefix"], (PREFIX_OFF,), options.prefix)
    if options.jurisdiction and not _JURISDICTION.fullmatch(options.jurisdiction):
        raise refused(
            "invalid_request", param=names["jurisdiction"], fault="wrong_form", form="CA, CA-QC",
            found=show_value(options.jurisdiction),
        )  # fmt: skip
    deadline_at, name = find_deadline(options.deadline, now), names["deadline"]
    if deadline_at is not None:
        if not math.isfinite(deadline_at):
            raise refused("invalid_request", param=name, fault="deadline_form")
        if deadline_at <= now:
            raise refused("deadline_passed", param=name)
        if deadline_at > now + DEADLINE_S_MAX:
            raise refused(
                "invalid_request", param=name, fault="deadline_far", days=DEADLINE_DAYS_MAX
            )
    if (grams := options.max_gco2e) is not None and not 0.0 <= grams <= CARBON_G_MAX:
        raise refused(
            "invalid_request", param=names["max_gco2e"], fault="between", low=0,
            high=round(CARBON_G_MAX), found=show_value(grams),
        )  # fmt: skip
    if (grace_s := options.reconnect_s) is not None and not 0.0 <= grace_s <= RECONNECT_S_MAX:
        raise refused(
            "invalid_request", param=names["reconnect_s"], fault="between", low=0,
            high=round(RECONNECT_S_MAX), found=show_value(grace_s),
        )  # fmt: skip
    wait_s = options.max_wait_s
    if wait_s is not None and not MAX_WAIT_S_MIN <= wait_s <= MAX_WAIT_S_MAX:
        raise refused(
            "invalid_request", param=names["max_wait_s"], fault="between",
            low=round(MAX_WAIT_S_MIN), high=round(MAX_WAIT_S_MAX), found=show_value(wait_s),
        )  # fmt: skip
    for field, text in (("session", options.session), ("idempotency", options.idempotency)):
        if len(text) > NAME_MAX:
            raise refused("invalid_request", param=names[field], fault="too_long", limit=NAME_MAX)


def with_body_options(options: Options, fields: PoolFields, now: float) -> Options:
    """Returns the options with those that stand in the body, by their names there.

    Raises:
        Refused: ``invalid_request``: the body contradicts another option of the request.
    """
    stated = {name: value for name, value in structs.asdict(fields).items() if value is not None}
    if not stated:
        return options
    for name, value in stated.items():
        other = getattr(options, name)
        if other not in ("", None) and not _agree(name, other, value, now):
            raise refused(
                "invalid_request", param=f"entraide.{name}", fault="differs",
                other=options.names[name],
            )  # fmt: skip
    names = {**options.names, **{name: f"entraide.{name}" for name in stated}}
    return structs.replace(options, **stated, names=MappingProxyType(names))


def _agree(name: str, first: Any, second: Any, now: float) -> bool:
    if name == "deadline":
        return find_deadline(first, now) == find_deadline(second, now)
    return bool(first == second)


def _check_word(name: str, words: Iterable[str], text: str) -> None:
    if text and text not in (choices := list(words)):
        raise refused(
            "invalid_request", param=name, fault="not_one_of", choices=", ".join(choices),
            found=show_value(text),
        )  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def find_deadline(deadline: float | str | None, now: float) -> float | None:
    """Returns the time of a deadline, seconds since the epoch; NaN if its form is wrong.

    Args:
        deadline: seconds from now, as a number or a text, or a time in ISO 8601; None for none.
        now: seconds since the epoch.

    >>> find_deadline(60.0, 1_000.0), find_deadline("1970-01-01T01:00Z", 0.0)
    (1060.0, 3600.0)
    """
    if deadline is None:
        return None
    if not isinstance(deadline, str):
        return now + deadline
    if len(deadline) > DEADLINE_MAX_CHARS:
        return math.nan
    if not math.isnan(seconds := _number(deadline)):
        return now + seconds
    try:
        parsed = datetime.fromisoformat(deadline)
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
