"""A decoder of foreign bytes, as the property test and the house's list of decoders see it."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from msgspec import Struct


class Case(Struct, frozen=True):
    """A decoder, what it is given, and how it may refuse.

    Attributes:
        read: gives the bytes to the decoder; what needs a file writes it into the folder.
        given: the bytes.
        refusals: the errors that it may raise.
        sites: ``module:function`` of each place in our packages that is decoded at.
    """

    read: Callable[[bytes, Path], object]
    given: st.SearchStrategy[bytes]
    refusals: tuple[type[Exception], ...] = ()
    sites: tuple[str, ...] = ()
