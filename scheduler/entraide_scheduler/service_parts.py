"""Service parts: the parts of a scheduler process that others are made from, and their links."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from entraide.catalogue.model_store import WEIGHTS_FOLDER
from entraide.i18n import lang_of
from entraide.types import NodeState
from entraide.wire.bus_connection import BusConnection
from entraide_scheduler.books import ClosingTerms, MonthCloser, export_in_child
from entraide_scheduler.bus import TermClaim
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.config import SchedulerConfig, load_first_policy
from entraide_scheduler.control.erasing import Erasing
from entraide_scheduler.control.incident_admin import IncidentAdmin
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.control.person_admin import PersonAdmin
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.driver import LiveDriver, SchedulerElsewhere
from entraide_scheduler.findings import Finding
from entraide_scheduler.gateway import Gateway, ReceiptSigner
from entraide_scheduler.gateway.machines import NodePasses, WeightServer
from entraide_scheduler.gateways import GatewayListener, ZoneSources
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.grid.sources import GridSources
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nodes import (
    REVOKED,
    Enrolment,
    NodeListener,
    NodeRegistry,
    PoolFacts,
    UnrecordedKeys,
)
from entraide_scheduler.notifications import READERS_MAX, Notifier, Pool, Reader
from entraide_scheduler.store import people
from entraide_scheduler.store.closed_files import ClosedFiles
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.rows import PolicyRow
from entraide_scheduler.store.store import Store

GRID_FOLDER = "grid"


class Parts(Struct, frozen=True):
    """What a service has while it runs."""

    bus: BusConnection
    store: Store
    identity: PoolIdentity
    policy: Policy
    signer: ReceiptSigner
    driver: LiveDriver
    registry: NodeRegistry
    catalogue: PoolCatalogue
    enrolment: Enrolment
    feed: IntensityFeed
    gateway: Gateway
    node_listener: NodeListener
    gateway_listener: GatewayListener
    unrecorded_keys: UnrecordedKeys


async def load_policy(store: Store, config: SchedulerConfig) -> Policy:
    """Returns the policy in force, at the first start that of the configuration."""
    policy = await store.get_policy()
    if policy is None:
        policy = load_first_policy(config)
        await store.put_policy(policy, PolicyRow(policy.version, at=time.time()))
    return policy


def feed_catalogue(catalogue: PoolCatalogue, driver: LiveDriver) -> None:
    """Feeds the catalogue in force to the core, now and after each change."""

    def feed_if_changed() -> None:
        if driver.core.catalogue() != catalogue.catalogue:
            driver.feed(e.CatalogueChanged(*e.UNNUMBERED, catalogue=catalogue.catalogue))

    feed_if_changed()
    catalogue.add_listener(feed_if_changed)


def align_fleet(registry: NodeRegistry, driver: LiveDriver) -> None:
    """Ends the service of nodes that are revoked or have no record, as after a restore."""
    for view in driver.core.nodes():
        card, row = view.card, registry.get(view.card.node)
        if row is None:
            number = number_node(card.node_key)
            driver.feed(e.NodeForgotten(*e.UNNUMBERED, node=card.node, number=number))
        elif row.approval == REVOKED and view.state is not NodeState.LEFT:
            driver.feed(e.NodeLeft(*e.UNNUMBERED, node=card.node, reason="revoked"))


async def end_superseded(parts: Parts, claim: TermClaim) -> None:
    """Ends a scheduler when another one on the bus has a higher term.

    If its own store has that term, it may start again and wait; otherwise it may not.
    """
    try:
        await parts.store.committed()
    except Exception as problem:  # noqa: BLE001  (``TermLost``, or what halted the store before)
        parts.driver.fail(problem)
    else:
        parts.driver.fail(SchedulerElsewhere(claim.leader, claim.term))


def make_weight_server(
    config: SchedulerConfig, home: Path, passes: NodePasses, catalogue: PoolCatalogue
) -> WeightServer:
    """Returns the server of the weights in the pool's folders."""
    folders = [home / WEIGHTS_FOLDER, *map(Path, config.weights_folders)]
    return WeightServer(catalogue=lambda: catalogue.catalogue, folders=folders, passes=passes)


def find_zone_sources(feed: IntensityFeed, at: float) -> ZoneSources:
    """Returns where each zone's intensity is from, and the time of that data."""
    sourced = feed.sources_at(at)
    return {each.reading.zone: (each.source.value, each.data_at) for each in sourced}


def make_grid_sources(
    config: SchedulerConfig, parts: Parts, home: Path, on_change: Callable[[], None]
) -> GridSources:
    """Returns the sources of the zones' intensities, not loaded yet."""
    return GridSources(
        config.grid.electricity_maps,
        parts.feed,
        store=parts.store,
        folder=home / GRID_FOLDER,
        now=parts.driver.now,
        on_change=on_change,
    )


def make_notifier(
    parts: Parts, config: SchedulerConfig, watched: Callable[[], Sequence[Finding]]
) -> Notifier:
    """Returns what tells the operator and the lenders of findings, once it is started.

    Args:
        parts: of the service.
        config: of the scheduler.
        watched: returns what the running scheduler finds.
    """

    def describe_pool() -> Pool:
        url = config.http.public or parts.gateway.url
        return Pool(config.pool, url, lang_of(config.lang), config.timezone)

    async def read_readers() -> list[Reader]:
        rows = await parts.store.read(lambda c: people.list_machine_readers(c, READERS_MAX))
        return [
            Reader(row.person, row.coop, row.email, row.lang)
            for row in rows
            if row.may_have_machine_mail
        ]

    return Notifier(
        Path(config.dir), config.smtp, pool=describe_pool, watched=watched,
        coops=lambda: {row.node: row.coop for row in parts.registry.list_nodes()},
        read_readers=read_readers, now=parts.driver.now,
    )  # fmt: skip


def make_enrolment(
    config: SchedulerConfig,
    ca_pem: str,
    *,
    driver: LiveDriver,
    store: Store,
    registry: NodeRegistry,
    identity: PoolIdentity,
    signing_key: str,
) -> Enrolment:
    """Returns what lets machines join.

    Args:
        config: of the scheduler.
        ca_pem: certificate of the pool's CA, which nodes trust unless the bus has another.
        driver: of the core.
        store: holds the records.
        registry: the nodes that have joined.
        identity: of the pool.
        signing_key: public key of the catalogue.
    """
    nats = config.nats
    return Enrolment(
        store=store,
        registry=registry,
        identity=identity,
        now=driver.now,
        approval=lambda: driver.policy.approval,
        facts=PoolFacts(
            nats_urls=nats.node_urls or nats.urls,
            ca_pem=Path(nats.ca_file).read_text("ascii") if nats.ca_file else ca_pem,
            pool=config.pool,
            signing_key=signing_key,
        ),
    )


def start_closing(parts: Parts, config: SchedulerConfig) -> MonthCloser:
    """Lets the store read closed months, and returns what closes them until it is stopped."""
    home = Path(config.dir)
    parts.store.closed = ClosedFiles(home, parts.signer.keys)
    terms = ClosingTerms(
        store_url=config.effective_store_url,
        home=home,
        pool=config.pool,
        timezone=config.timezone,
        grace_days=config.books.grace_days,
    )
    closer = MonthCloser(parts.store, terms, parts.driver.now, export_in_child)
    closer.start()
    return closer


def make_erasing(parts: Parts, home: Path, find_backup: Callable[[], tuple[float, str]]) -> Erasing:
    """Returns what erases persons, which keeps the lists of erasures until it is stopped.

    Args:
        parts: of the service.
        home: the pool's directory.
        find_backup: returns when the last backup was made, and its path.
    """
    erasing = Erasing(
        store=parts.store,
        people=parts.gateway.signin.people,
        registry=parts.registry,
        home=home,
        end_work=parts.gateway.end_work,
        broadcast=parts.gateway_listener.broadcast,
        find_backup=find_backup,
    )
    erasing.start()
    return erasing


def make_record_admins(
    parts: Parts, access: OperatorAccess, erasing: Erasing, lang: str
) -> tuple[object, ...]:
    """Returns the parts of the Admin service for what is held of persons, and for incidents."""
    persons = PersonAdmin(
        access=access,
        store=parts.store,
        people=parts.gateway.signin.people,
        erasing=erasing,
        lang=lang,
    )
    return persons, IncidentAdmin(access, parts.store)
