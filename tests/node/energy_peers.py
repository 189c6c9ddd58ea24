"""Real peers for a node's meters: an inverter, a broker, a home's pages, and counters."""

import asyncio
import contextlib
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

DEADLINE_S = 20.0
FROM = 40_000

# How long each model is (SunSpec's own `L`), for those that the tests serve.
LENGTHS = {1: 66, 103: 50, 113: 60, 124: 24, 203: 105, 213: 124, 701: 153, 713: 7, 802: 62}


def registers(models: dict[int, dict[int, int]]) -> list[int]:
    """A device's list of models: by model, the registers that are not 0 by their offset."""
    listed = [0x5375, 0x6E53]
    for model, filled in models.items():
        block = [model, LENGTHS[model], *[0] * LENGTHS[model]]
        for offset, register in filled.items():
            block[offset] = register & 0xFFFF
        listed += block
    return [*listed, 0xFFFF, 0]


def float_at(offset: int, number: float) -> dict[int, int]:
    """The two registers of a float."""
    high, low = struct.unpack(">HH", struct.pack(">f", number))
    return {offset: high, offset + 1: low}


class Inverter:
    """A Modbus/TCP server with SunSpec registers."""

    def __init__(self, server: ModbusTcpServer) -> None:
        self._server = server
        self.port = int(server.transport.sockets[0].getsockname()[1])

    async def set(self, offset: int, *values: int) -> None:
        """Changes registers, counted from the beginning of the device's list."""
        await self._server.async_setValues(
            1, 16, FROM + offset, [value & 0xFFFF for value in values]
        )


@asynccontextmanager
async def inverter(models: dict[int, dict[int, int]], port: int = 0) -> AsyncIterator[Inverter]:
    """A device that serves these models."""
    data = SimData(address=FROM, values=registers(models), datatype=DataType.REGISTERS)
    server = ModbusTcpServer(SimDevice(id=1, simdata=[data]), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield Inverter(server)
    finally:
        await server.shutdown()


@asynccontextmanager
async def broker(folder: Path, *, port: int, password: str = "") -> AsyncIterator[int]:
    """An MQTT broker, as a process of its own; open to all, or to `node` with a password."""
    gate = "AnonymousAuthPlugin: {allow_anonymous: true}"
    if password:
        from pwdlib import PasswordHash

        (folder / "users").write_text(f"node:{PasswordHash.recommended().hash(password)}\n")
        gate = f"FileAuthPlugin: {{password_file: {folder / 'users'}}}"
    config = folder / "broker.yaml"
    config.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        f"plugins:\n  amqtt.plugins.authentication.{gate}\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await _listens(port):
                assert process.returncode is None, "the broker did not start"
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    await asyncio.sleep(0.05)
    return False


class Home:
    """Pages of a home: Home Assistant's REST API as documented, plugs, anything with JSON.

    Home Assistant asks for a bearer token, says 401 without and 404 for an unknown entity.
    """

    TOKEN = "a-long-lived-token"

    def __init__(self) -> None:
        self.states: dict[str, dict[str, object]] = {}
        self.pages: dict[str, object] = {}
        self.asked: list[str] = []
        self.url = ""

    async def state(self, request: web.Request) -> web.Response:
        """GET /api/states/<entity_id>."""
        if request.headers.get("Authorization") != f"Bearer {self.TOKEN}":
            return web.Response(status=401, text="401: Unauthorized")
        entity = request.match_info["entity"]
        if entity not in self.states:
            return web.json_response({"message": "Entity not found."}, status=404)
        return web.json_response({"entity_id": entity, "context": {}, **self.states[entity]})

    async def page(self, request: web.Request) -> web.Response:
        """Any other page."""
        self.asked.append(request.path_qs)
        reply = self.pages.get(request.path_qs)
        if isinstance(reply, web.Response):
            return reply
        if isinstance(reply, str):
            return web.Response(text=reply)
        return web.json_response(reply, status=200 if reply is not None else 404)


@asynccontextmanager
async def home() -> AsyncIterator[Home]:
    """A home's server on a free port."""
    pages = Home()
    app = web.Application()
    app.router.add_get("/api/states/{entity}", pages.state)
    app.router.add_get("/{path:.*}", pages.page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pages.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield pages
    finally:
        await runner.cleanup()


class Powercap:
    """A processor's counters as Linux shows them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def domain(self, path: str, name: str, *, energy_j: float, wrap_j: float = 262_143.0) -> None:
        """Writes a domain's files."""
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{round(energy_j * 1e6)}\n")
        (folder / "max_energy_range_uj").write_text(f"{round(wrap_j * 1e6)}\n")
