"""Wait: holds a start up while the system clock is far from the pool's time.

Nothing is changed meanwhile: no certificate, no event, no deletion. The HTTP port answers each
request with 503 and the reason (``wait_answers``). The start goes on by itself once the clock is
near, for instance after its first synchronisation, or once the operator has decided.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from entraide import i18n
from entraide_scheduler.clock_check.decision import read_clock_file
from entraide_scheduler.clock_check.reading import ClockReading, read_clock
from entraide_scheduler.clock_check.wait_answers import make_answer, read_request
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.driver import ClockState
from entraide_scheduler.nats.tls import TlsFiles, make_server_context

LOOK_EVERY_S = 1.0
MINUTE_S = 60.0
MINUTES_A_DAY = 1_440
CONNECTIONS_MAX = 64  # of those who ask while the pool waits
REQUEST_BYTES_MAX = 16_384
BODY_BYTES_MAX = 4 * 1024 * 1024  # that are read, so that the client reads the answer
REQUEST_WAIT_S = 5.0

Report = Callable[..., None]


async def wait_until_decided(config: SchedulerConfig, report: Report | None = None) -> ClockState:
    """Returns where the clock is, once a start may go on.

    Args:
        config: of the scheduler that is to start.
        report: called once with a code and the values of its sentence, if the start has to wait.

    Returns:
        ``BACK`` if the pool is to be set back to the system clock's time.
    """
    if not config.clock.wait:
        return ClockState.RIGHT
    reading = await _look(config)
    if _may_go_on(config, reading):
        return reading.state
    log = structlog.get_logger("entraide.clock")
    async with _answering(config, reading):
        log.error("clock.start_waits", offset_s=round(reading.offset_s), state=reading.state.value)
        if report is not None:
            report(f"pool-clock-{reading.state}", **describe(config.dir, reading))
        while not _may_go_on(config, reading):
            await asyncio.sleep(LOOK_EVERY_S)
            reading = await _look(config)
    log.info("clock.start_goes_on", offset_s=round(reading.offset_s), state=reading.state.value)
    return reading.state


def describe(state: str | Path, reading: ClockReading) -> dict[str, str | int]:
    """Returns the values of the sentences on a clock that is far from the pool's time."""
    minutes = int(abs(reading.offset_s) // MINUTE_S)
    return {"days": minutes // MINUTES_A_DAY, "minutes": minutes, "path": str(state)}


async def _look(config: SchedulerConfig) -> ClockReading:
    return await asyncio.to_thread(read_clock, Path(config.dir), config.effective_store_url)


def _may_go_on(config: SchedulerConfig, reading: ClockReading) -> bool:
    if reading.state is ClockState.RIGHT:
        return True
    return read_clock_file(Path(config.dir)).allows(reading.state, reading.now)


# What the port says meanwhile.


@contextlib.asynccontextmanager
async def _answering(config: SchedulerConfig, reading: ClockReading) -> AsyncIterator[None]:
    """Answers on the HTTP port; a port or a certificate that cannot be used answers nothing."""
    code, values = f"page-clock-{reading.state}", describe("", reading)
    page = "".join(
        f'<p lang="{lang}">{i18n.text(code, lang, **values)}</p>' for lang in i18n.LANGUAGES
    )
    pool_lang = i18n.lang_of(config.lang)
    open_connections = asyncio.Semaphore(CONNECTIONS_MAX)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not open_connections.locked():
                async with open_connections, asyncio.timeout(REQUEST_WAIT_S):
                    request = read_request(await reader.readuntil(b"\r\n\r\n"))
                    await _skip(reader, min(request.body_bytes, BODY_BYTES_MAX))
                    writer.write(make_answer(request, page, pool_lang))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(
            serve, config.http.host, config.http.port, ssl=_make_context(config),
            limit=REQUEST_BYTES_MAX,
        )  # fmt: skip
    except (OSError, ValueError) as problem:
        structlog.get_logger("entraide.clock").warning("clock.no_page", problem=str(problem))
        yield
        return
    try:
        yield
    finally:
        server.close()  # a client that does not hang up must not hold the start up


async def _skip(reader: asyncio.StreamReader, size: int) -> None:
    while size > 0 and (data := await reader.read(min(size, REQUEST_BYTES_MAX))):
        size -= len(data)


def _make_context(config: SchedulerConfig) -> ssl.SSLContext | None:
    """Returns the context of the certificate as it is; None for plain text."""
    http, tls = config.http, config.tls
    if http.plain or not (http.cert_file or tls.is_set):
        return None
    folder = Path(config.dir) / "tls"
    cert = http.cert_file or tls.cert_file or str(folder / "server.pem")
    key = http.key_file or tls.key_file or str(folder / "server.key")
    return make_server_context(TlsFiles(Path(), Path(cert), Path(key)))
