"""Differences: what changes from one policy to another, item by item.

In: two policies. Out: changes, each with a stable code and values; the message catalogue has the
sentences (``policy-change-CODE``). Members, quotas and classes are compared by their names, so that
their order does not count. The version's name is no change. Every field of every struct is
compared; one without a sentence of its own is shown with its key.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from entraide.quality_terms import (
    EXCEPTION_NAME,
    QualityException,
    QualityTerms,
    exception_name,
)
from entraide_scheduler.core.policy import (
    QUOTA_NAME,
    ClassTerms,
    CoopTerms,
    Policy,
    Quota,
    quota_name,
)

NONE = ""  # the value of a key that holds nothing
COMPARED_APART = ("version", "coops", "classes", "quality")  # keys of the policy
# Codes of the keys of a co-op's terms that have a sentence of their own.
COOP_CODES: Mapping[str, str] = MappingProxyType(
    {
        "name": "coop_name",
        "language": "coop_language",
        "shares": "shares",
        "lend.part": "lend_part",
        "lend.energy_wh_per_day": "lend_energy",
    }
)

Value = str | int | float


class PolicyChange(Struct, frozen=True):
    """One change.

    Attributes:
        code: ``coop_added``, ``coop_removed``, ``shares``, ``quota_added``, ``quota_removed``,
            ``quota``, ``quota_key``, ``lend_part``, ``lend_energy``, ``coop_name``,
            ``coop_language``, ``coop_key``, ``class_key`` or ``key``.
        values: names, and the values before (``old``) and after (``new``); "" for none.
    """

    code: str
    values: dict[str, Value]


def find_changes(old: Policy, new: Policy) -> tuple[PolicyChange, ...]:
    """Returns the changes in the order of the document."""
    return (
        *_coop_changes(old, new),
        *_class_changes(old, new),
        *_key_changes(old, new, but=COMPARED_APART),
        *_key_changes(old.quality, new.quality, "quality.", but=("exceptions",)),
        *_exception_changes(old.quality, new.quality),
    )


def _coop_changes(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    before = {terms.coop: terms for terms in old.coops}
    after = {terms.coop: terms for terms in new.coops}
    for coop in sorted(before.keys() | after.keys()):
        if coop not in after:
            yield PolicyChange("coop_removed", {"coop": coop})
        elif coop not in before:
            yield PolicyChange("coop_added", {"coop": coop, "shares": after[coop].shares})
            yield from _terms_changes(CoopTerms(coop, after[coop].shares), after[coop])
        else:
            yield from _terms_changes(before[coop], after[coop])


def _terms_changes(old: CoopTerms, new: CoopTerms) -> Iterator[PolicyChange]:
    for change in _key_changes(old, new, but=("coop", "quotas", "lend")):
        yield _coop_change(new.coop, change)
    yield from _quota_changes(old, new)
    for change in _key_changes(old.lend, new.lend, "lend."):
        yield _coop_change(new.coop, change)


def _coop_change(coop: str, change: PolicyChange) -> PolicyChange:
    """Returns a change of a key of a co-op's terms: with a sentence of its own, or by its key."""
    key, old, new = (change.values[name] for name in ("key", "old", "new"))
    code = COOP_CODES.get(str(key))
    if code is None:
        return PolicyChange("coop_key", {"coop": coop, "key": key, "old": old, "new": new})
    return PolicyChange(code, {"coop": coop, "old": old, "new": new})


def _quota_changes(old: CoopTerms, new: CoopTerms) -> Iterator[PolicyChange]:
    before = {quota_name(quota): quota for quota in old.quotas}
    after = {quota_name(quota): quota for quota in new.quotas}
    for name in sorted(before.keys() | after.keys()):
        was, becomes = before.get(name), after.get(name)
        quota = becomes or was
        assert quota is not None
        values: dict[str, Value] = {
            "coop": new.coop,
            "kind": quota.kind.value,
            "period": quota.period.value,
            "owner": quota.project or quota.key,
        }
        if becomes is None:
            yield PolicyChange("quota_removed", {**values, "old": quota.limit})
            continue
        if was is None:
            yield PolicyChange("quota_added", {**values, "new": quota.limit})
        elif was.limit != becomes.limit:
            yield PolicyChange("quota", {**values, "old": was.limit, "new": becomes.limit})
        named = {key: getattr(quota, key) for key in QUOTA_NAME}
        plain = Quota(**named, limit=quota.limit)
        for change in _key_changes(was or plain, becomes, but=(*QUOTA_NAME, "limit")):
            yield PolicyChange("quota_key", values | change.values)


def _class_changes(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    before = {terms.job_class: terms for terms in old.classes}
    for terms in new.classes:
        was = before.get(terms.job_class, ClassTerms(terms.job_class, terms.rank))
        for change in _key_changes(was, terms):
            yield PolicyChange("class_key", {"job_class": terms.job_class.value, **change.values})


def _exception_changes(old: QualityTerms, new: QualityTerms) -> Iterator[PolicyChange]:
    before = {exception_name(item): item for item in old.exceptions}
    after = {exception_name(item): item for item in new.exceptions}
    for name in sorted(before.keys() | after.keys()):
        for field in QualityException.__struct_fields__:
            was, becomes = (getattr(items.get(name), field, None) for items in (before, after))
            if was != becomes and field not in EXCEPTION_NAME:
                key = ".".join(("quality.exceptions", *filter(None, name), field))
                yield PolicyChange("key", {"key": key, "old": _plain(was), "new": _plain(becomes)})


def _key_changes(
    old: Struct, new: Struct, path: str = "", *, but: tuple[str, ...] = ()
) -> Iterator[PolicyChange]:
    """Compares the keys of two structs except some, and all those of the structs within them."""
    for name in new.__struct_fields__:
        was, becomes = getattr(old, name), getattr(new, name)
        if was == becomes or name in but:
            continue
        key = f"{path}{name}"
        if isinstance(becomes, Struct) and isinstance(was, Struct):
            yield from _key_changes(was, becomes, f"{key}.")
        elif any(isinstance(item, Struct) for item in (*_items(was), *_items(becomes))):
            yield from _item_changes(was, becomes, key)
        else:
            yield PolicyChange("key", {"key": key, "old": _plain(was), "new": _plain(becomes)})


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _item_changes(
    old: tuple[Struct, ...], new: tuple[Struct, ...], key: str
) -> Iterator[PolicyChange]:
    """Compares structs that their first field names: which there are, and the keys of each."""
    before, after = ({str(astuple(item)[0]): item for item in items} for items in (old, new))
    if before.keys() != after.keys():
        names = {"old": _plain(sorted(before)), "new": _plain(sorted(after))}
        yield PolicyChange("key", {"key": key, **names})
    for name in sorted(before.keys() | after.keys()):
        item = before.get(name) or after[name]
        plain = type(item)(astuple(item)[0])
        yield from _key_changes(before.get(name, plain), after.get(name, plain), f"{key}.{name}.")


def _plain(value: Any) -> Value:
    """Returns a value for a sentence: lists and truth values as JSON, None as ""."""
    plain = msgspec.to_builtins(value)
    if plain is None:
        return NONE
    if isinstance(plain, bool | list | tuple | dict):
        return msgspec.json.encode(plain).decode()
    return str(plain) if isinstance(plain, str) else plain
