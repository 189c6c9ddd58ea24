"""Codec: one encoder, and one decoder for each direction of a subject.

A message that cannot be decoded raises ``msgspec.DecodeError``; the receiver counts and drops it.
"""

import msgspec

from entraide.decoding import MsgpackDecoder
from entraide.wire import messages as m

_ENCODER = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Returns a message as MessagePack."""
    return _ENCODER.encode(message)


node_up: MsgpackDecoder[m.NodeUp] = MsgpackDecoder(m.NodeUp)
node_down_ctl: MsgpackDecoder[m.NodeDownCtl] = MsgpackDecoder(m.NodeDownCtl)
node_in: MsgpackDecoder[m.NodeIn] = MsgpackDecoder(m.NodeIn)
node_out: MsgpackDecoder[m.NodeOut] = MsgpackDecoder(m.NodeOut)
joined_parts: MsgpackDecoder[m.JoinedParts] = MsgpackDecoder(m.JoinedParts)
gateway_up: MsgpackDecoder[m.GatewayUp] = MsgpackDecoder(m.GatewayUp)
gateway_down: MsgpackDecoder[m.GatewayDown] = MsgpackDecoder(m.GatewayDown)
explanation_reply: MsgpackDecoder[m.ExplanationReply] = MsgpackDecoder(m.ExplanationReply)
models_reply: MsgpackDecoder[m.ModelsReply] = MsgpackDecoder(m.ModelsReply)
pool_reply: MsgpackDecoder[m.PoolReply] = MsgpackDecoder(m.PoolReply)
enrolment_reply: MsgpackDecoder[m.EnrolmentReply] = MsgpackDecoder(m.EnrolmentReply)

_JOINED_START = encode(m.JoinedParts(()))[:-1]  # array of two, and the tag


def split_parts(data: bytes) -> tuple[bytes, ...]:
    """Returns the encoded messages in what a node sent to a gateway: one, or those joined in it.

    Raises:
        msgspec.DecodeError: the joined messages cannot be separated.
    """
    return joined_parts.decode(data).parts if data.startswith(_JOINED_START) else (data,)
