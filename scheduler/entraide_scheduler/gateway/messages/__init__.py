"""Messages: Anthropic's Messages API, by way of a chat.

Input: a request of that API, and a chat's answer. Output: a chat, and the answer in that API's
form.

``messages_fields`` are the accepted fields, ``messages`` translates a request, ``messages_answer``
the answer.
"""

from entraide_scheduler.gateway.messages import messages, messages_answer
from entraide_scheduler.gateway.messages.messages_answer import MessagesAnswer
from entraide_scheduler.gateway.messages.messages_fields import MessagesRequest

__all__ = [
    "MessagesAnswer",
    "MessagesRequest",
    "messages",
    "messages_answer",
]
