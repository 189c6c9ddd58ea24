"""``entraide models``: what the pool serves now."""

from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options, show
from entraide.cli.place import find


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands."""
    models = typer.Typer(no_args_is_help=True)
    app.add_typer(models, name="models", help=i18n.text("help-models", lang))

    @models.command("list", help=i18n.text("help-models-list", lang))
    def list_(
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        with find(state, lang).client(coop) as client:
            served = client.models()
        if json:
            show.as_json(served)
            return
        heads = [i18n.text(f"col-{name}", lang) for name in ("model", "context", "replicas")]
        rows = [[m.model, str(m.context_tokens), str(m.replicas)] for m in served]
        show.table(heads, rows)
