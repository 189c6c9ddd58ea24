"""``entraide pool mirror``: gathers what members install from the pool."""

from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.errors import EntraideError

BYTES_PER_MB = 1e6


def register_mirror(pool: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @pool.command("mirror", help=i18n.text("help-pool-mirror", lang))
    def mirror(
        directory: Annotated[
            Path, typer.Argument(metavar="DIR", help=i18n.text("arg-pool-dir", lang))
        ],
        *,
        target: Annotated[
            list[str] | None,
            typer.Option("--target", metavar="T", help=i18n.text("opt-mirror-target", lang)),
        ] = None,
        source: Annotated[
            Path | None,
            typer.Option("--from", metavar="FOLDER", help=i18n.text("opt-mirror-from", lang)),
        ] = None,
        wheel: Annotated[
            Path | None,
            typer.Option("--wheel", metavar="FILE", help=i18n.text("opt-mirror-wheel", lang)),
        ] = None,
    ) -> None:
        raise typer.Exit(_mirror(directory.resolve(), tuple(target or ()), source, wheel, lang))


def _mirror(
    state: Path, targets: tuple[str, ...], source: Path | None, wheel: Path | None, lang: str
) -> int:
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.mirror import MirrorOptions, build_mirror
    from entraide_scheduler.pool.mirror_targets import parse_targets

    def report(code: str, target: str) -> None:
        typer.echo(i18n.text(code, lang, target=target))

    try:
        config = load_pool_config(state)
        options = MirrorOptions(tuple(parse_targets(targets)), wheel, source)
        made = build_mirror(state, options, report)
    except EntraideError as problem:
        typer.echo(i18n.error(problem.code, lang, problem.values), err=True)
        return 1
    for left_out, reason in made.left_out.items():
        typer.echo(i18n.text("mirror-left-out", lang, target=left_out, problem=reason), err=True)
    megabytes = i18n.decimal(made.size_bytes / BYTES_PER_MB, lang)
    text = i18n.text(
        "mirror-made", lang, targets=", ".join(made.targets), files=made.files,
        megabytes=megabytes, url=f"{config.public_url}/install",
    )  # fmt: skip
    typer.echo(text)
    return 1 if made.left_out else 0
