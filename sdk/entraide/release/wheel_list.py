"""Wheel lists of a release: ``TARGET.txt`` for each kind of machine; a line ends with its file."""

import platform
import re
import sys

_LINE = re.compile(r"^[^ ]+ --hash=sha256:[0-9a-f]{64} # (\S+)$", re.MULTILINE)


def describe_own_target() -> str:
    """Returns the text of this machine's target, which no release may have."""
    system = "macos" if sys.platform == "darwin" else sys.platform
    return f"{system}-{platform.machine()}-{sys.version_info.major}.{sys.version_info.minor}"


def list_wheels(content: bytes) -> list[str]:
    """Returns the names of the files in a list."""
    return _LINE.findall(content.decode("utf-8", "replace"))
