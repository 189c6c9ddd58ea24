"""Local calls: calls of the Admin service that this process makes for somebody it has checked.

The gateway makes them for pages over HTTP. Their errors are exceptions and no statuses.
"""

from entraide_scheduler.people import Actor


class LocalContext:
    """The context of such a call, in the place of gRPC's.

    Attributes:
        actor: for whom the call is made; the caller has checked that the actor may make it.
    """

    def __init__(self, actor: Actor, lang: str) -> None:
        self.actor = actor
        self._lang = lang

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the call's metadata: the language."""
        return (("accept-language", self._lang),)
