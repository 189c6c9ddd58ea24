"""Headers for what the quotas leave, as OpenAI's clients read them."""

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.gateway_support import Pool, ask, open_pool

from entraide.wire.cards import QuotaLeft
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.views import QuotaView
from entraide_scheduler.driver.quotas_left import find_quotas_left

PREFIX = "x-ratelimit-"


def limits(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the headers of limits, without the times."""
    names = {name.lower(): value for name, value in headers.items()}
    return {
        name.removeprefix(PREFIX): value
        for name, value in names.items()
        if name.startswith(PREFIX) and "reset" not in name
    }


async def answered(pool: Pool, **fields: Any) -> Mapping[str, str]:
    pending = asyncio.ensure_future(pool.send(ask(max_tokens=100, **fields)))
    (await pool.placed()).finish()
    async with await pending as answer:
        await answer.read()
        headers: Mapping[str, str] = answer.headers
    return headers


async def test_headers_say_what_the_quotas_leave(tmp_path: Path) -> None:
    """Each answer, streamed or not, says what is left after it; a refusal, when there is more."""
    quotas = (
        Quota(QuotaKind.REQUESTS, 2, Period.DAY),
        Quota(QuotaKind.REQUESTS, 9, Period.MONTH),
        Quota(QuotaKind.TOKENS, 100_000, Period.DAY),
        Quota(QuotaKind.ENERGY_WH, 9_000, Period.DAY),
    )
    async with open_pool(tmp_path, quotas=quotas) as pool:
        for period, ends_in_s in ((Period.DAY, 3_600.0), (Period.MONTH, 86_400.0)):
            pool.driver.feed(
                e.PeriodBegan(*e.UNNUMBERED, period=period, ends_at=time.time() + ends_in_s)
            )
        first, second = await answered(pool), await answered(pool, stream=True)
        async with pool.send(ask()) as refused:
            error = (await refused.json())["error"]

    assert ("2", "1") == (
        limits(first)["limit-requests"],
        limits(first)["remaining-requests"],
    )
    assert "100000" == limits(first)["limit-tokens"]
    assert 99_000 < int(limits(second)["remaining-tokens"]) < 100_000
    assert ("0", "0") == (
        limits(second)["remaining-requests"],
        limits(refused.headers)["remaining-requests"],
    )
    assert (429, "quota_requests") == (refused.status, error["code"])
    assert int(refused.headers["retry-after"]) > 0
    assert re.fullmatch(r"1h0m0s|59m\d+s", refused.headers["x-ratelimit-reset-requests"])


async def test_without_quotas_there_are_no_headers(tmp_path: Path) -> None:
    """What the policy does not limit is not said."""
    async with open_pool(tmp_path) as pool:
        assert {} == limits(await answered(pool))


def view(kind: QuotaKind, limit: int, left: float, ends_at: float | None, **owner: str) -> Any:
    return QuotaView(kind, Period.DAY, limit, limit - left, 0.0, left, ends_at, **owner)


REQUESTS, TOKENS = QuotaKind.REQUESTS, QuotaKind.TOKENS
STRICTEST: dict[str, tuple[tuple[Any, ...], tuple[QuotaLeft, ...]]] = {
    "nothing": ((), ()),
    "the least": (
        (view(REQUESTS, 9, 5, 60.0), view(REQUESTS, 4, 2, 90.0)),
        (QuotaLeft("requests", 4, 2, 80.0),),
    ),
    "the longest of equal ones": (
        (view(TOKENS, 9, 5, 60.0), view(TOKENS, 5, 5, 90.0)),
        (QuotaLeft("tokens", 5, 5, 80.0),),
    ),
    "one's own": (
        (view(TOKENS, 9, 1, 60.0, key="other"), view(TOKENS, 9, 3, 60.0, project="main")),
        (QuotaLeft("tokens", 9, 3, 50.0),),
    ),
    "what has a period": ((view(REQUESTS, 9, 1, None), view(QuotaKind.CARBON_G, 9, 1, 60.0)), ()),
}


@pytest.mark.parametrize("name", STRICTEST)
def test_the_strictest_quota_decides(name: str) -> None:
    """Of several quotas of a kind, the one that leaves least to the sender is told."""
    quotas, expected = STRICTEST[name]

    assert expected == find_quotas_left(quotas, project="main", key="key-1", now=10.0)
