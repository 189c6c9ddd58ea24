"""Trial administration: the Admin service's call that sends test messages."""

from collections.abc import Awaitable, Callable

from entraide import i18n
from entraide.errors import EntraideError
from entraide.v1 import admin_pb2
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.notifications.trial import DeliveryTrial


class TrialAdmin:
    """The call about test messages.

    Args:
        send_trial: sends a test message to each recipient of ``notify.toml``.
        lang: language for callers that name none.
    """

    def __init__(self, send_trial: Callable[[], Awaitable[list[DeliveryTrial]]], lang: str) -> None:
        self._send_trial = send_trial
        self._lang = lang

    async def SendTestMessages(  # noqa: N802  (a name of the service)
        self, _request: admin_pb2.SendTestMessagesRequest, context: Context
    ) -> admin_pb2.TestMessages:
        """Sends a test message to each recipient; says who was reached, and else why not."""
        try:
            trials = await self._send_trial()
        except EntraideError as problem:
            values = {name: str(value) for name, value in problem.values.items()}
            lang = language(context, self._lang)
            return admin_pb2.TestMessages(fault=i18n.error(problem.code, lang, values))
        return admin_pb2.TestMessages(
            messages=[
                admin_pb2.TestMessage(recipient=each.recipient, problem=each.problem)
                for each in trials
            ]
        )
