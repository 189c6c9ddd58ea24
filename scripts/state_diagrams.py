"""Draws the state diagrams of `docs/concepts/states.md` from the tables that the cores obey.

    python scripts/state_diagrams.py            writes the diagrams into the page
    python scripts/state_diagrams.py --check    exits 1 when the page shows something else

A diagram stands between `<!-- table: NAME -->` and `<!-- end -->`; the words around it are written
by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from entraide_node.core import garage
from entraide_scheduler.core import tables

PAGE = Path(__file__).resolve().parent.parent / "docs/concepts/states.md"
State = TypeVar("State", bound=StrEnum)

BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def diagram(
    table: Mapping[tuple[State, str], State],
    starts: Sequence[State],
    ends: Sequence[State] = (),
) -> str:
    """Returns a table as a Mermaid state diagram; steps between two states share a line."""
    steps: dict[tuple[str, str], list[str]] = {}
    for (start, trigger), to in table.items():
        steps.setdefault((start.value, to.value), []).append(trigger)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {state.value}" for state in starts]
    lines += [f"    {start} --> {to}: {', '.join(names)}" for (start, to), names in steps.items()]
    lines += [f"    {state.value} --> [*]" for state in ends]
    return "\n".join([*lines, "```"]) + "\n"


def drawn(page: str) -> str:
    """Returns the page with its diagrams drawn again."""
    diagrams = {
        "jobs": diagram(tables.JOB, tables.JOB_STARTS, tables.JOB_ENDS),
        "leases": diagram(tables.LEASE, tables.LEASE_STARTS, (tables.LeaseState.OVER,)),
        "nodes": diagram(tables.NODE, tables.NODE_STARTS),
        "orders": diagram(tables.ORDER, tables.ORDER_STARTS, (tables.OrderState.OVER,)),
        "models": diagram(garage.TRANSITIONS, (garage.ModelState.ABSENT,)),
    }
    return BLOCK.sub(lambda block: block[1] + diagrams[block[2]] + block[3], page)


def main(arguments: Sequence[str]) -> int:
    """Writes the page, or checks it; returns the exit status."""
    page = PAGE.read_text("utf-8")
    fresh = drawn(page)
    if "--check" in arguments:
        if page != fresh:
            print("docs/concepts/states.md shows other states: run scripts/state_diagrams.py")
        return int(page != fresh)
    PAGE.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
