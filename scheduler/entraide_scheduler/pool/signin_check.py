"""Sign-in check of the pool's doctor: whether mail server and identity provider answer.

In: ``[smtp]`` and ``[oidc]`` of the configuration. Nobody gets a letter, and nobody signs in.
"""

import asyncio
from pathlib import Path

from entraide.errors import EntraideError
from entraide_scheduler.config import OidcConfig, SmtpConfig, find_signin_fault
from entraide_scheduler.findings import Finding, finding, passed
from entraide_scheduler.gateway.signin import SmtpMailer, read_metadata
from entraide_scheduler.pool.config import PoolConfig

TIMEOUT_S = 5.0


def check_signin(state: Path, config: PoolConfig) -> list[Finding]:
    """Checks what the configuration names: nothing, the mail server, the provider, or both."""
    fault = find_signin_fault(config.smtp, config.oidc)
    if fault is not None:
        detail = str(fault.values.get("value", fault.key))
        return [finding("signin-unreadable", detail=detail, path=str(state))]
    return asyncio.run(_ask_both(str(state), config))


async def _ask_both(state: str, config: PoolConfig) -> list[Finding]:
    asked = []
    if config.smtp is not None:
        asked.append(_ask_mail_server(state, config.smtp))
    if config.oidc is not None:
        asked.append(_ask_provider(state, config.oidc))
    return await asyncio.gather(*asked)


async def _ask_mail_server(state: str, smtp: SmtpConfig) -> Finding:
    server = f"{smtp.host}:{smtp.port}"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await SmtpMailer(smtp, "").check()
    except EntraideError as failure:
        problem = str(failure.values["problem"])
        return finding("mail-refused", server=server, problem=problem, path=state)
    except (OSError, ValueError) as failure:  # its CA's file, or the time is over
        problem = str(failure) or f"{TIMEOUT_S:g} s"
        return finding("mail-refused", server=server, problem=problem, path=state)
    return passed("mail-ok", server=server)


async def _ask_provider(state: str, oidc: OidcConfig) -> Finding:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await read_metadata(oidc.issuer)
    except (EntraideError, TimeoutError):
        return finding("provider-silent", issuer=oidc.issuer, path=state)
    return passed("provider-ok", issuer=oidc.issuer)
