"""Server-sent events: writes one event, named and with a JSON document."""

from collections.abc import Mapping
from typing import Any

import msgspec


def write_event(name: str, fields: Mapping[str, Any]) -> bytes:
    r"""Returns an event whose document has the event's name as ``type``.

    >>> write_event("ping", {})
    b'event: ping\ndata: {"type":"ping"}\n\n'
    """
    data = msgspec.json.encode({"type": name, **fields})
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
