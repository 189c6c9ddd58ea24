"""Policy in force: changes the policy of a running pool, one version after the other.

Each new version goes to the store with its author, moment and reason, then to the core as
``PolicyChanged``, which the journal records; the version is in force once both have it.
"""

import asyncio

import msgspec
import structlog

from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy, PolicyFault
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.policy_versions.documents import find_all_faults
from entraide_scheduler.policy_versions.naming import next_version
from entraide_scheduler.store.rows import PolicyRow
from entraide_scheduler.store.store import Store


class PolicyRefused(Exception):
    """A policy has a fault; ``core_failed`` means that the core could not apply it."""

    def __init__(self, fault: PolicyFault) -> None:
        super().__init__(fault)
        self.fault = fault


class PolicyInForce:
    """The policy in force, and the only way to change it.

    Attributes:
        policy: the policy in force.
        changing: held while the policy changes; a caller that compares versions first holds it.
    """

    def __init__(self, policy: Policy, *, store: Store, driver: LiveDriver) -> None:
        self.policy = policy
        self.changing = asyncio.Lock()
        self._store = store
        self._driver = driver
        self._log = structlog.get_logger("entraide.policy")

    def now(self) -> float:
        """Returns the time, seconds since the epoch."""
        return self._driver.now()

    async def replace(self, policy: Policy, *, author: str, reason: str) -> PolicyRow:
        """Puts a policy into force; the caller holds ``changing``.

        A name that a version had already is replaced by the name after the version in force.

        Args:
            policy: the new policy.
            author: who changes it.
            reason: why.

        Returns:
            The new version; it is on disk and in the journal.

        Raises:
            PolicyRefused: nothing was changed.
        """
        assert self.changing.locked()
        taken = {row.version for row in await self._store.list_policies()}
        if policy.version in taken:
            name = next_version(self.policy.version, taken)
            policy = msgspec.structs.replace(policy, version=name)
        for fault in find_all_faults(policy):
            raise PolicyRefused(fault)
        row = PolicyRow(policy.version, self._driver.now(), author, reason)
        await self._store.put_policy(policy, row)
        if not self._driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=policy)):
            await self._store.withdraw_policy(policy.version)
            raise PolicyRefused(PolicyFault("policy", "core_failed"))
        self.policy = policy
        await self._driver.committed()
        self._log.info("policy.changed", version=policy.version)
        return row
