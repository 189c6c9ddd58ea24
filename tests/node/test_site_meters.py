"""A site's meters over time: what is advertised, when it is renewed, and when it ends."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.node.energy_peers import Home, home, inverter
from tests.node.support import MODEL, Peer, ScriptedEngine, configure, end, run, serving
from tests.waiting import eventually

from entraide import i18n
from entraide.types import Basis, EnergyStatus
from entraide.wire.messages import Heartbeat, Hello, UsageReport
from entraide_node.config import EnergyConfig, NodeConfig, dump_config, load_config
from entraide_node.energy.cli_output import energy_sentences
from entraide_node.energy.meters import PlugMeter
from entraide_node.energy.site_meters import SiteMeters, SiteStatus
from entraide_node.energy.source_config import Http, Sunspec
from entraide_node.energy.source_factory import make_source
from entraide_node.engines.base import EngineChunk
from entraide_node.owner import files as owner_files

LOCAL = "127.0.0.1"


class Sun:
    """A site of two pages, generation and use, on a clock of the test's."""

    def __init__(self, page: Home, folder: Path, *, battery: str = "", **keys: object) -> None:
        self.page = page
        self.now = 0.0
        self.added_w = 0.0
        config = EnergyConfig(
            generation=Http(url=f"{page.url}/pv", path="w"),
            use=Http(url=f"{page.url}/use", path="w"),
            battery=Http(url=page.url + battery, path="w") if battery else None,
            stale_s=60.0,
        )
        self.site = SiteMeters(
            replace(config, **keys), folder, added_w=lambda: self.added_w, now=lambda: self.now
        )

    async def says(self, pv_w: float | str, use_w: float | str) -> EnergyStatus | None:
        """Lets the pages say something, asks them, and returns what is advertised."""
        self.page.pages["/pv"], self.page.pages["/use"] = {"w": pv_w}, {"w": use_w}
        await self.site.poll()
        values = self.site._values
        self.now = max([self.now, *(value.at for value in values.values())])
        return self.site.current_status(self.now)


@asynccontextmanager
async def sunny(folder: Path, **keys: Any) -> AsyncIterator[Sun]:
    """A site with a home's server, until the test is over."""
    async with home() as page:
        sun = Sun(page, folder, **keys)
        try:
            yield sun
        finally:
            await sun.site.close()


async def test_a_surplus_is_advertised(tmp_path: Path) -> None:
    """The surplus of two meters is advertised as measured, with their kinds and its expiry."""
    async with sunny(tmp_path) as sun:
        status = await sun.says(900, 300)

    assert status is not None
    assert (600.0, Basis.MEASURED, "http") == (status.surplus_w, status.basis, status.evidence)
    assert 60.0 == status.expires_at - status.measured_at


async def test_the_nodes_own_work_is_no_loss(tmp_path: Path) -> None:
    """While the node works the house uses more by just that, and the surplus stays."""
    async with sunny(tmp_path) as sun:
        at_rest = await sun.says(900, 300)
        sun.added_w = 200.0
        at_work = await sun.says(900, 500)

    assert at_rest == at_work


async def test_small_changes_are_not_told(tmp_path: Path) -> None:
    """A small change of the surplus is not advertised; a large one is."""
    async with sunny(tmp_path) as sun:
        statuses = [await sun.says(pv_w, 300) for pv_w in (900, 915, 880, 960, 301, 300)]

    assert [600.0, 600.0, 600.0, 660.0, 1.0, 0.0] == [
        t.surplus_w for t in statuses if t is not None
    ]
    assert statuses[0] == statuses[1] == statuses[2]


async def test_a_standing_surplus_is_renewed(tmp_path: Path) -> None:
    """The same surplus is advertised again after half of its validity."""
    async with sunny(tmp_path) as sun:
        first = await sun.says(900, 300)
        assert first is not None
        sun.site._advertised = replace(first, expires_at=first.expires_at - 31.0)
        second = await sun.says(900, 300)

    assert second is not None
    assert first.expires_at <= second.expires_at


async def test_a_silent_meter_ends_the_surplus(tmp_path: Path) -> None:
    """A meter without a fresh value ends the surplus, and is named."""
    async with sunny(tmp_path) as sun:
        first = await sun.says(900, 300)
        assert first is not None
        sun.page.pages.clear()
        await sun.site.poll()
        before = sun.site.current_status(first.measured_at + 60.0)
        sun.now = first.measured_at + 61.0
        after, status = sun.site.current_status(sun.now), sun.site.status()

    assert first == replace(before, expires_at=first.expires_at) if before else False
    assert after is None
    assert ("generation", "unavailable") == (status.role, status.fault)


@pytest.mark.parametrize("lie", ["dark", "nan", 2e9])
async def test_what_is_no_power_is_no_surplus(lie: float | str, tmp_path: Path) -> None:
    """A meter with a text, without a number or with an absurd value gives no surplus."""
    async with sunny(tmp_path) as sun:
        status = await sun.says(lie, 300)

    assert status is None


async def test_declared_use_weakens_what_is_measured(tmp_path: Path) -> None:
    """A measured generation less a declared use is declared."""
    async with sunny(tmp_path, use=None, own_use_w=250.0) as sun:
        status = await sun.says(900, 300)

    assert status is not None
    assert (650.0, Basis.DECLARED) == (status.surplus_w, status.basis)


async def test_a_battery_that_is_silent_could_take_all(tmp_path: Path) -> None:
    """With a battery whose meter gives no value, no surplus is known."""
    async with sunny(tmp_path, battery="/battery") as sun:
        silent = await sun.says(900, 300)
        sun.page.pages["/battery"] = {"w": 100}
        heard = await sun.says(900, 300)

    assert silent is None
    assert heard is not None
    assert 500.0 == heard.surplus_w


# Through a whole agent, on a real bus.


async def test_an_agent_with_meters(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A node with an inverter, a house meter and a plug advertises and charges their values."""
    engine = ScriptedEngine()
    async with (
        inverter({1: {}, 103: {14: 90, 15: 1}}) as roof,
        home() as page,
    ):
        page.pages["/use"] = {"w": 300}
        page.pages["/plug"] = {"apower": 20.0}
        energy = EnergyConfig(
            generation=Sunspec(host=LOCAL, port=roof.port),
            use=Http(url=f"{page.url}/use", path="w"),
            every_s=1.0,
        )
        config = configure(bus, tmp_path, energy=energy)
        plug = make_source(
            Http(url=f"{page.url}/plug", shape="shelly"), role="meter", folder=tmp_path
        )
        async with serving(config, engine, meters=(PlugMeter(plug),)) as agent:
            await eventually(lambda: any(
                b.energy is not None and b.energy.surplus_w == 600.0
                for b in peer.said(Heartbeat)
            ))  # fmt: skip
            await eventually(lambda: agent._power_sampler._energy.idle_w is not None)
            page.pages["/plug"] = {"apower": 56.0}
            await peer.send(run("job-1"))
            await eventually(lambda: agent._power_sampler._energy._added_w is not None)
            engine.say("job-1", EngineChunk(b"", 1))
            engine.say("job-1", end())
            usage = (await peer.hear(UsageReport)).usage
            await eventually(lambda: peer.said(Hello)[-1].card.power.basis is Basis.MEASURED)
            card = peer.said(Hello)[-1].card
            # A reading during the run adds the run's own 36 W to the surplus; the next does not.
            await eventually(lambda: "600" in "".join(status_sentences(tmp_path)))
            sentences = status_sentences(tmp_path)

    assert Basis.MEASURED == usage.energy_basis
    assert usage.energy_prefill_uwh > 0
    assert MODEL == card.replicas[0].model
    assert 20.0 == card.power.idle_w
    assert 56.0 == pytest.approx(card.power.active_w, rel=0.1)
    assert [
        "Its machine draws 56\u00a0W, measured by the Shelly plug.",
        "Its site has a surplus of 600\u00a0W, measured by SunSpec, HTTP, just now.",
    ] == sentences


def status_sentences(folder: Path) -> list[str]:
    """The sentences on energy of the agent's status, as of the moment of its reading."""
    status = owner_files.read_status(folder, now=agent_now(folder))
    assert status is not None
    return list(energy_sentences(replace(status, site=replace(status.site, age_s=0.0)), "en"))


def agent_now(folder: Path) -> float:
    """When the agent last wrote its status."""
    import msgspec

    return float(
        msgspec.json.decode(
            (folder / owner_files.STATUS_NAME).read_bytes(), type=owner_files.NodeStatus
        ).written_at
    )


async def test_declared_stands_in(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """While the meters give no value, the owner's declaration is advertised, as declared."""
    energy = EnergyConfig(
        surplus_w=400.0, evidence="panels", grid=Http(url="http://127.0.0.1:1/", path="w")
    )
    async with serving(configure(bus, tmp_path, energy=energy), ScriptedEngine()):
        beat = await peer.hear(Heartbeat)

    assert beat.energy is not None
    assert (400.0, Basis.DECLARED, "panels") == (
        beat.energy.surplus_w, beat.energy.basis, beat.energy.evidence,
    )  # fmt: skip


async def test_meters_alone_declare_nothing(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Where meters are named, nothing is declared and they are silent, nothing is advertised."""
    energy = EnergyConfig(grid=Http(url="http://127.0.0.1:1/", path="w"))
    async with serving(configure(bus, tmp_path, energy=energy), ScriptedEngine()):
        beat = await peer.hear(Heartbeat)

    assert beat.energy is None


SILENT = {
    "fr": (
        "Le compteur du site pour la production ne donne aucun relevé (l’appareil est"
        " injoignable). D’ici là, son énergie compte comme tirée du réseau électrique."
    ),
    "en": (
        "The site's meter of generation gives no reading: it cannot be reached. Until it does,"
        " the node's energy counts as drawn from the grid."
    ),
}


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_a_silent_meter_in_a_sentence(lang: str) -> None:
    """The status names the meter without a value, the reason, and the consequence."""
    status = owner_files.NodeStatus(
        node="mini", coop="boreale", zone="CA-QC", pool="", pid=1, started_at=0.0, state="ready",
        values={}, written_at=0.0, site=SiteStatus(role="generation", fault="unreachable"),
    )  # fmt: skip

    assert SILENT[lang] == list(energy_sentences(status, lang))[-1]


@pytest.mark.checkout
def test_the_page_of_meters_names_every_key(tmp_path: Path) -> None:
    """The examples in the reference are read as they stand, and no key is left out of the page."""
    page = Path("docs/reference/meters.md").read_text("utf-8")
    examples = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]
    path = tmp_path / "node.toml"
    path.write_text(
        dump_config(NodeConfig(node="n", coop="c", zone="CA-QC", nats_urls=("nats://h",)))
    )
    head = path.read_text().partition("\n\n[")[0]
    path.write_text("\n".join([head, *examples]))
    config = load_config(path)
    assert config.energy is not None
    structs = (config.power, config.energy, *config.energy.sources.values(), config.power.meter)
    keys = {key for struct in structs for key in struct.__struct_fields__}

    assert [] == sorted(key for key in keys if not re.search(rf"\b{key}\b", page))
