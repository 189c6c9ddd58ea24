"""Guides as programs: the fenced blocks of a page, and the host on which a testbed runs each.

A fence names its step after the language: ``sh step: NAME on HOST``. HOST is ``pool``, ``site``
(each member's site in turn) or ``client``. ``in background`` marks a command that stays; ``kept``
marks settings that every later block of the host has. A block without a step is not run.
"""

import re
from pathlib import Path
from typing import NamedTuple

from tests.testbed.hosts import Done, Host, Started

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs/guides"
BLOCK = re.compile(
    r"^```(?P<language>\w*)"
    r"(?: step: (?P<name>[\w-]+) on (?P<host>\w+)(?P<mode> in background| kept)?)?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# Placeholders of the guides, and what a test puts in their place.
POOL = "https://pool.example.coop:8443"
LINK, KEY = f"{POOL}/install#join_…", "ent_…"
LINE = f"""curl -fsS --insecure --pinnedpubkey 'sha256//…' {POOL}/install.sh \\
  | sh -s -- '{LINK}'"""
WHEEL = "entraide-0.2.0-py3-none-any.whl"
PLACEHOLDERS = {"link": LINK, "key": KEY, "line": LINE, "wheel": WHEEL}


class Block(NamedTuple):
    """A fenced block: its step ("" if none runs it), host, mode, language and text."""

    step: str
    host: str
    mode: str
    language: str
    text: str


def read_blocks(name: str) -> list[Block]:
    """The fenced blocks of a guide, in order."""
    page = (FOLDER / name).read_text("utf-8")
    return [
        Block(
            match["name"] or "",
            match["host"] or "",
            (match["mode"] or "").strip(),
            match["language"],
            match["text"],
        )
        for match in BLOCK.finditer(page)
    ]


class Guide:
    """The steps of a guide.

    Args:
        name: file name of the page.
    """

    def __init__(self, name: str) -> None:
        self._blocks = {block.step: block for block in read_blocks(name) if block.step}
        self._settings: dict[Host, str] = {}

    def run(self, step: str, host: Host, *, check: bool = True, **placeholders: str) -> Done:
        """Runs a step on a host.

        Args:
            step: its name.
            host: where to run it.
            check: whether a failure fails the test.
            placeholders: the texts to put in the place of those of ``PLACEHOLDERS``, or of a text
                of the block.
        """
        return host.run(self.script(step, host, placeholders), check=check)

    def start(self, step: str, host: Host) -> Started:
        """Starts a step that stays in the background."""
        assert "in background" == self._blocks[step].mode
        return host.start(f"exec {self.script(step, host, {})}")

    def keep(self, step: str, host: Host, **placeholders: str) -> None:
        """Puts a step's settings before every later block of the host."""
        assert "kept" == self._blocks[step].mode
        self._settings[host] = self.script(step, host, placeholders)

    def script(self, step: str, host: Host, placeholders: dict[str, str]) -> str:
        """The shell commands of a step, with settings and with placeholders replaced.

        Raises:
            AssertionError: the block has not got a placeholder, or belongs to another host.
        """
        block = self._blocks[step]
        assert host.name.startswith(block.host), f"{step} is for {block.host}"
        text = block.text
        for placeholder, value in placeholders.items():
            written = PLACEHOLDERS.get(placeholder, placeholder)
            assert written in text, f"{step}: no {written}"
            text = text.replace(written, value)
        if block.language == "python":
            text = f"python - <<'END'\n{text}END\n"
        return self._settings.get(host, "") + text
