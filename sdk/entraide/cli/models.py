"""``entraide models``: lists the models served now, and manages the model catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue import InvalidCatalogue
from entraide.cli import (
    model_evaluation,
    model_openness,
    model_placement,
    model_quality,
    model_recommendation,
    nodes,
    options,
    output,
    pinning,
)
from entraide.cli.model_catalogue import (
    PINNED,
    UNPINNED,
    artefact_text,
    find_entry,
    openness_class_word,
    read_catalogue,
    source_text,
    write_catalogue,
)
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.decoding import decode_json
from entraide.errors import error_for
from entraide.models import ModelEntry

if TYPE_CHECKING:
    from entraide.client import ModelInfo
    from entraide.v1 import admin_pb2


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands."""
    models = typer.Typer(no_args_is_help=True)
    app.add_typer(models, name="models", help=i18n.text("help-models", lang))
    _register_views(models, lang)
    _register_changes(models, lang)
    pinning.register(models, lang)
    model_placement.register(models, lang)
    model_evaluation.register(models, lang)
    model_recommendation.register(models, lang)
    model_openness.register(models, lang)

    @models.command("list", help=i18n.text("help-models-list", lang))
    def list_(
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        served = _list_models(pool, coop)
        if json:
            output.print_json(served)
            return
        names = ("model", "context", "replicas", "features", "openness-class", "quality")
        headings = [i18n.text(f"col-{name}", lang) for name in names]
        rows = [
            [
                f"{model.model} → {model.means}" if model.means else model.model,
                str(model.context_tokens),
                _replica_text(model, lang),
                i18n.words("feature", model.features, lang),
                "" if model.means else openness_class_word(model.openness, lang),
                "" if model.means else model_quality.summary(model.quality, lang),
            ]
            for model in served
        ]
        output.print_table(headings, rows)
        for line in _load_refusal_lines(pool, lang):
            typer.echo(line)


def _list_models(pool: PoolAccess, coop: str) -> "list[ModelInfo]":
    if not pool.is_operators:
        with pool.client(coop) as client:
            return client.models()
    from entraide.client import _convert as convert
    from entraide.v1 import pool_pb2

    with pool.admin() as admin:
        listed = admin.call("ListModels", pool_pb2.ListModelsRequest()).models
    return [convert.model(message) for message in listed]


def _load_refusal_lines(pool: PoolAccess, lang: str) -> list[str]:
    """Lines on the machines that failed to load a model on request; for the operator only."""
    if not pool.admin_key:
        return []
    with pool.admin() as admin:
        return nodes.load_refusal_lines(admin.call("ListNodes", _list_nodes()).nodes, lang)


def _list_nodes() -> "admin_pb2.ListNodesRequest":
    from entraide.v1 import admin_pb2

    return admin_pb2.ListNodesRequest()


def _replica_text(model: "ModelInfo", lang: str) -> str:
    """Number of machines that serve a model, or "on demand" where none has loaded it."""
    return str(model.replicas) if model.loaded else i18n.text("cli-model-on-demand", lang)


def _register_views(models: typer.Typer, lang: str) -> None:
    @models.command("catalogue", help=i18n.text("help-models-catalogue", lang))
    def catalogue(
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        current = read_catalogue(find_pool(state, lang))
        if json:
            output.print_json(current)
            return
        names = ("model", "size", "parameters", "licence", "context", "energy-class", "weights")
        output.print_table(
            [i18n.text(f"col-{name}", lang) for name in names],
            [_row(entry, lang) for entry in current.models],
        )

    @models.command("show", help=i18n.text("help-models-show", lang))
    def show_(
        model: Annotated[str, _model(lang)],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        entry = find_entry(read_catalogue(find_pool(state, lang)), model, lang)
        output.print_json(entry) if json else _print(entry, lang)


def _register_changes(models: typer.Typer, lang: str) -> None:
    @models.command("add", help=i18n.text("help-models-add", lang))
    def add(
        file: Annotated[
            Path | None, typer.Argument(metavar="FILE.json", help=i18n.text("arg-entries", lang))
        ] = None,
        *,
        shipped: Annotated[
            bool, typer.Option("--shipped", help=i18n.text("opt-shipped", lang))
        ] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        pool = find_pool(state, lang)
        before = read_catalogue(pool)
        entries = _entries(file, lang) if file else []
        if shipped:
            known = {entry.name for entry in before.models}
            entries += [entry for entry in documents.shipped().models if entry.name not in known]
        write_catalogue(pool, documents.with_entries(before, *entries))
        typer.echo(i18n.text("cli-models-added", lang, count=len(entries)))

    @models.command("remove", help=i18n.text("help-models-remove", lang))
    def remove(
        model: Annotated[str, _model(lang)],
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        pool = find_pool(state, lang)
        before = read_catalogue(pool)
        find_entry(before, model, lang)
        write_catalogue(pool, documents.without(before, model))
        typer.echo(i18n.text("cli-model-removed", lang, model=model))


def _model(lang: str) -> object:
    return typer.Argument(metavar="MODEL", help=i18n.text("arg-model", lang))


def _entries(file: Path, lang: str) -> list[ModelEntry]:
    """Reads one entry, a list of entries or a whole catalogue from a file."""
    try:
        raw = file.read_bytes()
        if raw.lstrip()[:1] == b"[":
            return list(decode_json(raw, type=tuple[ModelEntry, ...]))
        if b'"models"' in raw:
            return list(documents.read(raw).models)
        return [decode_json(raw, type=ModelEntry)]
    except (OSError, msgspec.MsgspecError, InvalidCatalogue) as problem:
        sentence = i18n.error("catalogue_refused", lang, {"detail": f"{file}: {problem}"})
        raise error_for("catalogue_refused", sentence) from problem


def _row(entry: ModelEntry, lang: str) -> list[str]:
    return [
        entry.name,
        i18n.word("size", entry.size, lang),
        _parameters(entry.parameters, lang),
        entry.licence,
        str(entry.context_tokens_max),
        entry.energy_class or UNPINNED,
        " · ".join(
            f"{artefact.format} {PINNED if artefact.is_pinned else UNPINNED}"
            for artefact in entry.artefacts
        ),
    ]


def _print(entry: ModelEntry, lang: str) -> None:
    parameters = _parameters(entry.parameters, lang)
    if entry.active_parameters < entry.parameters:
        active = _parameters(entry.active_parameters, lang)
        parameters = i18n.text("cli-model-active", lang, parameters=parameters, active=active)
    energy = f"{i18n.decimal(entry.energy_wh_per_1k_tokens, lang)} Wh"
    lines = {
        "model": f"{entry.title} ({entry.name})",
        "size": i18n.word("size", entry.size, lang),
        "parameters": parameters,
        "licence": f"{entry.licence}, {i18n.word('openness', entry.openness, lang)}",
        "openness-class": _openness_class(entry, lang),
        "languages": " ".join(entry.languages),
        "features": i18n.words("feature", entry.features, lang) or UNPINNED,
        "thinking": i18n.word("thinking", entry.thinking, lang),
        "context": str(entry.context_tokens_max),
        "energy-class": f"{entry.energy_class or UNPINNED} ({energy})",
        "source": source_text(entry.source, lang),
        "quality": model_quality.summary(entry.quality, lang),
    }
    headings = {name: i18n.text(f"col-{name}", lang) for name in lines}
    width = max(map(len, headings.values()))
    for name, value in lines.items():
        typer.echo(f"{headings[name].ljust(width)}  {value}")
    for artefact in entry.artefacts:
        where = artefact.repository or i18n.text("cli-model-own", lang)
        revision = artefact.revision[:12] or UNPINNED
        typer.echo(f"{artefact_text(artefact, lang)}  {where}  {revision}")
    model_quality.print_evaluation(entry, lang)


def _openness_class(entry: ModelEntry, lang: str) -> str:
    """Returns a model's class by the Model Openness Framework, and who evaluated it where."""
    word = openness_class_word(entry.openness_class, lang)
    if not entry.openness_source:
        return word
    values = {"class": word, "source": source_text(entry.openness_source, lang)}
    return i18n.text("cli-model-openness-class", lang, **values)


def _parameters(parameters: int, lang: str) -> str:
    """Returns a number of parameters in words: 135 million, 8.19 billion."""
    unit, size = ("millions", 1e6) if parameters < 1e9 else ("billions", 1e9)
    number = parameters / size
    shown = i18n.decimal(number, lang)
    return i18n.text(f"parameters-{unit}", lang, number=shown, count=number)
