"""Weight sharing: serves verified weights to other machines of the site, if the owner enabled it.

It serves private addresses only, files of the catalogue that were verified only, and at most
``SENDS_MAX`` connections; it discovers other sharing machines by mDNS. Before ``start`` nothing
listens. Sharing needs no trust: the receiver verifies each file, and the weights are public.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from typing import Any

import psutil
from aiohttp import web
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import (
    AsyncServiceBrowser,
    AsyncServiceInfo,
    AsyncZeroconf,
)

from entraide.catalogue.model_store import ModelStore
from entraide_node.engines.base import EngineProblem

SERVICE = "_entraide-models._tcp.local."
SENDS_MAX = 4  # concurrent transfers
KEEP_ALIVE_S = 5.0
NEIGHBOURS_MAX = 32
ASK_TIMEOUT_MS = 3_000
STOP_GRACE_S = 2.0


class WeightShare:
    """Serves weights on the site, and knows the other machines that do.

    Args:
        store: of the served files.
        addresses: of this machine, to listen on; None for all its private ones.
    """

    def __init__(self, store: ModelStore, *, addresses: Sequence[str] | None = None) -> None:
        self._store = store
        self._addresses = addresses
        self._name = f"entraide-{secrets.token_hex(4)}.{SERVICE}"
        self._transfers: set[asyncio.Task[None]] = set()  # current transfers
        self._neighbours: dict[str, str] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self.port = 0

    def neighbours(self) -> tuple[str, ...]:
        """Returns the base addresses of the sharing machines, for ``fetch.WeightSources``."""
        return tuple(self._neighbours[name] for name in sorted(self._neighbours))

    async def start(self) -> EngineProblem | None:
        """Listens and announces it; after ``share_failed`` nothing listens."""
        try:
            addresses = list(self._addresses or private_addresses())
            if not addresses:
                return EngineProblem("share_failed", {"detail": "no private address"})
            await self._listen(addresses)
            await self._announce(addresses)
        except Exception as problem:  # noqa: BLE001  (zeroconf's have no common root)
            await self.stop()
            return EngineProblem("share_failed", {"detail": str(problem) or repr(problem)})
        return None

    async def stop(self) -> None:
        """Withdraws the announcement and stops listening; may be called again."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        browser, self._browser = self._browser, None
        if browser is not None:
            await browser.async_cancel()
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self._neighbours.clear()

    async def _listen(self, addresses: Sequence[str]) -> None:
        app = web.Application()
        app.router.add_get("/{model}/{weights}/{name:.+}", self._send_file)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=STOP_GRACE_S, keepalive_timeout=KEEP_ALIVE_S
        )
        await self._runner.setup()
        self.port = 0
        for address in addresses:
            site = web.TCPSite(self._runner, address, self.port)
            await site.start()
            if not self.port:
                self.port = int(self._runner.addresses[0][1])

    async def _announce(self, addresses: Sequence[str]) -> None:
        self._zeroconf = AsyncZeroconf(interfaces=list(addresses), ip_version=IPVersion.V4Only)
        info = AsyncServiceInfo(
            SERVICE,
            self._name,
            port=self.port,
            addresses=[socket.inet_aton(address) for address in addresses],
            properties={"v": "1"},
        )
        await self._zeroconf.async_register_service(info)
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, [SERVICE], handlers=[self._on_service_change]
        )

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        if not is_private(request.remote or ""):
            raise web.HTTPForbidden
        match = request.match_info
        place = f"{match['model']}/{match['weights']}"
        path = await asyncio.to_thread(self._store.find_shared, place, match["name"])
        if path is None:
            raise web.HTTPNotFound
        self._transfers = {transfer for transfer in self._transfers if not transfer.done()} | {
            request.task
        }
        if len(self._transfers) > SENDS_MAX:
            self._transfers.discard(request.task)
            raise web.HTTPServiceUnavailable
        return web.FileResponse(path)

    def _on_service_change(
        self, zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if name == self._name:
            return
        if state_change is ServiceStateChange.Removed:
            self._neighbours.pop(name, None)
            return
        task = asyncio.get_running_loop().create_task(self._resolve(zeroconf, service_type, name))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _resolve(self, zeroconf: Any, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, ASK_TIMEOUT_MS) or not info.port:
            return
        addresses = info.parsed_addresses(IPVersion.V4Only)
        near = next((address for address in addresses if is_private(address)), None)
        if near is not None and len(self._neighbours) < NEIGHBOURS_MAX:
            self._neighbours[name] = f"http://{near}:{info.port}"


def private_addresses() -> tuple[str, ...]:
    """Returns this machine's IPv4 addresses on private networks, without the loopback."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    addresses_found = {
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET and name in up and is_private(address.address)
    }
    return tuple(
        sorted(
            address for address in addresses_found if not ipaddress.ip_address(address).is_loopback
        )
    )


def is_private(address: str) -> bool:
    """Whether an address belongs to a private network or to this machine.

    >>> is_private("192.168.1.20"), is_private("8.8.8.8"), is_private("nowhere")
    (True, False, False)
    """
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False
