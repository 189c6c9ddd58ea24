"""Owners: of whom in a co-op a job, a file or a batch is.

What a person sent is that person's alone. What the keys of a co-op sent is the co-op's: each of its
keys reads it. The identifier of the sender, in the column ``key``, says which of the two it is.
"""

from sqlalchemy import Column, ColumnElement

PERSON_PREFIX = "person-"  # no API key begins with it


def person_of(key: str) -> str:
    """Returns the person who is a sender; "" for an API key.

    >>> person_of("person-0123456789ab"), person_of("key-0123456789ab")
    ('person-0123456789ab', '')
    """
    return key if key.startswith(PERSON_PREFIX) else ""


def is_owned(sender: Column[str], person: str) -> ColumnElement[bool]:
    """Returns the condition that a row is a person's; without one, that it is of an API key.

    Args:
        sender: the column with the identifier of the sender.
        person: the person, or "".
    """
    return sender == person if person else ~sender.startswith(PERSON_PREFIX)
