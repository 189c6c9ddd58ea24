"""The demonstration asks what its toy model can answer."""

import pytest
from tests.integration.local_pool import RunningPool

from entraide_scheduler.up.demo import QUESTION, TOKENS_MAX

pytestmark = pytest.mark.engines  # a real pool with the real toy model


def test_the_toy_model_answers_in_readable_french(pool: RunningPool) -> None:
    """At temperature 0 the answer is the sentence of the question, whole, in each province."""
    for coop in ("boreale", "grands-lacs", "prairie"):
        status, _, body = pool.chat(QUESTION, tokens=TOKENS_MAX, coop=coop)
        choice = body["choices"][0]

        assert (200, "stop") == (status, choice["finish_reason"])
        assert "member" == body["entraide"]["controlled_by"]
        answer = "Une coopérative appartient à ses membres, qui la dirigent ensemble."
        assert answer == choice["message"]["content"].strip()
