"""Intake: from the bytes of a node's control message to a message that may be used.

In order: its size by its tag, its rate, its form, its bounds. A message that is refused costs its
node a part of its rate, too.
"""

from collections.abc import Callable

import msgspec

from entraide.wire import codec
from entraide.wire import messages as m
from entraide_scheduler.node_validation import check
from entraide_scheduler.node_validation.bounds import CONTROL_BYTES
from entraide_scheduler.node_validation.rate_limits import NodeRateLimits

RUN_TAGS = frozenset({"accept", "decline", "progress", "usage"})

# Whether a node holds the run of this job and epoch.
HoldsRun = Callable[[str, str, int], bool]


class RejectedMessage(msgspec.Struct, frozen=True):
    """Why a message is not used: a word to count by, and the field if one is at fault."""

    why: str
    field: str = ""


class MessageReader:
    """Reads the control messages of all nodes."""

    def __init__(self, holds_run: HoldsRun) -> None:
        self._holds_run = holds_run
        self._rate_limits = NodeRateLimits()

    def read_message(self, node: str, data: bytes, at: float) -> m.NodeUp | RejectedMessage:
        """Returns a node's message, or why it is not used."""
        why = check.size_fault(data, CONTROL_BYTES)
        if why:
            self._rate_limits.take_control(node, len(data), at)
            return RejectedMessage(why)
        of_run = check.message_tag(data) in RUN_TAGS
        if not of_run and not self._rate_limits.take_control(node, len(data), at):
            return RejectedMessage("too_many")
        try:
            message = codec.node_up.decode(data)
        except msgspec.DecodeError:
            self._rate_limits.take_control(node, len(data), at)
            return RejectedMessage("undecodable")
        if of_run and not self._run_may_send(node, message, len(data), at):
            return RejectedMessage("too_many")
        if isinstance(message, m.UsageReport):
            message = check.with_clipped_usage(message)
        field = check.find_fault(message)
        return RejectedMessage("out_of_bounds", field) if field else message

    def _run_may_send(self, node: str, message: m.NodeUp, size: int, at: float) -> bool:
        assert isinstance(message, m.Accept | m.Decline | m.Progress | m.UsageReport)
        if self._holds_run(node, message.job, message.epoch):
            return self._rate_limits.take_run(node, message.job, message.epoch, at)
        return self._rate_limits.take_control(node, size, at)
