"""Erasure list: the numbers of what was erased, in files outside the store, without any name.

In: the store's erasures. Out: ``erased.json`` in the pool's directory, and ``entraide-erased.json``
beside its last backup, so that a restore of an earlier backup erases the same again. Pools that
share a folder of backups share its list: numbers are random, and a foreign one erases nothing.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide.files import write_private
from entraide_scheduler.store.erasures import Erasure

FILE = "erased.json"
BESIDE_BACKUPS = "entraide-erased.json"
LIST_BYTES_MAX = 64 * 1024 * 1024
_NUMBER = re.compile(r"(?:person|key|kept)-[0-9A-Za-z_-]{1,64}")


class ErasureList(Struct, frozen=True):
    """Content of a list."""

    erased: tuple[Erasure, ...]
    format: int = 1


def read_list(path: Path) -> tuple[Erasure, ...]:
    """Returns the erasures of a list.

    Raises:
        PoolError: ``erasures_unreadable``.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LIST_BYTES_MAX)
        listed = decode_json(text, type=ErasureList).erased
    except (OSError, msgspec.MsgspecError) as problem:
        raise _unreadable(path, str(problem)) from problem
    if not all(_NUMBER.fullmatch(erasure.subject) for erasure in listed):
        raise _unreadable(path, "it has something else than numbers")
    return listed


def merge_into(path: Path, erasures: Iterable[Erasure]) -> None:
    """Adds erasures to a list, readable by its owner only.

    Raises:
        PoolError: ``erasures_unreadable``: the present list cannot be read; it stays.
        OSError: it cannot be written.
    """
    known = {erasure.subject: erasure for erasure in read_list(path)} if path.exists() else {}
    merged = {erasure.subject: erasure for erasure in erasures} | known
    if merged != known:
        ordered = tuple(sorted(merged.values(), key=lambda each: (each.at, each.subject)))
        write_private(path, msgspec.json.format(msgspec.json.encode(ErasureList(ordered))))


def _unreadable(path: Path, problem: str) -> PoolError:
    values = {"path": str(path), "problem": problem}
    return PoolError("erasures_unreadable", f"{path}: {problem}", values=values)
