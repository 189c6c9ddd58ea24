"""Marks: what a node has done that no honest node does, counted by reason.

A mark removes nothing. It is kept with the node, survives restarts, and the operator sees it.
"""

from entraide_scheduler.core.amount_limits import TOTAL_MAX
from entraide_scheduler.core.commands import NodeMarked
from entraide_scheduler.core.state import State
from entraide_scheduler.core.usage_limits import ENERGY, INPUT, OUTPUT

STREAM_TOKENS = "stream_tokens"  # more tokens than granted
STREAM_BYTES = "stream_bytes"  # more bytes than the granted tokens can be
ANSWER_INVALID = "answer_invalid"  # an answer that no client can be given

# Stable codes; the catalogue has a sentence for each (``mark-CODE``).
REASONS = (INPUT, OUTPUT, ENERGY, STREAM_TOKENS, STREAM_BYTES, ANSWER_INVALID)


def record_violation(state: State, name: str, reason: str) -> None:
    """Counts one more of a reason against a node."""
    node = state.fleet.nodes.get(name)
    if node is not None and reason in REASONS:
        node.marks[reason] = min(TOTAL_MAX, node.marks.get(reason, 0) + 1)
        state.emit(NodeMarked(state.cause, name, reason))
