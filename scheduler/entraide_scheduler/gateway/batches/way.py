"""Way: the places of the servers that a file, a batch and its answers pass.

In: what a request or a batch names, and where its text passes: the pool's server, this gateway if
it stands elsewhere, and the gateways elsewhere through which a file or a batch came. Out: a
refusal, as for any request; or the places, which its lines' receipts name.
"""

from collections.abc import Callable

import msgspec

from entraide.decoding import MsgpackDecoder, decode_msgpack
from entraide.types import Control, RequestFacts, ServerPlace
from entraide_scheduler.core.rules import PlaceWish, Values, find_place_fault
from entraide_scheduler.gateway.chat import PoolFields
from entraide_scheduler.gateway.jobs import Options
from entraide_scheduler.gateway.refusals import ErrorReply, Refused
from entraide_scheduler.store.rows import BatchRow

Places = tuple[ServerPlace, ...]
_places = MsgpackDecoder[Places](Places)


class Way:
    """The way of what passes this gateway.

    Args:
        find_places: returns where the pool's server stands, then this gateway if elsewhere.
    """

    def __init__(self, find_places: Callable[[], Places]) -> None:
        self._find_places = find_places

    def encode_passed(self, before: bytes = b"") -> bytes:
        """Returns the places of the gateways elsewhere, this one included, for the store."""
        passed = dict.fromkeys((*read_passed(before), *self._find_places()[1:]))
        return msgspec.msgpack.encode(tuple(passed)) if passed else b""

    def check(self, options: Options, before: bytes = b"") -> None:
        """Checks what a request names against its way.

        Args:
            options: the request's, which are valid.
            before: encoded places of the gateways that its text has passed already.

        Raises:
            Refused: ``place_unknown``, ``place_outside``.
        """
        self._check(options.jurisdiction, Control(options.controlled_by), read_passed(before))

    def check_answers(self, row: BatchRow) -> None:
        """Checks what the lines of a batch name before their answers pass this gateway.

        Raises:
            Refused: ``place_unknown``, ``place_outside``.
        """
        for jurisdiction, controlled_by in row.progress.wishes:
            self._check(jurisdiction, controlled_by, ())

    def fits(self, row: BatchRow) -> bool:
        """Whether what a client said in a batch, its metadata for instance, may pass here."""
        common = decode_msgpack(row.options, type=PoolFields) if row.options else PoolFields()
        own = (common.jurisdiction or "", Control(common.controlled_by or ""))
        return not any(self._find_fault(*wish, ()) for wish in (own, *row.progress.wishes))

    def fits_job(self, facts: RequestFacts) -> bool:
        """Whether the texts of a kept job may pass here."""
        return not self._find_fault(facts.jurisdiction, facts.controlled_by, ())

    def _check(self, jurisdiction: str, controlled_by: Control, before: Places) -> None:
        if fault := self._find_fault(jurisdiction, controlled_by, before):
            raise Refused(ErrorReply(*fault))

    def _find_fault(
        self, jurisdiction: str, controlled_by: Control, before: Places
    ) -> tuple[str, Values] | None:
        wish = PlaceWish(jurisdiction, controlled_by, (*self._find_places(), *before))
        return find_place_fault(wish, wish)


def read_passed(encoded: bytes) -> Places:
    """Returns stored places."""
    return _places.decode(encoded) if encoded else ()


def find_wish(facts: RequestFacts) -> tuple[str, Control] | None:
    """Returns what a line names, if it can have an answer: the servers on its way satisfy it."""
    fault = find_place_fault(facts, facts)
    return None if fault else (facts.jurisdiction, facts.controlled_by)
