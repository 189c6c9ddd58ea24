"""Message reader: decodes and checks the bytes of a node's control message.

In this order: size by tag, rate, form, bounds. A rejected message also counts against its node's
rate limit.
"""

from collections.abc import Callable

import msgspec

from entraide.wire import codec
from entraide.wire import messages as m
from entraide_scheduler.node_validation import check
from entraide_scheduler.node_validation.bounds import CONTROL_BYTES
from entraide_scheduler.node_validation.rate_limits import NodeRateLimits

RUN_TAGS = frozenset({"accept", "decline", "progress", "usage"})

# Returns whether a node holds the run of a job and epoch.
HoldsRun = Callable[[str, str, int], bool]


class RejectedMessage(msgspec.Struct, frozen=True):
    """Why a message is rejected: a code for the counters, and the field at fault or ""."""

    why: str
    field: str = ""


class MessageReader:
    """Reads the control messages of all nodes."""

    def __init__(self, holds_run: HoldsRun) -> None:
        self._holds_run = holds_run
        self._rate_limits = NodeRateLimits()

    def read_message(self, node: str, data: bytes, at: float) -> m.NodeUp | RejectedMessage:
        """Returns a node's decoded message, or the reason of its rejection."""
        why = check.find_size_fault(data, CONTROL_BYTES)
        if why:
            self._rate_limits.take_control(node, len(data), at)
            return RejectedMessage(why)
        of_run = check.read_tag(data) in RUN_TAGS
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
            message = check.clip_message_usage(message)
        field = check.find_fault(message)
        return RejectedMessage("out_of_bounds", field) if field else message

    def _run_may_send(self, node: str, message: m.NodeUp, size: int, at: float) -> bool:
        assert isinstance(message, m.Accept | m.Decline | m.Progress | m.UsageReport)
        if self._holds_run(node, message.job, message.epoch):
            return self._rate_limits.take_run(node, message.job, message.epoch, at)
        return self._rate_limits.take_control(node, size, at)
