"""A power cut, as a model: files and folders are cut back to what was synced last.

``power_cut.c`` records each fsync of a process. The model is stricter than most file systems: a
file's content counts as of its last fsync, and its name as of the last fsync of its folder.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("power_cut.c")


class PowerCut:
    """Records what processes sync below a folder, and cuts the folder back to it.

    What the folder holds at the beginning counts as synced.
    """

    def __init__(self, root: Path, record: Path) -> None:
        self.root = root.resolve()
        self._record = record
        self._before = record / "before"
        compiler = shutil.which("cc")
        if compiler is None or os.uname().sysname != "Linux":
            pytest.skip("needs a C compiler and LD_PRELOAD")
        shutil.copytree(self.root, self._before, ignore=_ignore_sockets)
        self._inodes = {
            path.stat().st_ino: self._before / path.relative_to(self.root)
            for path in self.root.rglob("*")
            if path.is_file()
        }
        self._library = record / "power_cut.so"
        flags = ["-O1", "-Wall", "-shared", "-fPIC", "-o", str(self._library)]
        subprocess.run([compiler, *flags, str(SOURCE)], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to be recorded."""
        return {
            "LD_PRELOAD": str(self._library),
            "POWER_CUT_ROOT": str(self.root),
            "POWER_CUT_RECORD": str(self._record),
        }

    def cut(self) -> None:
        """Cuts the folder back; its processes must have been killed."""
        folders = [path.read_text().splitlines() for path in self._record.glob("folder-*")]
        for folder, *entries in sorted(folders):
            for path in Path(folder).iterdir():
                if path.is_file():
                    path.unlink()
            for entry in entries:
                inode, mode, name = entry.split(" ", 2)
                target = Path(folder) / name
                synced = self._record / f"file-{inode}"
                source = synced if synced.exists() else self._inodes.get(int(inode))
                target.write_bytes(source.read_bytes() if source else b"")
                target.chmod(int(mode, 8))


def _ignore_sockets(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}
