"""Codec: one encoder, and one decoder for each direction of a subject.

A message that cannot be decoded raises ``msgspec.DecodeError``; the receiver counts and drops it.
"""

import msgspec

from entraide.wire import messages as m

_ENCODER = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Returns a message as MessagePack."""
    return _ENCODER.encode(message)


node_up: msgspec.msgpack.Decoder[m.NodeUp] = msgspec.msgpack.Decoder(m.NodeUp)
node_down_ctl: msgspec.msgpack.Decoder[m.NodeDownCtl] = msgspec.msgpack.Decoder(m.NodeDownCtl)
node_in: msgspec.msgpack.Decoder[m.NodeIn] = msgspec.msgpack.Decoder(m.NodeIn)
node_out: msgspec.msgpack.Decoder[m.NodeOut] = msgspec.msgpack.Decoder(m.NodeOut)
gateway_up: msgspec.msgpack.Decoder[m.GatewayUp] = msgspec.msgpack.Decoder(m.GatewayUp)
gateway_down: msgspec.msgpack.Decoder[m.GatewayDown] = msgspec.msgpack.Decoder(m.GatewayDown)
explained: msgspec.msgpack.Decoder[m.Explained] = msgspec.msgpack.Decoder(m.Explained)
models: msgspec.msgpack.Decoder[m.Models] = msgspec.msgpack.Decoder(m.Models)
