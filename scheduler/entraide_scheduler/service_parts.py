"""Service parts: the parts of a scheduler process that others are made from."""

from msgspec import Struct

from entraide.wire.bus_connection import BusConnection
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.gateway import Gateway, ReceiptSigner
from entraide_scheduler.gateways import GatewayListener
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nodes import Enrolment, NodeListener, NodeRegistry
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
