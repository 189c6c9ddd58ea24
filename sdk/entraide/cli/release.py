"""``entraide release verify``: says whether a folder has a release as it was signed."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.errors import EntraideError, error_for

if TYPE_CHECKING:
    from entraide.release import Release


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``release`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="release", help=i18n.text("help-release", lang))
    group.callback()(lambda: None)

    @group.command(help=i18n.text("help-release-verify", lang))
    def verify(
        folder: Annotated[
            Path, typer.Argument(metavar="FOLDER", help=i18n.text("arg-release-folder", lang))
        ],
        *,
        root: Annotated[str, options.root(lang)] = "",
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        try:
            release = _verify(folder, root)
        except EntraideError as problem:
            sentence = i18n.error(problem.code, lang, problem.values)
            raise error_for(problem.code, sentence) from problem
        if json:
            output.print_json(release)
            return
        text = i18n.text(
            "release-verified", lang, version=release.version, files=len(release.files),
            date=day_of(release.date), expires=day_of(release.expires), root=release.root,
            expired="yes" if release.is_expired else "no", given="yes" if root else "no",
        )  # fmt: skip
        typer.echo(text)


def _verify(folder: Path, root: str) -> "Release":
    """Verifies a folder, of which nothing is remembered."""
    from entraide.release import FolderFetcher, open_release

    with tempfile.TemporaryDirectory() as work:
        verified = open_release(
            FolderFetcher(folder), Path(work) / "trusted",
            name=str(folder), root=root, accepts_expired=True,
        )  # fmt: skip
        verified.check()
    return verified.release


def day_of(moment: str) -> str:
    """Returns the day of a moment in ISO 8601."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d")
