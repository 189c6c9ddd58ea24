"""Policy documents: reads a policy from TOML or JSON with all its faults, and writes it as TOML.

In: the bytes of a document. Out: the policy, every fault with its key, and the version from which
the document was made, if a comment names it (``# base = "3"``, as ``write_document`` writes it).
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct, structs

from entraide import i18n
from entraide.decoding import decode_json, decode_toml
from entraide.form_faults import KeyPath, find_form_fault, type_at, value_at
from entraide.printable import is_printable, shortened
from entraide.wire.subjects import ID_PATTERN
from entraide_scheduler.core.policy import Policy, PolicyFault, find_faults

DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
FAULTS_MAX = 100  # of the document's form; the rest is found once these are corrected
VALUE_CHARS_MAX = 60
VERSION_CHARS_MAX = 64
COOP_NAME_CHARS_MAX = 80
INDENT = "  "

_BASE = re.compile(r'^# base = "(?P<base>[^"\n]+)"$', re.MULTILINE)


class PolicyDocument(Struct, frozen=True):
    """A document that was read.

    Attributes:
        policy: the policy; None if the document's form is faulty.
        faults: every fault, those of the form first.
        base: version from which the document was made; "" if it does not say.
    """

    policy: Policy | None
    faults: tuple[PolicyFault, ...]
    base: str = ""


def read_file(path: Path) -> PolicyDocument:
    """Reads a policy file, TOML or JSON by its name; a file that cannot be read is a fault."""
    try:
        raw = path.read_bytes()
    except OSError as problem:
        return PolicyDocument(None, (_unreadable(problem.strerror or str(problem)),))
    return read_document(raw, is_json=path.suffix == ".json")


def read_document(raw: bytes, *, is_json: bool = False) -> PolicyDocument:
    """Reads the bytes of a policy."""
    if len(raw) > DOCUMENT_BYTES_MAX:
        return PolicyDocument(None, (PolicyFault("policy", "large", {"high": DOCUMENT_BYTES_MAX}),))
    try:
        document = decode_json(raw) if is_json else decode_toml(raw.decode())
    except ValueError as problem:  # msgspec's and tomllib's errors are ValueErrors
        return PolicyDocument(None, (_unreadable(str(problem)),))
    base = None if is_json else _BASE.search(raw.decode())
    policy, faults = _convert(document)
    if policy is not None:
        faults = find_all_faults(policy)
    return PolicyDocument(policy, faults, base["base"] if base else "")


def find_all_faults(policy: Policy) -> tuple[PolicyFault, ...]:
    """Returns the faults of a policy: those of the core, and names that cannot be used."""
    return (*find_faults(policy), *_name_faults(policy))


def _name_faults(policy: Policy) -> Iterator[PolicyFault]:
    version = policy.version
    if len(version) > VERSION_CHARS_MAX or '"' in version or not is_printable(version):
        shown = shortened(version, VALUE_CHARS_MAX)
        yield PolicyFault("version", "name_form", {"value": shown, "high": VERSION_CHARS_MAX})
    for number, terms in enumerate(policy.coops, 1):
        if terms.coop and not ID_PATTERN.fullmatch(terms.coop):
            shown = shortened(terms.coop, VALUE_CHARS_MAX)
            yield PolicyFault(f"coops.{number}.coop", "coop_form", {"value": shown})
    yield from _coop_name_faults(policy)


def _coop_name_faults(policy: Policy) -> Iterator[PolicyFault]:
    """Checks the names that people read: no two co-ops may be taken for each other."""
    owners = {terms.coop: terms.coop for terms in policy.coops}
    for terms in policy.coops:
        name, key = terms.name, f"coops.{terms.coop}.name"
        shown = " ".join(shortened(name, VALUE_CHARS_MAX).splitlines())
        if len(name) > COOP_NAME_CHARS_MAX or not name.isprintable() or name != name.strip():
            values: dict[str, str | int | float] = {"value": shown, "high": COOP_NAME_CHARS_MAX}
            yield PolicyFault(key, "shown_name_form", values)
            continue
        compared = unicodedata.normalize("NFKC", name).casefold()
        if name and owners.setdefault(compared, terms.coop) != terms.coop:
            yield PolicyFault(key, "taken", {"value": shown, "other": owners[compared]})


def fault_line(fault: PolicyFault, lang: str) -> str:
    """Returns a fault of a policy as a sentence with its key and what to do."""
    return i18n.text("policy-fault", lang, **fault.values, key=fault.key, fault=fault.fault)


def write_document(policy: Policy, *, base: str | None = None) -> str:
    """Returns a policy as TOML that reads back as the same policy.

    Args:
        policy: the policy.
        base: version from which it was made; its own version by default, "" if unknown.
    """
    named = policy.version if base is None else base
    head = [f'# base = "{named}"'] if named else []
    values: list[str] = []
    tables: list[list[str]] = []
    for name, value in _fields(policy):
        if isinstance(value, tuple) and all(isinstance(item, Struct) for item in value):
            tables.extend([f"\n[[{name}]]", *_lines(item)] for item in value)
        elif isinstance(value, Struct):
            tables.append([f"\n[{name}]", *_lines(value)])
        else:
            values.append(f"{name} = {_literal(value)}")
    return "\n".join([*head, *values, *(line for table in tables for line in table), ""])


def _lines(struct: Struct) -> list[str]:
    """Returns the keys of a table; structs in it become inline tables."""
    lines = []
    for name, value in _fields(struct):
        if isinstance(value, tuple) and value:
            lines += [f"{name} = [", *(f"{INDENT}{_literal(item)}," for item in value), "]"]
        else:
            lines.append(f"{name} = {_literal(value)}")
    return lines


def _fields(struct: Struct) -> list[tuple[str, Any]]:
    """Returns the names and values of a struct; None, whose key is left out, is skipped."""
    pairs = [(name, getattr(struct, name)) for name in struct.__struct_fields__]
    return [(name, value) for name, value in pairs if value is not None]


def _literal(value: Any) -> str:
    """Returns a value on one line, as TOML writes it; a struct without texts that are empty."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Struct):
        named = zip(structs.fields(value), structs.astuple(value), strict=True)
        pairs = (
            f"{field.name} = {_literal(held)}"
            for field, held in named
            if held is not None and not (held == "" == field.default)
        )
        return f"{{ {', '.join(pairs)} }}"
    return tomli_w.dumps({"v": msgspec.to_builtins(value)}).partition("= ")[2].strip()


# Faults of the form.


def _convert(document: Any) -> tuple[Policy | None, tuple[PolicyFault, ...]]:
    """Converts a document; after each fault its key gets a valid value, to find the next one."""
    faults: list[PolicyFault] = []
    while len(faults) < FAULTS_MAX:
        try:
            policy = msgspec.convert(document, Policy)
        except msgspec.ValidationError as problem:
            fault, path = _form_fault(problem, document)
            faults.append(fault)
            if not _repair(document, path):
                break
        else:
            if not faults:
                return policy, ()
            places = [fault.key.rpartition(".")[0] or fault.key for fault in faults]
            others = [f for f in find_all_faults(policy) if not _touches(f.key, places)]
            return None, (*faults, *others)
    return None, tuple(faults)


def _touches(key: str, places: list[str]) -> bool:
    """Whether a fault may come from a repaired value: its key holds one, or lies beside one."""
    return any(f"{place}.".startswith(f"{key}.") or key.startswith(place) for place in places)


def _form_fault(problem: msgspec.ValidationError, document: Any) -> tuple[PolicyFault, KeyPath]:
    """Returns msgspec's error as a fault, and the path of the key to repair."""
    form_fault = find_form_fault(problem, document, Policy)
    key = _key(form_fault.path, document)
    if form_fault.fault == "unusable":
        fault = _unreadable(str(form_fault.values["detail"]))
        return PolicyFault(key or fault.key, fault.fault, fault.values), form_fault.path
    return PolicyFault(key, form_fault.fault, form_fault.values), form_fault.path


def _field(path: KeyPath) -> Any:
    """Returns the field of the policy at a path; None if the policy has no such key."""
    kind: Any = type_at(Policy, path[:-1])
    fields = msgspec.structs.fields(kind) if isinstance(kind, type) else ()
    return next((field for field in fields if field.encode_name == path[-1]), None)


def _repair(document: Any, path: KeyPath) -> bool:
    """Removes the key at a path, or sets a required one; returns whether that was possible."""
    if not path:
        return False
    parent = value_at(document, path[:-1])
    field = None if isinstance(path[-1], int) else _field(path)
    try:
        if field is not None and field.required:
            is_enum = isinstance(field.type, type) and issubclass(field.type, Enum)
            parent[path[-1]] = next(iter(field.type)).value if is_enum else field.type(0)
        else:
            del parent[path[-1]]
    except (LookupError, TypeError):
        return False
    return True


def _key(path: KeyPath, document: Any) -> str:
    """Returns a path as ``find_faults`` writes it: a co-op by its name, else positions from 1."""
    parts = []
    for number, step in enumerate(path):
        if isinstance(step, int):
            item = value_at(document, path[: number + 1])
            name = item.get("coop") or item.get("job_class") if isinstance(item, dict) else ""
            parts.append(name if isinstance(name, str) and name else str(step + 1))
        else:
            parts.append(step)
    return shortened(".".join(parts), VALUE_CHARS_MAX)


def _unreadable(detail: str) -> PolicyFault:
    return PolicyFault("policy", "unreadable", {"detail": shortened(detail, 200)})
