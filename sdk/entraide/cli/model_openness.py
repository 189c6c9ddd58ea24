"""``entraide models require``: sets the class of openness that the policy requires."""

import getpass
import re
from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.model_catalogue import openness_class_word, read_catalogue
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.errors import error_for
from entraide.models import REQUIRED_CLASSES, Catalogue, OpennessClass

NONE = "none"  # takes the requirement back
_KEY = re.compile(r"^openness\s*=.*\n?", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^\[", re.MULTILINE)


def register(models: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @models.command("require", help=i18n.text("help-models-require", lang))
    def require(
        openness: Annotated[
            str, typer.Argument(metavar="CLASS", help=i18n.text("arg-require", lang))
        ],
        *,
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))] = "",
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        required = _read_class(openness, lang)
        pool = find_pool(state, lang)
        reaching = _list_reaching(read_catalogue(pool), required)
        if required and not reaching:
            word = openness_class_word(required, lang)
            sentence = i18n.text("cli-require-nothing", lang, openness=word)
            raise error_for("invalid_request", sentence)
        _apply(pool, required, author=author or getpass.getuser(), reason=reason)
        if not required:
            typer.echo(i18n.text("cli-require-none", lang))
            return
        word = openness_class_word(required, lang)
        values = {"openness": word, "models": ", ".join(reaching)}
        typer.echo(i18n.text("cli-require-done", lang, **values))


def _read_class(name: str, lang: str) -> OpennessClass:
    if name == NONE:
        return OpennessClass.UNSTATED
    if name not in REQUIRED_CLASSES:
        choices = ", ".join((*REQUIRED_CLASSES, NONE))
        sentence = i18n.text("cli-require-class", lang, name=name, choices=choices)
        raise error_for("invalid_request", sentence)
    return OpennessClass(name)


def _list_reaching(catalogue: Catalogue, required: OpennessClass) -> list[str]:
    """Returns the models that reach a class; a model without pinned weights runs nowhere."""
    return [
        entry.name
        for entry in catalogue.models
        if entry.openness_class.rank >= required.rank
        and any(artefact.is_pinned for artefact in entry.artefacts)
    ]


def _apply(pool: PoolAccess, required: OpennessClass, *, author: str, reason: str) -> None:
    """Puts the policy in force with another class; everything else in it stays as it is."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        current = admin.call("GetPolicy", admin_pb2.GetPolicyRequest())
        request = admin_pb2.ApplyPolicyRequest(
            document=with_openness(current.document.decode(), required).encode(),
            base_version=current.version,
            author=author,
            reason=reason or f"openness = {required.value or NONE}",
        )
        admin.call("ApplyPolicy", request)


def with_openness(document: str, required: OpennessClass) -> str:
    """Returns a policy in TOML with its key ``openness`` set before the first table."""
    first = _FIRST_TABLE.search(document)
    at = len(document) if first is None else first.start()
    head, rest = document[:at], document[at:]
    head = _KEY.sub("", head)
    if head and not head.endswith("\n"):
        head += "\n"
    line = f'openness = "{required.value}"\n' if required else ""
    return head + line + rest
