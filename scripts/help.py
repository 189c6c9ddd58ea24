"""Lists make's targets with a sentence each, in the language that the environment sets.

Runs before there is a virtual environment, with the system's Python: the module that chooses the
language, ``sdk/entraide/language.py``, needs the standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = re.compile(r"^([a-z-]+):.*? ## (.+?) \| (.+)$", re.MULTILINE)


def chosen_lang() -> str:
    """Returns the language, by the rule of the `entraide` command."""
    path = ROOT / "sdk/entraide/language.py"
    spec = importlib.util.spec_from_file_location("language", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.lang_of_environment(os.environ))


def main() -> int:
    """Prints the list; returns the exit status."""
    french = chosen_lang() == "fr"
    for target in TARGET.finditer((ROOT / "Makefile").read_text("utf-8")):
        print(f"  {target[1]:<14} {target[3] if french else target[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
