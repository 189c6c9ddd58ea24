"""Pauses: a replica that declined a run takes no other for a moment; each pause has its end."""

import pytest
from tests.core.builders import Pool, card, of, placed, replica

from entraide_scheduler.core import commands


@pytest.mark.parametrize("codes", [("not_loaded", "full"), ("full", "not_loaded")])
def test_a_pause_ends_by_itself_whatever_pauses_beside_it(
    pool: Pool, codes: tuple[str, str]
) -> None:
    """A full replica waits a second, one that is not loaded ten, in either order on one node."""
    pool.join(card("n1", replicas=(replica("petit", slots=1), replica("grand", slots=1))))
    model_of = {"full": "petit", "not_loaded": "grand"}
    for code in codes:
        pool.decline(placed(pool, code, model=model_of[code]), code)
    began, ends = pool.now, {}
    while pool.now < began + 11.0:
        for place in of(pool.wait(0.5, seen=("n1",)), commands.Place):
            ends[place.job] = pool.now - began
            pool.report(place)

    assert {"full": pytest.approx(1.0), "not_loaded": pytest.approx(10.0)} == ends
