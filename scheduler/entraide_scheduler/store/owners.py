"""Owners: of whom in a co-op a job, a file or a batch is.

What a person sent is that person's alone. What the keys of a co-op sent is the co-op's: each of its
keys reads it. The identifier of the sender, in the column ``key``, says which of the two it is. A
person's identifier is followed by the start in which it was sent; see ``signin_starts``.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement

from entraide.types import START_MARK, account_of

PERSON_PREFIX = "person-"  # no API key begins with it
FIRST_START = "0"  # a person's first start, which is not written


def person_of(sender: str) -> str:
    """Returns the person who is a sender; "" for an API key.

    >>> person_of("person-0123456789ab.9f3a1c2b"), person_of("key-0123456789ab")
    ('person-0123456789ab', '')
    """
    return account_of(sender) if sender.startswith(PERSON_PREFIX) else ""


def sender_of(person: str, start: str) -> str:
    """Returns the identifier with which a person sends in a start.

    >>> sender_of("person-0123456789ab", "0"), sender_of("person-0123456789ab", "9f3a1c2b")
    ('person-0123456789ab', 'person-0123456789ab.9f3a1c2b')
    """
    return person if start == FIRST_START else f"{person}{START_MARK}{start}"


def is_owned(sender: ColumnElement[str], senders: Sequence[str] = ()) -> ColumnElement[bool]:
    """Returns the condition that a row is a person's; without senders, that it is of an API key.

    Args:
        sender: the column with the identifier of the sender.
        senders: the person, in each start that may be read.
    """
    return sender.in_(senders) if senders else ~sender.startswith(PERSON_PREFIX)


def is_sent_by(sender: ColumnElement[str], person: str) -> ColumnElement[bool]:
    """Returns the condition that a row is a person's, whichever the start."""
    return (sender == person) | sender.startswith(person + START_MARK)
