"""The deadlines of a connection, on the loop that gateways run on."""

import asyncio

import uvloop

from entraide_scheduler.gateway.http.connection_deadlines import ConnectionDeadlines


def test_a_deadline_may_be_set_again_though_it_is_over() -> None:
    """uvloop then gives a handle that cannot say when it is called."""

    async def set_twice() -> list[str]:
        called: list[str] = []
        loop = asyncio.get_running_loop()
        deadlines = ConnectionDeadlines(
            loop, lambda: called.append("stage"), lambda: called.append("unread")
        )
        deadlines.set_stage(-1.0)
        deadlines.set_stage(0.0)
        while not called:  # noqa: ASYNC110 - a turn of the loop, no time
            await asyncio.sleep(0)
        return called

    assert ["stage"] == uvloop.run(set_twice())
