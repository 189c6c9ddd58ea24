"""Terms file: the owner's terms in ``owner.toml`` in the node's folder.

Input: the file. Output: ``OwnerTerms``, or its fault with the line. A faulty file changes nothing:
the last valid terms apply. Without a file the machine works at any time.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog
import tomli_w
from msgspec import Struct

from entraide.decoding import decode_toml
from entraide.files import write_private
from entraide_node.core.owner_terms import UNRESTRICTED_TERMS, OwnerTerms, format_hours, parse_hours

TERMS_NAME = "owner.toml"
TERMS_BYTES_MAX = 64 * 1024
LISTED_MAX = 64  # programs, and time ranges

# Range of each number, by its key.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "idle_min": (0.0, 1_440.0),
    "charge_min_percent": (0.0, 100.0),
    "temperature_max_c": (0.0, 150.0),
    "load_max_percent": (0.0, 100.0),
    "memory_free_min_gb": (0.0, 4_096.0),
    "give_back_s": (0.0, 3_600.0),
    "settle_s": (0.0, 3_600.0),
    "caps_idle.memory_gb": (0.0, 4_096.0),
    "caps_idle.power_w": (0.0, 100_000.0),
    "caps_present.memory_gb": (0.0, 4_096.0),
    "caps_present.power_w": (0.0, 100_000.0),
    "prefix.memory_part": (0.0, 0.5),
}

_AT = re.compile(r"at line (\d+)")
_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at `|$)", re.DOTALL)
_PATH = re.compile(r"`\$((?:\.\w+|\[\.{3}\]|\[\d+\])+)`")


class TermsProblem(Struct, frozen=True):
    """Why the file cannot be used.

    Attributes:
        code: stable; its sentence is in the message catalogue under ``owner-file-CODE``.
        line: in the file; 0 if unknown.
        key: the faulty key, or "".
        detail: the faulty value, or the system's error text.
    """

    code: str
    line: int = 0
    key: str = ""
    detail: str = ""

    def values(self, path: Path) -> dict[str, str | int | float]:
        """Returns the values of its sentence."""
        return {"path": str(path), "line": self.line, "key": self.key, "detail": self.detail}


def parse_terms(text: str) -> OwnerTerms | TermsProblem:
    """Parses terms; a missing key has its default.

    >>> parse_terms('idle_min = "long"')
    TermsProblem(code='wrong_kind', line=1, key='idle_min', detail='')
    """
    try:
        table = decode_toml(text)
    except tomllib.TOMLDecodeError as problem:
        match = _AT.search(str(problem))
        line = int(match.group(1)) if match else text.count("\n") + 1
        return TermsProblem("not_toml", line, detail=str(problem).split(" (")[0])
    hours = table.pop("hours", [])
    try:
        terms = msgspec.convert(table, OwnerTerms)
    except msgspec.ValidationError as problem:
        return _validation_problem(text, str(problem))
    if not isinstance(hours, list) or not all(isinstance(text_span, str) for text_span in hours):
        return TermsProblem("wrong_kind", find_line(text, "hours"), "hours")
    spans = [parse_hours(text_span) for text_span in hours]
    for text_span, span in zip(hours, spans, strict=True):
        if span is None:
            return TermsProblem("wrong_hours", find_line(text, "hours"), "hours", text_span)
    terms = msgspec.structs.replace(terms, hours=tuple(span for span in spans if span))
    excess = find_excess(terms)
    if excess is not None:
        code, key, detail = excess
        return TermsProblem(code, find_line(text, key), key, detail)
    return terms


def _validation_problem(text: str, problem: str) -> TermsProblem:
    match = _PATH.search(problem)
    key = re.sub(r"\[.*?\]", "", match.group(1)).lstrip(".") if match else ""
    unknown = _UNKNOWN.search(problem)
    if unknown:
        key = f"{key}.{unknown.group(1)}".lstrip(".")
        return TermsProblem("unknown_key", find_line(text, key), key)
    enumerated = re.search(r"Invalid enum value '(.*?)'", problem)
    if enumerated:
        return TermsProblem("wrong_word", find_line(text, key), key, enumerated.group(1))
    return TermsProblem("wrong_kind", find_line(text, key), key)


def find_excess(terms: OwnerTerms) -> tuple[str, str, str] | None:
    """Returns the first value that is not allowed, as code, key and limit; None without one."""
    values = msgspec.to_builtins(terms)
    for key, (low, high) in BOUNDS.items():
        table, _, inner = key.rpartition(".")
        value = (values[table] if table else values)[inner]
        if not low <= value <= high:
            return "beyond", key, f"{low:g}–{high:g}"
    for key in ("programs", "hours"):
        if len(values[key]) > LISTED_MAX:
            return "too_many", key, str(LISTED_MAX)
    return None


def find_line(text: str, key: str) -> int:
    """Returns the line of a key, counted from 1; 0 if it is not found."""
    wanted, inner = key.partition(".")[0], key.partition(".")[2]
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#")[0].strip()
        if bare.startswith("["):
            table = bare.strip("[] ")
            if table == wanted and not inner:
                return number
            continue
        name = bare.partition("=")[0].strip()
        if f"{table}.{name}".lstrip(".") == key or (not table and inner and name == wanted):
            return number
    return 0


def format_terms(terms: OwnerTerms) -> str:
    """Returns terms as a file that ``parse_terms`` reads, with all keys."""
    table = msgspec.to_builtins(terms)
    table["hours"] = [format_hours(span) for span in terms.hours]
    return tomli_w.dumps(table)


def read_terms(folder: Path) -> OwnerTerms | TermsProblem:
    """Reads a node's terms; without a file the machine works at any time."""
    try:
        with (folder / TERMS_NAME).open("rb") as file:
            raw = file.read(TERMS_BYTES_MAX + 1)
    except FileNotFoundError:
        return UNRESTRICTED_TERMS
    except OSError as problem:
        return TermsProblem("unreadable", detail=problem.strerror or str(problem))
    if len(raw) > TERMS_BYTES_MAX:
        return TermsProblem("too_long", detail=str(TERMS_BYTES_MAX))
    try:
        return parse_terms(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return TermsProblem("not_text")


def changed_ns(folder: Path) -> int:
    """Returns when the owner's file last changed, nanoseconds since the epoch; 0 without a file."""
    try:
        return (folder / TERMS_NAME).stat().st_mtime_ns
    except OSError:
        return 0


def write_terms(folder: Path, terms: OwnerTerms) -> None:
    """Replaces a node's terms atomically."""
    write_private(folder / TERMS_NAME, format_terms(terms).encode("utf-8"))


def save_terms(folder: Path, terms: OwnerTerms) -> None:
    """Writes only what differs from the node's file; its other lines and comments stay.

    A file that cannot be edited so (it is absent or faulty, or a changed value has several lines)
    is replaced; a key that it did not have is then written only if its value is not the default.
    """
    try:
        text = (folder / TERMS_NAME).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    edited = _edit_terms(text, terms)
    if parse_terms(edited) != terms:
        try:
            had = decode_toml(text)
        except tomllib.TOMLDecodeError:
            had = {}
        table, default = (
            decode_toml(format_terms(terms)),
            decode_toml(format_terms(OwnerTerms())),
        )
        kept = {key: each for key, each in table.items() if key in had or each != default[key]}
        edited = tomli_w.dumps(kept)
    write_private(folder / TERMS_NAME, edited.encode("utf-8"))


def _edit_terms(text: str, terms: OwnerTerms) -> str:
    """Returns the text of a file with the lines of changed keys replaced or added."""
    before = parse_terms(text)
    if isinstance(before, TermsProblem):
        return text
    old, new = (_flat(decode_toml(format_terms(each))) for each in (before, terms))
    for key, value in new.items():
        if value == old[key]:
            continue
        table, _, name = key.rpartition(".")
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
        lines, number = text.splitlines(), find_line(text, key)
        if number:
            lines[number - 1] = line
        elif not table:
            lines.insert(0, line)
        elif find_line(text, table):
            lines.insert(find_line(text, table), line)
        else:
            lines += [f"[{table}]", line]
        text = "\n".join(lines) + "\n"
    return text


def _flat(table: Mapping[str, object]) -> dict[str, object]:
    """Returns a table with the keys of inner tables as ``caps_idle.power_w``."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        inner = value if isinstance(value, dict) else {"": value}
        flat |= {f"{key}.{name}".rstrip("."): each for name, each in inner.items()}
    return flat


def write_default_terms(folder: Path) -> bool:
    """Writes the restrictive default terms, unless there is a file."""
    if (folder / TERMS_NAME).exists():
        return False
    write_terms(folder, OwnerTerms())
    return True


class TermsFile:
    """The terms that apply, read again when the file has changed.

    Attributes:
        terms: the last valid ones.
        problem: fault of the current file; None without one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_stamp: tuple[int, int, int] | None = (0, 0, 0)
        self._is_new = True
        self.terms = UNRESTRICTED_TERMS
        self.problem: TermsProblem | None = None
        self._log = structlog.get_logger("entraide.node")
        self.refresh()

    def refresh(self) -> None:
        """Reads the file if it has changed."""
        stamp = self._stamp()
        if stamp == self._last_stamp:
            return
        self._last_stamp = stamp
        terms = read_terms(self._folder)
        if isinstance(terms, TermsProblem):
            self.problem = terms
            if self._is_new:
                self.terms = OwnerTerms()  # terms were intended: use the restrictive defaults
            self._log.warning(
                "node.terms_unusable", code=terms.code, line=terms.line, key=terms.key
            )
        else:
            self.terms, self.problem = terms, None
            self._log.info("node.terms", terms=repr(terms))
        self._is_new = False

    @property
    def changed_ns(self) -> int:
        """When the file that was last read had changed, nanoseconds; 0 without a file."""
        return self._last_stamp[0] if self._last_stamp else 0

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = (self._folder / TERMS_NAME).stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
