"""Person export: all that the pool holds of a person, as one JSON document in parts.

In: the store, and for the person alone what opens the sealed texts. Out: pieces of JSON. Each
section begins with a sentence on what it is, in the reader's language. Without the texts, the
document says so: the operator may hand it out and reads in it no question and no answer.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from entraide import i18n
from entraide_scheduler.store import person_records
from entraide_scheduler.store.closed_files import ClosedFiles
from entraide_scheduler.store.store import Store

# The texts of a row by their sealed column, with the purposes for which they were sealed.
TEXTS = {
    "jobs": {"sealed_body": "request", "sealed_result": "result"},
    "files": {"sealed_name": "name"},
    "batches": {"sealed_metadata": "metadata", "sealed_faults": "faults"},
}
NAMES = {"jobs": "job", "files": "file", "batches": "batch", "entries": "job"}
SENT = tuple(NAMES)
WITHHELD = "place_outside"  # the texts are read at a server that what was sent may pass
Unseal = Callable[[str, str, bytes], bytes]
MayPass = Callable[[str, str], Awaitable[bool]]


async def export_person(
    store: Store,
    person: str,
    *,
    lang: str,
    senders: tuple[str, ...] = (),
    unseal: Unseal | None = None,
    may_pass: MayPass | None = None,
) -> AsyncIterator[bytes]:
    """Yields the document.

    Args:
        store: the pool's.
        person: who exists.
        lang: language of the sentences.
        senders: the person, in the starts that the session that asks may read; none for all.
        unseal: opens a text of an object, sealed for a purpose; None leaves the texts out.
        may_pass: whether the texts of an object may pass the server that sends the document, by
            section and name; None for all. ``withheld`` stands in the place of those that may not.
    """
    row = await store.read(partial(person_records.read_person, person=person))
    about = i18n.text("export-about", lang, texts="no" if unseal is None else "yes")
    yield b"{" + _member("about", about) + b",\n" + _member("person", row)
    for section in person_records.SECTIONS:
        said = i18n.text(f"export-{section}", lang)
        yield b",\n" + _quoted(section) + b': {"about": ' + _quoted(said) + b', "rows": ['
        count = 0
        async for item in _read_section(
            store, section, row, senders=senders, unseal=unseal, may_pass=may_pass
        ):
            yield (b",\n" if count else b"\n") + msgspec.json.encode(item)
            count += 1
        yield b"]}"
    yield b"}\n"


async def _read_section(
    store: Store,
    section: str,
    person: dict[str, Any],
    *,
    senders: tuple[str, ...],
    unseal: Unseal | None,
    may_pass: MayPass | None,
) -> AsyncIterator[dict[str, Any]]:
    if section not in SENT:
        read = partial(person_records.read_section, section=section, person=person)
        for row in await store.read(read):
            yield row
        return
    after: tuple[Any, ...] = ()
    while True:
        page = partial(
            person_records.read_page,
            section=section,
            person=person["person"],
            senders=senders,
            after=after,
        )
        rows, after = await store.read(page)
        for row in rows:
            if unseal is None or section not in TEXTS:
                yield row
            elif may_pass is not None and not await may_pass(section, row[NAMES[section]]):
                yield row | {"withheld": WITHHELD}
            else:
                yield row | await _read_texts(store, section, row, unseal)
        if not after:
            break
    if section == "entries" and store.closed is not None:
        async for row in _read_closed(store, store.closed, person["person"], senders):
            yield row


async def _read_closed(
    store: Store, closed: ClosedFiles, person: str, senders: tuple[str, ...]
) -> AsyncIterator[dict[str, Any]]:
    """Yields the person's rows of closed months."""
    for month in await store.read(partial(closed.list_months_of, person=person)):
        first = 0
        while True:
            page = partial(
                closed.read_entries, row=month, person=person, senders=senders, first=first
            )
            rows, first = await store.read(page)
            for row in rows:
                yield row
            if not first:
                break


async def _read_texts(
    store: Store, section: str, row: dict[str, Any], unseal: Unseal
) -> dict[str, Any]:
    """Returns the texts of a row by their purpose."""
    name = row[NAMES[section]]
    sealed = await store.read(lambda c: dict(person_records.read_sealed(c, section, name)))
    texts: dict[str, Any] = {}
    for column, purpose in TEXTS[section].items():
        if sealed.get(column):
            text = unseal(name, purpose, sealed[column])
            texts[purpose] = text.decode() if purpose == "name" else Raw(text)
    return texts


def _member(name: str, value: Any) -> bytes:
    return _quoted(name) + b": " + msgspec.json.encode(value)


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)
