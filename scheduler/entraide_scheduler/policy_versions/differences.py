"""Differences: what changes from one policy to another, item by item.

In: two policies. Out: changes, each with a stable code and values; the message catalogue has the
sentences (``policy-change-CODE``). Members, quotas and classes are compared by their names, so that
their order does not count. The version's name is no change.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from entraide_scheduler.core.policy import ClassTerms, CoopTerms, Lend, Policy, Quota

NONE = ""  # the value of a key that holds nothing
LISTS = frozenset({"version", "coops", "classes"})

Value = str | int | float


class PolicyChange(Struct, frozen=True):
    """One change.

    Attributes:
        code: ``coop_added``, ``coop_removed``, ``shares``, ``quota_added``, ``quota_removed``,
            ``quota``, ``lend_part``, ``lend_energy``, ``class_key`` or ``key``.
        values: names, and the values before (``old``) and after (``new``); "" for none.
    """

    code: str
    values: dict[str, Value]


def find_changes(old: Policy, new: Policy) -> tuple[PolicyChange, ...]:
    """Returns the changes in the order of the document."""
    return (
        *_coop_changes(old, new),
        *_class_changes(old, new),
        *_key_changes(old, new, ""),
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
    coop: dict[str, Value] = {"coop": new.coop}
    if old.shares != new.shares:
        yield PolicyChange("shares", {**coop, "old": old.shares, "new": new.shares})
    yield from _quota_changes(old, new)
    if old.lend.part != new.lend.part:
        yield PolicyChange("lend_part", {**coop, "old": old.lend.part, "new": new.lend.part})
    if old.lend.energy_wh_per_day != new.lend.energy_wh_per_day:
        yield PolicyChange(
            "lend_energy", {**coop, "old": _limit(old.lend), "new": _limit(new.lend)}
        )


def _limit(lend: Lend) -> Value:
    return NONE if lend.energy_wh_per_day is None else lend.energy_wh_per_day


def _quota_changes(old: CoopTerms, new: CoopTerms) -> Iterator[PolicyChange]:
    before = {_quota_id(quota): quota for quota in old.quotas}
    after = {_quota_id(quota): quota for quota in new.quotas}
    for quota_id in sorted(before.keys() | after.keys()):
        was, becomes = before.get(quota_id), after.get(quota_id)
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
        elif was is None:
            yield PolicyChange("quota_added", {**values, "new": quota.limit})
        elif was.limit != becomes.limit:
            yield PolicyChange("quota", {**values, "old": was.limit, "new": becomes.limit})


def _quota_id(quota: Quota) -> tuple[str, str, str, str]:
    return quota.kind.value, quota.period.value, quota.project, quota.key


def _class_changes(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    before = {terms.job_class: terms for terms in old.classes}
    for terms in new.classes:
        was = before.get(terms.job_class, ClassTerms(terms.job_class, terms.rank))
        for change in _key_changes(was, terms, ""):
            yield PolicyChange("class_key", {"job_class": terms.job_class.value, **change.values})


def _key_changes(old: Struct, new: Struct, path: str) -> Iterator[PolicyChange]:
    """Compares the plain keys of two structs, and those of the structs within them."""
    for name in new.__struct_fields__:
        was, becomes = getattr(old, name), getattr(new, name)
        if was == becomes or (not path and name in LISTS):
            continue
        key = f"{path}{name}"
        if isinstance(becomes, Struct) and isinstance(was, Struct):
            yield from _key_changes(was, becomes, f"{key}.")
        else:
            yield PolicyChange("key", {"key": key, "old": _plain(was), "new": _plain(becomes)})


def _plain(value: Any) -> Value:
    """Returns a value for a sentence: lists and truth values as JSON, None as ""."""
    plain = msgspec.to_builtins(value)
    if plain is None:
        return NONE
    if isinstance(plain, bool | list | dict):
        return msgspec.json.encode(plain).decode()
    return str(plain) if isinstance(plain, str) else plain
