"""Sandboxes of engines: which kinds of engine run in one, and what a node says of its engines.

Input: the kind of an engine, and whether its owner lets it have a sandbox. Output: the sandbox that
``entraide.process_sandbox`` makes on this machine, and the weakest of several.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from entraide.bubblewrap import find_bubblewrap_problem
from entraide.process_sandbox import find_sandbox_problem
from entraide.types import Sandbox

# What closes in the engines of a kind; vLLM's processes talk over the loopback.
_SANDBOXES: Mapping[str, Sandbox] = {
    "llama.cpp": Sandbox.LANDLOCK, "mlx-lm": Sandbox.LANDLOCK, "vllm": Sandbox.BUBBLEWRAP,
}  # fmt: skip
AGENT_PACKAGE = Path(__file__).parents[1]  # has the programs that run engines


def kind_sandbox(kind: str, *, wanted: bool) -> Sandbox:
    """Returns what closes in the engines of a kind on this machine. Blocks at its first call.

    Args:
        kind: name of the engine.
        wanted: whether its owner lets it have a sandbox.
    """
    sandbox = _SANDBOXES.get(kind, Sandbox.NONE) if wanted else Sandbox.NONE
    if find_sandbox_problem() or (sandbox is Sandbox.BUBBLEWRAP and find_bubblewrap_problem()):
        return Sandbox.NONE
    return sandbox


def weakest_sandbox(sandboxes: Iterable[Sandbox]) -> Sandbox:
    """Returns the weakest of several sandboxes; none for no engine.

    >>> str(weakest_sandbox((Sandbox.LANDLOCK, Sandbox.NONE))), str(weakest_sandbox(()))
    ('none', 'none')
    """
    return min(sandboxes, key=list(Sandbox).index, default=Sandbox.NONE)
