"""Lies of a mirror: what it may do to a release, and the code with which each is refused.

A lie changes a folder of a release that a machine is offered, which has accepted the one of before.
"""

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from scripts import release_metadata as rm
from tests.pool.release_support import Keys, make_keys, write_root

from entraide.release import METADATA, TARGETS

GARBAGE = b"[" * 10_000
MORE = b" " * 1_000_000


class Offered(Struct, frozen=True):
    """A release that is offered, and the one before it.

    Attributes:
        folder: of the release; a lie changes it.
        earlier: folder of the release before, with all its signatures.
        version: of the release.
        wheel: name of the wheel of Entraide.
        date: of the release.
        keys: those of its makers.
    """

    folder: Path
    earlier: Path
    version: str
    wheel: str
    date: datetime
    keys: Keys

    @property
    def program(self) -> Path:
        """The wheel of Entraide."""
        return self.folder / TARGETS / self.version / self.wheel

    @property
    def timestamp(self) -> Path:
        """The timestamp."""
        return self.folder / METADATA / "timestamp.json"

    def sign(self, keys: Keys) -> None:
        """Signs the files that are there, by the newest root that is there."""
        rm.sign_release(self.folder, self.version, self.date, keys.signers)


def edit_json(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Changes a file of metadata, and not its signatures."""
    value = json.loads(path.read_bytes())
    change(value["signed"])
    path.write_text(json.dumps(value))


def change_file(offered: Offered) -> None:
    """One byte of the program is another."""
    content = offered.program.read_bytes()
    offered.program.unlink()  # it may be a link to the true one
    offered.program.write_bytes(content[:-1] + b"X")


def lengthen_file(offered: Offered) -> None:
    """The program goes on after its end."""
    content = offered.program.read_bytes()
    offered.program.unlink()
    offered.program.write_bytes(content + b"more")


def withhold_file(offered: Offered) -> None:
    """A file is not there."""
    offered.program.unlink()


def put_pipe(offered: Offered) -> None:
    """A file is a pipe to which nobody writes."""
    withhold_file(offered)
    os.mkfifo(offered.program)


def change_list(offered: Offered) -> None:
    """The list of files is another one."""
    path = offered.folder / METADATA / f"{rm.number_of(offered.date)}.targets.json"
    edit_json(path, lambda signed: signed.update(targets={}))


def go_back(offered: Offered) -> None:
    """The whole release of before, with all its signatures, to a machine that has the newer one."""
    shutil.rmtree(offered.folder)
    shutil.copytree(offered.earlier, offered.folder, copy_function=link_file)


def mix(offered: Offered) -> None:
    """The new timestamp with the snapshot of before under the new name."""
    old, new = (
        next((folder / METADATA).glob("*.snapshot.json"))
        for folder in (offered.earlier, offered.folder)
    )
    shutil.copy(old, new)


def sign_with_own_keys(offered: Offered) -> None:
    """A release of somebody else, complete, with a root of their own."""
    shutil.rmtree(offered.folder / METADATA)
    write_root(offered.folder, 1, make_keys("theirs"))
    offered.sign(make_keys("theirs"))


def offer_own_root(offered: Offered) -> None:
    """A second root of somebody else, signed by their keys alone."""
    write_root(offered.folder, 2, make_keys("theirs"))
    offered.sign(make_keys("theirs"))


def sign_with_one_key(offered: Offered) -> None:
    """A second root that one holder of three keys signed alone, where two must."""
    write_root(offered.folder, 2, make_keys("theirs"), offered.keys, signatures=1)


def send_garbage(offered: Offered) -> None:
    """The timestamp is nested ten thousand times."""
    offered.timestamp.write_bytes(GARBAGE)


def send_endlessly(offered: Offered) -> None:
    """The timestamp has a megabyte."""
    with offered.timestamp.open("ab") as opened:
        opened.write(MORE)


LIES: dict[Callable[[Offered], None], str] = {
    change_file: "release_changed",
    lengthen_file: "release_changed",
    withhold_file: "release_changed",
    put_pipe: "release_changed",
    change_list: "release_changed",
    mix: "release_changed",
    send_endlessly: "release_changed",
    go_back: "release_older",
    sign_with_own_keys: "release_unsigned",
    offer_own_root: "release_unsigned",
    sign_with_one_key: "release_unsigned",
    send_garbage: "release_unsigned",
}


def link_file(source: str, target: str) -> str:
    """Copies a small file; gives a wheel a second name, since a release has many of them."""
    if source.endswith(".whl"):
        os.link(source, target)
        return target
    return str(shutil.copy(source, target))
