"""The enrolment benchmark on a real llama.cpp."""

from pathlib import Path

import pytest
from tests.engines.support import llamacpp, metrics_when

from entraide.types import Basis
from entraide_node.bench import EngineRates, load_or_measure_rates

pytestmark = pytest.mark.engines


async def test_a_real_engine_is_timed(tmp_path: Path) -> None:
    """A real engine is timed by its own counts, left idle, and not asked again after a restart."""
    path = tmp_path / "bench.json"
    async with llamacpp(slots=4) as engine:
        rates = await load_or_measure_rates(engine, cache_path=path)
        before = await metrics_when(engine, lambda m: m.processing == m.waiting == 0)
    async with llamacpp(slots=4) as engine:
        started = await metrics_when(engine, lambda m: m.processing == m.waiting == 0)
        again = await load_or_measure_rates(engine, cache_path=path)
        after = await metrics_when(engine, lambda m: True)

    assert isinstance(rates, EngineRates)
    assert Basis.MEASURED is rates.basis
    assert rates.prefill_tokens_per_s > rates.decode_tokens_per_s_1 / 10 > 0
    assert rates.decode_tokens_per_s_4 > 0
    assert rates.tpot_base_s >= 0
    assert rates.tpot_per_sequence_s >= 0
    assert rates.tpot_base_s + rates.tpot_per_sequence_s > 0
    assert before.output_tokens_total > 0
    assert rates == again
    assert started.output_tokens_total == after.output_tokens_total
