"""Service administration: makes the operator's Admin service of a scheduler process.

In: the process's parts. Out: one servicer, which gRPC and the gateway serve.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from entraide.v1 import admin_pb2_grpc
from entraide_scheduler.certificates import ServerCertificates
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.control.admin import AdminService
from entraide_scheduler.control.grid_admin import GridAdmin
from entraide_scheduler.control.membership import Membership, WebAddress
from entraide_scheduler.control.operation_admin import OperationAdmin
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.control.policy_admin import PolicyAdmin
from entraide_scheduler.control.policy_in_force import PolicyInForce
from entraide_scheduler.findings import Finding
from entraide_scheduler.grid.sources import GridSources
from entraide_scheduler.notifications import DeliveryTrial, TrialAdmin
from entraide_scheduler.operations.operation_runner import OperationRunner
from entraide_scheduler.pool.facts import find_backup, read_backup_at
from entraide_scheduler.service_parts import Parts, make_erasing, make_record_admins

RevokeKeys = Callable[[Iterable[str]], Awaitable[bool]]


def make_admin(
    parts: Parts,
    config: SchedulerConfig,
    certificates: ServerCertificates,
    *,
    access: OperatorAccess,
    admin_key: str,
    grid: GridSources,
    watched: Callable[[], Sequence[Finding]],
    send_trial: Callable[[], Awaitable[list[DeliveryTrial]]],
    grpc: Callable[[], str],
    revoke_bus_keys: RevokeKeys,
    cleanup: contextlib.AsyncExitStack,
) -> admin_pb2_grpc.AdminServicer:
    """Returns the Admin service.

    Args:
        parts: of the service.
        config: of the scheduler.
        certificates: of the servers.
        access: checks the operator's key.
        admin_key: the operator's key.
        grid: sources of the zones' intensities.
        watched: returns what the running scheduler finds.
        send_trial: sends a test message to each recipient of ``notify.toml``.
        grpc: returns ``host:port`` of the Admin service.
        revoke_bus_keys: ends the access of keys to the bus.
        cleanup: gets what ends the parts that are started.
    """
    home = Path(config.dir)
    policies = PolicyInForce(parts.policy, store=parts.store, driver=parts.driver)
    membership = _make_membership(parts, config, certificates, revoke_bus_keys)
    policy_admin = PolicyAdmin(
        access=access,
        policies=policies,
        store=parts.store,
        store_url=config.effective_store_url,
        folder=home,
        retention=config.journal.retention,
        lang=config.lang,
    )
    operations = OperationRunner(home, now=parts.driver.now)
    cleanup.push_async_callback(operations.stop)
    operation_admin = OperationAdmin(
        config,
        access=access,
        catalogue=parts.catalogue,
        operations=operations,
        watched=watched,
        backup_at=partial(read_backup_at, home),
        grpc=grpc,
        admin_key=admin_key,
    )
    erasing = make_erasing(parts, home, partial(find_backup, home))
    cleanup.push_async_callback(erasing.stop)
    served = (
        _make_nodes_and_members(parts, config, access, policies, membership),
        policy_admin,
        GridAdmin(access=access, sources=grid),
        operation_admin,
        TrialAdmin(send_trial, config.lang),
        *make_record_admins(parts, access, erasing, config.lang),
    )
    return parts.gateway.signin.attach_admin(access, served, config.lang)


def _make_nodes_and_members(
    parts: Parts,
    config: SchedulerConfig,
    access: OperatorAccess,
    policies: PolicyInForce,
    membership: Membership,
) -> AdminService:
    return AdminService(
        store=parts.store,
        driver=parts.driver,
        registry=parts.registry,
        identity=parts.identity,
        policies=policies,
        catalogue=parts.catalogue,
        access=access,
        membership=membership,
        node_listener=parts.node_listener,
        on_keys_changed=parts.gateway.clear_key_cache,
        broadcast_revocation=parts.gateway_listener.broadcast,
        list_gateways=parts.gateway_listener.list_gateways,
        list_models=parts.gateway.pages.get_model_cards,
        render_statement=parts.gateway.statements.render,
        retention=config.journal.retention,
        timezone=config.timezone,
        place=config.place.place,
    )


def _make_membership(
    parts: Parts,
    config: SchedulerConfig,
    certificates: ServerCertificates,
    revoke_bus_keys: RevokeKeys,
) -> Membership:
    is_own = certificates.http is not None and certificates.http is certificates.grpc
    ca_pem = certificates.ca_pem if is_own else ""

    def web_address() -> WebAddress:
        url = config.http.public or parts.gateway.url
        cert = certificates.http.files.cert if certificates.http is not None else None
        return WebAddress(url, ca_pem, cert)

    return Membership(
        store=parts.store,
        driver=parts.driver,
        registry=parts.registry,
        node_listener=parts.node_listener,
        revoke_bus_keys=revoke_bus_keys,
        broadcast_revocation=parts.gateway_listener.broadcast,
        web_address=web_address,
    )
