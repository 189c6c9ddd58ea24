"""Draws the state diagrams of two pages in `docs/concepts` from the cores' transition tables.

    python scripts/state_diagrams.py            writes the diagrams into the page
    python scripts/state_diagrams.py --check    exits 1 if a page differs

A diagram is between `<!-- table: NAME -->` and `<!-- end -->`; the text around it is written by
hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from entraide_node.core import model_manager, owner_policy
from entraide_scheduler.core import state_machines

CONCEPTS = Path(__file__).resolve().parent.parent / "docs/concepts"
PAGES = (CONCEPTS / "states.md", CONCEPTS / "owner.md")
State = TypeVar("State", bound=StrEnum)
Trigger = TypeVar("Trigger", bound=str)

BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def diagram(
    table: Mapping[tuple[State, Trigger], State],
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
        "jobs": diagram(state_machines.JOB, state_machines.JOB_STARTS, state_machines.JOB_ENDS),
        "leases": diagram(
            state_machines.LEASE, state_machines.LEASE_STARTS, (state_machines.LeaseState.OVER,)
        ),
        "nodes": diagram(state_machines.NODE, state_machines.NODE_STARTS),
        "replicas": diagram(state_machines.REPLICA, state_machines.REPLICA_STARTS),
        "orders": diagram(
            state_machines.MODEL_LOAD,
            state_machines.MODEL_LOAD_STARTS,
            (state_machines.ModelLoadState.OVER,),
        ),
        "owner": diagram(owner_policy.TRANSITIONS, (owner_policy.LendingState.SETTLING,)),
        "models": diagram(model_manager.TRANSITIONS, (model_manager.ModelState.ABSENT,)),
    }
    return BLOCK.sub(lambda block: block[1] + diagrams[block[2]] + block[3], page)


def main(arguments: Sequence[str]) -> int:
    """Writes the pages, or checks them; returns the exit status."""
    stale = [page for page in PAGES if page.read_text("utf-8") != drawn(page.read_text("utf-8"))]
    if "--check" in arguments:
        for page in stale:
            print(f"docs/concepts/{page.name} shows other states: run scripts/state_diagrams.py")
        return int(bool(stale))
    for page in stale:
        page.write_text(drawn(page.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
