"""Erasure list: the numbers of what was erased or revoked, outside the store, without any name.

In: the store's erasures and revocations. Out: ``erased.json`` in the pool's directory, and
``entraide-erased.json`` beside its last backup, so that a restore of an earlier backup erases and
revokes the same again. Pools that share a folder of backups share its list: numbers are random, and
a foreign one does nothing.
"""

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide.files import write_private
from entraide_scheduler.store.ended_access import Revocation
from entraide_scheduler.store.erasures import Erasure

FILE = "erased.json"
BESIDE_BACKUPS = "entraide-erased.json"
LIST_BYTES_MAX = 64 * 1024 * 1024
_NUMBER = re.compile(r"(?:(?:person|key|node|kept|file|start-person)-|batch_)[0-9A-Za-z_.-]{1,64}")


class ErasureList(Struct, frozen=True):
    """Content of a list."""

    erased: tuple[Erasure, ...] = ()
    format: int = 1
    revoked: tuple[Revocation, ...] = ()


def read_list(path: Path) -> ErasureList:
    """Reads a list.

    Raises:
        PoolError: ``erasures_unreadable``.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LIST_BYTES_MAX)
        listed = decode_json(text, type=ErasureList)
    except (OSError, msgspec.MsgspecError) as problem:
        raise _unreadable(path, str(problem)) from problem
    subjects = {each.subject for each in listed.erased} | {each.subject for each in listed.revoked}
    if not all(map(_NUMBER.fullmatch, subjects)):
        raise _unreadable(path, "it has something else than numbers")
    return listed


def merge_lists(*lists: ErasureList) -> ErasureList:
    """Returns one list of all; of a person who was disabled twice the later moment counts."""
    erased: dict[str, Erasure] = {}
    revoked: dict[str, Revocation] = {}
    for each in lists:
        for erasure in each.erased:
            erased[erasure.subject] = max(erasure, erased.get(erasure.subject, erasure), key=_at)
        for revocation in each.revoked:
            known = revoked.get(revocation.subject, revocation)
            revoked[revocation.subject] = max(revocation, known, key=_at)
    return ErasureList(
        tuple(sorted(erased.values(), key=_order)),
        revoked=tuple(sorted(revoked.values(), key=_order)),
    )


def merge_into(path: Path, added: ErasureList) -> None:
    """Adds to a list, readable by its owner only.

    Raises:
        PoolError: ``erasures_unreadable``: the present list cannot be read; it stays.
        OSError: it cannot be written.
    """
    known = read_list(path) if path.exists() else ErasureList()
    merged = merge_lists(known, added)
    if merged != known:
        write_private(path, msgspec.json.format(msgspec.json.encode(merged)))


def _at(each: Erasure | Revocation) -> float:
    return each.at


def _order(each: Erasure | Revocation) -> tuple[float, str]:
    return each.at, each.subject


def _unreadable(path: Path, problem: str) -> PoolError:
    values = {"path": str(path), "problem": problem}
    return PoolError("erasures_unreadable", f"{path}: {problem}", values=values)
