"""Trial: a test message to every recipient, and who was reached."""

import asyncio
import secrets
from collections.abc import Sequence

from msgspec import Struct

from entraide_scheduler.notifications.delivery import DeliveryFailed, MessageSender


class DeliveryTrial(Struct, frozen=True):
    """Whether a test message arrived.

    Attributes:
        recipient: the address, or the host of the webhook.
        problem: why it did not arrive; "" if it did.
    """

    recipient: str
    problem: str = ""


async def send_trial(senders: Sequence[MessageSender]) -> list[DeliveryTrial]:
    """Sends a test message to each recipient, all at once."""
    return list(await asyncio.gather(*map(_try, senders)))


async def _try(sender: MessageSender) -> DeliveryTrial:
    try:
        await sender.send(None, secrets.token_hex(16))
    except DeliveryFailed as failure:
        return DeliveryTrial(sender.label, str(failure))
    return DeliveryTrial(sender.label)
