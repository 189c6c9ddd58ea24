"""Stewardship: what the agent asks of whoever speaks for the machine's owner.

It decides nothing: the agent obeys. Which terms an owner has set, and how presence is noticed, is
the steward's own affair.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from entraide_node.core.duty import Lent

OWNER_RETURNED = "owner_returned"  # what a run ends with that is given back in mid-answer


class Steward(Protocol):
    """Whoever speaks for the machine's owner: when it may work, and when it is given back."""

    def reason(self) -> str:
        """Returns the stable code why the machine takes no work now, or "" when it may."""
        ...

    def lent(self) -> Lent:
        """Returns how much of the machine may be used now."""
        ...

    async def run(self, *, poke: Callable[[], object], give_back: Callable[[str], object]) -> None:
        """Looks for as long as the agent lives.

        Args:
            poke: to be called when ``reason`` or ``lent`` has changed: the pool hears at once.
            give_back: to be called, with ``OWNER_RETURNED``, when what runs must end now.
        """
        ...


class Unattended:
    """The steward of a machine whose owner has set no terms."""

    def reason(self) -> str:
        """See ``Steward``."""
        return ""

    def lent(self) -> Lent:
        """See ``Steward``."""
        return Lent()

    async def run(
        self,
        *,
        poke: Callable[[], object],  # noqa: ARG002  (nothing ever changes)
        give_back: Callable[[str], object],  # noqa: ARG002
    ) -> None:
        """See ``Steward``."""
        await asyncio.Event().wait()
