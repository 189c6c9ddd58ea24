"""State machines are tables: complete, and drawn in the documentation."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from tests.cases import all_cases
from tests.house.source import ROOT, modules, nodes

from entraide.state_machine import StateMachine

PAGES = ("states.md", "owner.md")


def makes_a_machine(module: str) -> bool:
    """Whether a module's source calls ``StateMachine``."""
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith("StateMachine")
        for node in nodes(modules()[module])
    )


@cache
def machines() -> dict[str, StateMachine[Any, Any]]:
    """The state machines of our packages, by name."""
    return {
        value.name: value
        for module in sorted(filter(makes_a_machine, modules()))
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, StateMachine)
    }


@pytest.mark.checkout
def test_every_table_is_drawn() -> None:
    """Each diagram is drawn from its table, and each table has one diagram."""
    page = "".join((ROOT / "docs/concepts" / name).read_text("utf-8") for name in PAGES)
    command = [sys.executable, "scripts/state_diagrams.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(machines()) == sorted(re.findall(r"<!-- table: (\w+) -->", page))


@all_cases("name", machines)
def test_every_state_can_be_reached(name: str) -> None:
    """From the first states, the steps of a table lead to every state."""
    machine = machines()[name]
    reached = set(machine.starts)
    for _ in machine.table:
        reached |= {to for (state, _), to in machine.table.items() if state in reached}

    assert reached == set(type(machine.starts[0]))


@all_cases("name", machines)
def test_only_ends_are_final(name: str) -> None:
    """From an end no step leads away, and from every other state at least one does."""
    machine = machines()[name]

    assert {state for state, _ in machine.table} == set(type(machine.starts[0])) - set(machine.ends)
