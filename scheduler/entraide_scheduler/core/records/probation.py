"""Probation: what a new node has shown, and what it was given meanwhile."""

from msgspec import Struct


class Probation(Struct):
    """What a node has shown so far, and, of a newcomer, what it was given; see ``newcomers``.

    Attributes:
        runs, lent_runs: runs that it ended since its last fault, and those for other co-ops.
        limited: whether it is a newcomer.
        own_tokens: tokens of other co-ops' ``internal`` prompts that it was given.
        others_tokens: tokens of those that the pool gave to any node since it came.
        full: whether it has had its part of them.
    """

    runs: int = 0
    lent_runs: int = 0
    limited: bool = False
    own_tokens: int = 0
    others_tokens: int = 0
    full: bool = False
