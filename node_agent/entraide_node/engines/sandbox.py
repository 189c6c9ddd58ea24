"""Sandboxes of engines: which kinds of engine run in one, and what a node says of its engines.

Input: the kind of an engine, and whether its owner lets it have a sandbox. Output: the sandbox that
``entraide.process_sandbox`` makes on this machine, and the weakest of several.
"""

from collections.abc import Iterable
from pathlib import Path

from entraide.process_sandbox import find_sandbox_problem
from entraide.types import Sandbox

SANDBOXED_KINDS = ("llama.cpp", "mlx-lm")
AGENT_PACKAGE = Path(__file__).parents[1]  # has the programs that run engines


def kind_sandbox(kind: str, *, wanted: bool) -> Sandbox:
    """Returns what closes in the engines of a kind on this machine.

    Args:
        kind: name of the engine.
        wanted: whether its owner lets it have a sandbox.
    """
    has_sandbox = wanted and kind in SANDBOXED_KINDS and not find_sandbox_problem()
    return Sandbox.LANDLOCK if has_sandbox else Sandbox.NONE


def weakest_sandbox(sandboxes: Iterable[Sandbox]) -> Sandbox:
    """Returns the weakest of several sandboxes; none for no engine.

    >>> str(weakest_sandbox((Sandbox.LANDLOCK, Sandbox.NONE))), str(weakest_sandbox(()))
    ('none', 'none')
    """
    return min(sandboxes, key=list(Sandbox).index, default=Sandbox.NONE)
