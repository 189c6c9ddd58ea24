"""``entraide pool mirror``: gathers what members install from the pool."""

from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.cli.release import day_of
from entraide.cli.transfer import size_text
from entraide.errors import EntraideError
from entraide_scheduler.pool.config import FILE

BYTES_PER_MB = 1e6


def register_mirror(pool: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @pool.command("mirror", cls=PoolCommand, help=i18n.text("help-pool-mirror", lang))
    def mirror(
        directory: Annotated[Path, options.pool_directory(lang)],
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
        folder: Annotated[
            Path | None,
            typer.Option("--folder", metavar="DIR", help=i18n.text("opt-mirror-folder", lang)),
        ] = None,
        release: Annotated[
            Path | None,
            typer.Option("--release", metavar="FOLDER", help=i18n.text("opt-mirror-release", lang)),
        ] = None,
        root: Annotated[str, options.root(lang)] = "",
        models: Annotated[
            bool, typer.Option("--models/--no-models", help=i18n.text("opt-mirror-models", lang))
        ] = True,
        python: Annotated[
            bool, typer.Option("--python/--no-python", help=i18n.text("opt-mirror-python", lang))
        ] = True,
    ) -> None:
        from entraide_scheduler.pool.release_files import repeats_release

        state = directory.resolve()
        if release is not None or root:
            status, targets = _repeat(state, release or Path(), root, lang)
        elif not (target or source or wheel) and repeats_release(state):
            typer.echo(i18n.text("mirror-keeps-release", lang))
            status, targets = 0, _targets_without_python(state, lang)
        else:
            status, targets = _mirror(state, tuple(target or ()), source, wheel, lang)
        if python and targets:
            pythons = _mirror_pythons(
                state, targets, source, folder, lang, is_release=release is not None
            )
            status = max(status, pythons)
        if models and (state / FILE).is_file():
            status = max(status, _mirror_models(state, folder, lang))
        raise typer.Exit(status)


def _mirror(
    state: Path, targets: tuple[str, ...], source: Path | None, wheel: Path | None, lang: str
) -> tuple[int, tuple[str, ...]]:
    """Gathers the wheels; returns the exit status and the targets that have all of theirs."""
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
        return 1, ()
    for left_out, reason in made.left_out.items():
        typer.echo(i18n.text("mirror-left-out", lang, target=left_out, problem=reason), err=True)
    megabytes = i18n.decimal(made.size_bytes / BYTES_PER_MB, lang)
    text = i18n.text(
        "mirror-made", lang, targets=", ".join(made.targets), files=made.files,
        megabytes=megabytes, url=f"{config.public_url}/install",
    )  # fmt: skip
    typer.echo(text)
    return (1 if made.left_out else 0), made.targets


def _mirror_pythons(
    state: Path,
    targets: tuple[str, ...],
    source: Path | None,
    folder: Path | None,
    lang: str,
    *,
    is_release: bool = False,
) -> int:
    """Gathers builds of Python; returns 1 if one that the source should have is missing.

    With the folder of a release, the internet is not asked: what is missing is a warning.
    """
    from entraide_scheduler.gateway.machines import FOLDER
    from entraide_scheduler.pool.mirror_pythons import gather_pythons, read_builds

    gathered = gather_pythons(
        state / FOLDER, targets, read_builds(),
        folders=[each for each in (source, folder) if each is not None],
        is_offline=is_release or source is not None,
        report=lambda platform: typer.echo(i18n.text("mirror-python", lang, platform=platform)),
    )  # fmt: skip
    absent = [each for each in gathered.faults if each.code == "absent"]
    if is_release and absent:
        text = i18n.text(
            "mirror-pythons-left", lang,
            platforms=", ".join(each.platform for each in absent),
            files=", ".join(each.file for each in absent),
        )  # fmt: skip
        typer.echo(text, err=True)
    for fault in gathered.faults:
        is_error = fault.code != "absent"
        if is_error or not is_release:
            values = {"platform": fault.platform, "file": fault.file, "detail": fault.detail}
            typer.echo(i18n.text(f"mirror-python-{fault.code}", lang, **values), err=is_error)
    if gathered.platforms:
        platforms = ", ".join(gathered.platforms)
        size = size_text(gathered.size_bytes, lang)
        typer.echo(i18n.text("mirror-pythons-made", lang, platforms=platforms, size=size))
    return 1 if any(fault.code != "absent" for fault in gathered.faults) else 0


def _repeat(state: Path, folder: Path, root: str, lang: str) -> tuple[int, tuple[str, ...]]:
    """Makes the mirror out of a signed release.

    Returns:
        The exit status, and the targets whose Python the release does not bring.
    """
    from entraide.release import METADATA
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.release_files import repeat_release, require_folder

    try:
        require_folder(folder / METADATA, root)
        config = load_pool_config(state)
        release = repeat_release(state, folder, root)
    except EntraideError as problem:
        typer.echo(i18n.error(problem.code, lang, problem.values), err=True)
        return 1, ()
    text = i18n.text(
        "mirror-repeats", lang, version=release.version, files=len(release.files),
        date=day_of(release.date), expires=day_of(release.expires), root=release.root,
        expired="yes" if release.is_expired else "no", url=f"{config.public_url}/install",
    )  # fmt: skip
    typer.echo(text)
    return 0, _targets_without_python(state, lang)


def _targets_without_python(state: Path, lang: str) -> tuple[str, ...]:
    """Returns the targets of a repeated release, unless it brings the builds of Python."""
    from entraide_scheduler.gateway.machines import FOLDER, TARGETS
    from entraide_scheduler.pool.machine_files_check import list_pythons
    from entraide_scheduler.pool.release_files import signs_pythons

    if signs_pythons(state):
        platforms = ", ".join(list_pythons(state))
        typer.echo(i18n.text("mirror-repeats-pythons", lang, platforms=platforms))
        return ()
    return tuple((state / FOLDER / TARGETS).read_text("utf-8").split())


def _mirror_models(state: Path, folder: Path | None, lang: str) -> int:
    """Gathers the files of all pinned models into the pool's folder of weights."""
    from entraide_scheduler.pool.mirror_models import gather_models

    try:
        gathered = gather_models(state, lang, folder=folder)
    except EntraideError as problem:
        has_values = bool(problem.values)
        sentence = i18n.error(problem.code, lang, problem.values) if has_values else str(problem)
        typer.echo(sentence, err=True)
        return 1
    for sentence in gathered.faults:
        typer.echo(sentence, err=True)
    for sentence in gathered.without_source:
        typer.echo(sentence)
    text = i18n.text(
        "mirror-models", lang, count=gathered.artefacts,
        missing=len(gathered.faults) + len(gathered.without_source),
        size=size_text(gathered.size_bytes, lang), folder=str(gathered.folder),
    )  # fmt: skip
    typer.echo(text)
    return 1 if gathered.faults else 0
