"""Draws the state diagrams of two pages in `docs/concepts` from the state machines' tables.

    python scripts/state_diagrams.py            writes the diagrams into the page
    python scripts/state_diagrams.py --check    exits 1 if a page differs

The diagram of a machine is between `<!-- table: NAME -->` and `<!-- end -->`; the text around it
is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from entraide.state_machine import StateMachine
from entraide_node.core import model_records, owner_policy, phases, supervision
from entraide_scheduler.core.records import state_machines
from entraide_scheduler.gateway.batches.states import BATCH
from entraide_scheduler.gateway.jobs.phases import GATEWAY_JOB

CONCEPTS = Path(__file__).resolve().parent.parent / "docs/concepts"
PAGES = (CONCEPTS / "states.md", CONCEPTS / "owner.md")
MACHINES: tuple[StateMachine[Any, Any], ...] = (
    state_machines.JOB,
    state_machines.LEASE,
    state_machines.NODE,
    state_machines.REPLICA,
    state_machines.MODEL_LOAD,
    GATEWAY_JOB,
    BATCH,
    phases.AGENT,
    supervision.PROCESS,
    model_records.MODEL,
    owner_policy.LENDING,
)

BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def drawn(page: str) -> str:
    """Returns the page with its diagrams drawn again."""
    diagrams = {machine.name: f"```mermaid\n{machine.diagram()}```\n" for machine in MACHINES}
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
