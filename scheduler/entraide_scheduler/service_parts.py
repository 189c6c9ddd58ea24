"""Service parts: the parts of a scheduler process that others are made from, and their links."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from entraide.types import NodeState
from entraide.wire.bus_connection import BusConnection
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.control.erasing import Erasing
from entraide_scheduler.control.incident_admin import IncidentAdmin
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.control.person_admin import PersonAdmin
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.gateway import Gateway, ReceiptSigner
from entraide_scheduler.gateways import GatewayListener, ZoneSources
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nodes import (
    REVOKED,
    Enrolment,
    NodeListener,
    NodeRegistry,
    UnrecordedKeys,
)
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.store import Store


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


def find_zone_sources(feed: IntensityFeed, at: float) -> ZoneSources:
    """Returns where each zone's intensity is from, and the time of that data."""
    sourced = feed.sources_at(at)
    return {each.reading.zone: (each.source.value, each.data_at) for each in sourced}


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
