"""Protocol violations: counts, by reason, messages of a node that no honest node sends.

A count changes no decision, but a newcomer's runs count from 0 again. It is kept in the node's
record, survives restarts, and the operator sees it in ``entraide nodes show``.
"""

from entraide_scheduler.core import newcomers
from entraide_scheduler.core.accounting import ENERGY, INPUT, OUTPUT, TOTAL_MAX
from entraide_scheduler.core.commands import NodeMarked
from entraide_scheduler.core.state import State

STREAM_TOKENS = "stream_tokens"  # more tokens than the lease grants
STREAM_BYTES = "stream_bytes"  # more bytes than the granted tokens can have
ANSWER_INVALID = "answer_invalid"  # an answer that cannot be decoded or delivered

# Stable codes; the message catalogue has a sentence for each (``mark-CODE``).
REASONS = (INPUT, OUTPUT, ENERGY, STREAM_TOKENS, STREAM_BYTES, ANSWER_INVALID)


def record_violation(state: State, name: str, reason: str) -> None:
    """Counts one violation of a node and reports it to the shell."""
    node = state.fleet.nodes.get(name)
    if node is not None and reason in REASONS:
        node.marks[reason] = min(TOTAL_MAX, node.marks.get(reason, 0) + 1)
        newcomers.note_fault(state, name)
        state.emit(NodeMarked(state.cause, name, reason))
