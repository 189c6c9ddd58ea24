"""``entraide pool renew-receipt-key``: retires the key that signs receipts, and makes a new one."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError


def register_renewal(pool: typer.Typer, lang: str) -> None:
    """Adds the command to the ``pool`` commands."""

    @pool.command(
        "renew-receipt-key", cls=PoolCommand, help=i18n.text("help-pool-receipt-key", lang)
    )
    def renew(
        directory: Annotated[Path, options.pool_directory(lang)],
    ) -> None:
        from entraide.files import PRIVATE_UMASK
        from entraide_scheduler.nats.receipt_keys import describe_key, rotate_receipt_key
        from entraide_scheduler.pool.config import load_pool_config

        os.umask(PRIVATE_UMASK)
        state = directory.resolve()
        try:
            load_pool_config(state)
            keys = rotate_receipt_key(state, now=time.time())
        except EntraideError as problem:
            typer.echo(i18n.error(problem.code, lang, problem.values), err=True)
            raise typer.Exit(1) from None
        values = {"key": describe_key(keys.signing).id, "before": keys.retired[0].id}
        typer.echo(i18n.text("pool-receipt-key-renewed", lang, **values))
