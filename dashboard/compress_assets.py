"""Compresses the pages' assets into the wheel, so that a gateway only picks a form.

A checkout has the assets as they were built; its gateway makes gzip at the start.
"""

import gzip
import shutil
import tempfile
from pathlib import Path
from typing import Any

import brotli
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "entraide_dashboard/assets"
PLAIN = "index.html"  # the gateway writes the language into it
SMALL_BYTES = 512  # below this a compressed form saves nothing


class CompressAssets(BuildHookInterface[Any]):
    """Adds each asset's compressed forms, ``.gz`` and ``.br``, to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compresses the assets, unless the wheel only points to a checkout."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp())
        for asset in sorted((Path(self.root) / "dashboard" / FOLDER).iterdir()):
            content = asset.read_bytes()
            if asset.name == PLAIN or len(content) < SMALL_BYTES:
                continue
            forms = {"gz": gzip.compress(content, 9, mtime=0), "br": brotli.compress(content)}
            for ending, packed in forms.items():
                made = self._folder / f"{asset.name}.{ending}"
                made.write_bytes(packed)
                build_data["force_include"][str(made)] = f"{FOLDER}/{made.name}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Removes the forms, which are in the wheel now."""
        if version != "editable":
            shutil.rmtree(self._folder)
