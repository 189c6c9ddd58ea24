"""Records the state folder and the journal of a real pool, for later versions to read.

    python -m tests.data.record_state NAME FOLDER

Runs ``entraide up`` in FOLDER/pool (a path that may stand in a public file: the configs in the
recording name it), lets three co-ops ask some hundreds of short jobs of real engines, restarts the
pool in the middle, stops it, and writes the files that ``recorded.py`` describes under NAME. It
takes some minutes. Two runs record two different lives: their times and identifiers are of the day.

What happens: live jobs of all classes, over HTTP, streamed and not, more at once than there are
slots; kept jobs over gRPC, some cancelled, some fetched, some still waiting at each stop; live
streams that are cancelled or abandoned; refusals (a quota, a jurisdiction without nodes, a
prompt that is too long, an unknown model); a node agent that is killed; quotas that are set, a
correction of the ledger, keys that are made and revoked, a model that leaves the catalogue.
"""

import asyncio
import gzip
import os
import signal
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from tests.data.recorded import DATA, TOP, Golden, JournalFacts, journal_facts, state_facts, unpack
from tests.integration.local_pool import MODEL, RunningPool, up

import entraide
from entraide.catalogue import shipped
from entraide.client import Client
from entraide.errors import EntraideError
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    encode_recording,
    event_of,
)
from entraide_scheduler.driver.export import COMPRESS_LEVEL
from entraide_sim.recordings.recording import read_head, read_lines

SEED = 313
COOPS = {"boreale": 5, "grands-lacs": 3, "prairie": 2}  # and how often each asks
AT_ONCE = 32
LIVE_FIRST, LIVE_SECOND = 150, 110
KEPT_FIRST, KEPT_SECOND, KEPT_AT_STOP = 40, 25, 24
CANCELLED = 6
BUSY_LINES = 400
BUSY_LEASES = 12
TOPICS = ("la coopérative", "le solaire", "the grid", "la forêt", "a kitchen", "le fleuve")
REMOVED = [entry.name for entry in shipped().models if entry.name != MODEL][-1]
LEFT_OUT = ("*.log", "*.out", "*.stderr", "*.pid", "*.lock", "checksums.json", "logs")


class Ask(Struct, frozen=True):
    """A live request: whose, its text and body, and the pool's own headers."""

    coop: str
    text: str
    tokens: int
    body: dict[str, Any]
    headers: dict[str, str]


# What is asked.


def coop_of(luck: Random) -> str:
    """Draws the co-op that asks."""
    return luck.choices(tuple(COOPS), tuple(COOPS.values()))[0]


def text_of(luck: Random) -> str:
    """Draws a short prompt."""
    return f"Parle de {luck.choice(TOPICS)} en {luck.randint(2, 9)} mots."


def options_of(luck: Random, keys: dict[str, str]) -> dict[str, str]:
    """Draws a job's options; ``keys`` says what class, data class and so on are called."""
    job_class = luck.choice(("interactive", "interactive", "standard", "batch"))
    deadline = luck.choice(("", "120", "900")) if job_class != "batch" else "900"
    drawn = {
        "class": job_class,
        "data": luck.choice(("internal", "internal", "public", "restricted")),
        "deadline": deadline,
        "jurisdiction": luck.choice(("", "", "", "CA", "CA", "CA-QC")),
        "grams": luck.choice(("", "", "", "", "5")),
        "session": luck.choice(("", "", f"séance-{luck.randint(1, 5)}")),
    }
    return {keys[name]: value for name, value in drawn.items() if value and name in keys}


HEADERS = {
    "class": "X-Entraide-Class",
    "data": "X-Entraide-Data-Class",
    "deadline": "X-Entraide-Deadline",
    "jurisdiction": "X-Entraide-Jurisdiction",
    "grams": "X-Entraide-Max-Gco2e",
    "session": "X-Entraide-Session",
}
FIELDS = {
    "class": "job_class",
    "data": "data_class",
    "jurisdiction": "jurisdiction",
    "session": "session",
}


def asks(luck: Random, number: int) -> Iterable[Ask]:
    """Yields live requests; about one in twelve can never be served."""
    for _ in range(number):
        headers = options_of(luck, HEADERS)
        body: dict[str, Any] = {"stream": luck.random() < 0.4}
        text = text_of(luck)
        chance = luck.random()
        if chance < 0.04:
            headers["X-Entraide-Jurisdiction"] = "FR"
        elif chance < 0.06:
            text *= 400
        elif chance < 0.08:
            body["model"] = "inconnu-7b"
        elif chance < 0.2:
            body["model"] = luck.choice(("auto", "petit"))
        headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        yield Ask(coop_of(luck), text, luck.randint(4, 16), body, headers)


# The pool's life.


def ask(pool: RunningPool, question: Ask) -> str:
    """Asks a live request; returns how it ended."""
    status, _, body = pool.chat(
        question.text,
        tokens=question.tokens,
        coop=question.coop,
        headers=question.headers,
        **question.body,
    )
    return str(status) if status == 200 else str(body["error"]["code"])


def ask_live(pool: RunningPool, luck: Random, number: int, *, kill: str = "") -> Counter[str]:
    """Asks live requests, many at once; returns how they ended.

    The agent of the node ``kill`` is killed with -9 while it works; ``up`` starts it again.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        ended = threads.map(partial(ask, pool), list(asks(luck, number)))
        if kill:
            pool.until(lambda: works(pool, kill), f"{kill} at work")
            os.kill(pool.file.pids[kill], signal.SIGKILL)
        counted = Counter(ended)
    pool.until(lambda: len(pool.live()) == len(COOPS), "all nodes live")
    return counted


def works(pool: RunningPool, node: str) -> bool:
    """Whether a node runs jobs now."""
    return any(row["node"] == node and row["running"] > 0 for row in pool.nodes())


def clients(pool: RunningPool) -> dict[str, Client]:
    """Opens a gRPC client for each co-op."""
    file = pool.file
    return {coop: Client(file.grpc, file.keys[coop]) for coop in COOPS}


def submit(by_coop: dict[str, Client], luck: Random, number: int, tokens: int) -> dict[str, str]:
    """Submits kept jobs; returns the co-op of each. The pool refuses some once they are in."""
    jobs = {}
    for place in range(number):
        options: dict[str, Any] = options_of(luck, FIELDS)
        if options["job_class"] == "batch":
            options["deadline_s"] = 900.0 if place % 2 else 6 * 86_400.0
        coop = coop_of(luck)
        kept = by_coop[coop].submit(
            text_of(luck), model=MODEL, max_output_tokens=tokens, keep_s=7 * 86_400.0, **options
        )
        jobs[kept.job] = coop
    return jobs


def fetch(by_coop: dict[str, Client], jobs: dict[str, str]) -> Counter[str]:
    """Cancels some kept jobs and fetches every second one of the others; returns their states."""
    names = list(jobs)
    for job in names[-CANCELLED:]:
        by_coop[jobs[job]].cancel(job)
    return Counter(
        by_coop[jobs[job]].wait(job, timeout_s=120.0).state for job in names[:-CANCELLED:2]
    )


def break_off(by_coop: dict[str, Client], luck: Random) -> None:
    """Leaves some streams after their first piece, and cancels others."""
    for place in range(CANCELLED):
        client = by_coop[coop_of(luck)]
        with client.stream(text_of(luck), model=MODEL, max_output_tokens=400) as stream:
            next(iter(stream))
            if place % 2:
                continue
            client.cancel(stream.job)
            try:
                stream.answer()
            except EntraideError as problem:
                print("cancelled:", problem.code)


def administer(pool: RunningPool) -> None:
    """Corrects the ledger, revokes one of two new keys, makes a token, removes a model."""
    wrong = ("--tokens", "120", "--wh", "1.5", "--gco2e", "0.25", "--reason", "compteur déréglé")
    pool.entraide(
        "coops", "correct", "compteur-1", "--lender", "boreale", "--borrower", "prairie", *wrong
    )
    for project in ("archives", "essai"):
        made = pool.entraide("keys", "create", "--coop", "boreale", "--project", project, "--json")
        pool.chat("Bonjour", tokens=4, headers={"Authorization": f"Bearer {made['secret']}"})
    pool.entraide("keys", "revoke", made["key"])
    pool.entraide("nodes", "token", "--coop", "prairie")
    pool.entraide("models", "remove", REMOVED)


def live(state: Path) -> None:
    """Runs the pool in a state folder: two starts, two proper stops."""
    luck = Random(SEED)
    pool = up(state)
    pool.entraide("coops", "set", "prairie", "--quota", "requests=12/minute")
    pool.entraide("coops", "set", "boreale", "--quota", "tokens=2000000/month")
    print("live:", ask_live(pool, luck, LIVE_FIRST))
    by_coop = clients(pool)
    print("kept:", fetch(by_coop, submit(by_coop, luck, KEPT_FIRST, 12)))
    break_off(by_coop, luck)
    submit(by_coop, luck, KEPT_AT_STOP, 64)
    pool.entraide("down")
    pool = up(state)
    print("live:", ask_live(pool, luck, LIVE_SECOND, kill="node-2"))
    administer(pool)
    by_coop = clients(pool)
    print("kept:", fetch(by_coop, submit(by_coop, luck, KEPT_SECOND, 8)))
    submit(by_coop, luck, KEPT_AT_STOP, 64)
    pool.entraide("down")


# The files.


def pack(state: Path, archive: Path) -> None:
    """Packs a state folder without what a start makes anew."""

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = Path(member.name)
        if any(path.match(pattern) for pattern in LEFT_OUT):
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(archive, "w:xz", preset=9) as file:
        file.add(state, arcname=TOP, filter=kept)


def write_busy(journal: Path, file: Path) -> None:
    """Writes the part of a journal that begins where most jobs waited beside many that ran."""
    head, lines = read_head(journal), list(read_lines(journal))
    most, where = -1, 0
    core = Core.restore(head.core)
    for number, line in enumerate(lines[:-BUSY_LINES], 1):
        core.handle(event_of(line))
        waiting = sum(core.queue_lengths().values())
        score = waiting + 10 * min(len(core._state.leases), BUSY_LEASES)
        if waiting and score > most:
            most, where = score, number
    core = Core.restore(head.core)
    last: Event | None = None
    for line in lines[:where]:
        last = event_of(line)
        core.handle(last)
    assert last is not None
    print("busy:", core.queue_lengths(), "wait,", len(core._state.leases), "run")
    begin = RecordingHead(head.version, core.snapshot(), last.id, last.at, lines[where - 1].digest)
    write_journal(file, begin, lines[where : where + BUSY_LINES])


def write_journal(file: Path, head: RecordingHead, lines: list[RecordedEvent]) -> None:
    """Writes a journal as the export does: the same journal gives the same bytes."""
    raw = b"".join(encode_recording(head, lines))
    file.write_bytes(gzip.compress(raw, COMPRESS_LEVEL, mtime=0))


def write_golden(name: str, journals: Iterable[Path], scratch: Path) -> Golden:
    """Writes what the present code finds in the files of a recording."""
    journal_facts_by_name: dict[str, JournalFacts] = {
        file.name: journal_facts(file) for file in journals
    }
    state = asyncio.run(state_facts(unpack(name, scratch)))
    facts = Golden(entraide.__version__, state, journal_facts_by_name)
    packed = msgspec.json.format(msgspec.json.encode(facts), indent=2)
    (DATA / f"golden-{name}.json").write_bytes(packed + b"\n")
    return facts


def main(name: str, folder: Path) -> None:
    """Records, and prints what was recorded."""
    state, began = folder / TOP, time.monotonic()
    live(state)
    journal = DATA / f"journal-{name}.gz"
    RunningPool(state).entraide("scheduler", "journal", "export", "--out", str(journal))
    journal.chmod(0o644)
    busy = DATA / f"journal-{name}-busy.gz"
    write_busy(journal, busy)
    pack(state, DATA / f"state-{name}.tar.xz")
    print(msgspec.json.encode(write_golden(name, (journal, busy), folder / "golden")).decode())
    print(f"recorded in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
