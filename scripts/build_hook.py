"""Build hook: what a wheel holds beside the files in git.

Its version, which a checkout derives from git; and the pages' assets, compressed, so that a
gateway only picks a form. A checkout has the assets as they were built; its gateway makes gzip at
the start.
"""

import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

import brotli
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "entraide_dashboard/assets"
BUILT_VERSION = "entraide/built_version.txt"  # read by ``entraide.own_version``
PLAIN = "index.html"  # the gateway writes the language into it
SMALL_BYTES = 512  # below this a compressed form saves nothing


class AddBuiltFiles(BuildHookInterface[Any]):
    """Adds the version and each asset's compressed forms, ``.gz`` and ``.br``, to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes the files, unless the wheel only points to a checkout."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp())
        self._included: dict[str, str] = build_data["force_include"]
        if not (Path(self.root) / "sdk" / BUILT_VERSION).exists():  # in sources without git
            self._add(BUILT_VERSION, f"{self.metadata.version}\n".encode())
        for asset in sorted((Path(self.root) / "dashboard" / FOLDER).iterdir()):
            content = asset.read_bytes()
            if asset.name == PLAIN or len(content) < SMALL_BYTES:
                continue
            self._add(f"{FOLDER}/{asset.name}.gz", gzip.compress(content, 9, mtime=0))
            self._add(f"{FOLDER}/{asset.name}.br", brotli.compress(content))

    def _add(self, name: str, content: bytes) -> None:
        made = self._folder / Path(name).name
        made.write_bytes(content)
        self._included[str(made)] = name

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Removes the files, which are in the wheel now."""
        if version != "editable":
            shutil.rmtree(self._folder)
