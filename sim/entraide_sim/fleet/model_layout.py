"""Model layout: which models a node group serves and could load, with memory and load time.

Input: the scenario's models and node groups. Output: node specifications whose cards list the
loadable models, and the pool's model catalogue with a size class for each model.
"""

from collections.abc import Callable, Sequence

import msgspec

from entraide.models import Catalogue, ModelEntry, ModelSize, Openness, TransferRates
from entraide.shared_fields import make_copier
from entraide.types import Loadable, Replica
from entraide_node.core.model_fit import estimate_load_s
from entraide_sim import catalogue
from entraide_sim.catalogue import Device, ModelFootprint
from entraide_sim.machines import NodeSpec
from entraide_sim.scenario import Assumption, NodeGroup, Scenario, ScenarioModel

BYTES_PER_GB = 1e9
BYTES_PER_MB = 1e6
LOAD_GB_PER_S = 1.0  # from a solid-state disk, decompression and copy to the engine included
ENGINE_START_S = 5.0  # start of the engine and its first measurement
SMALL_BELOW_B, MEDIUM_UP_TO_B = 4.0, 15.0  # billions of parameters, as the shipped catalogue has it


def split_models(
    scenario: Scenario, group: NodeGroup
) -> tuple[list[ScenarioModel], list[ScenarioModel]]:
    """Returns the models that a group serves initially, and the others that it can load."""
    names = {model.name: model for model in scenario.models}
    if group.models is None:
        served = [names[group.model] if group.model else scenario.models[0]]
    else:
        served = [names[name] for name in group.models]
    known = {model.name for model in served}
    return served, [names[name] for name in group.loadable if name not in known]


def combine_models(
    make_spec: Callable[[ScenarioModel], NodeSpec],
    group: NodeGroup,
    *,
    served: Sequence[ScenarioModel],
    loadable: Sequence[ScenarioModel],
    device: Device,
    footprint_of: Callable[[ScenarioModel], ModelFootprint],
) -> NodeSpec:
    """Returns the specification of a machine that serves some models and can load others.

    Args:
        make_spec: makes the specification for one model.
        group: the node group.
        served: models served initially.
        loadable: models that it can load; ``served`` and ``loadable`` have at least one model.
        device: of the catalogue.
        footprint_of: returns a model's footprint.
    """
    specs = [make_spec(model) for model in (*served, *loadable)]
    if len(specs) == 1 and served:
        return specs[0]
    rates, offers = _transfer_rates(group), []
    for spec, model in zip(specs, (*served, *loadable), strict=True):
        replica, footprint = spec.card.replicas[0], footprint_of(model)
        weights_bytes = int(footprint.weights_gb * BYTES_PER_GB)
        fetch_bytes = 0 if group.download_mb_per_s is None or model in served else weights_bytes
        memory_gb = footprint.weights_gb + spec.pool_tokens * footprint.kv_mb_per_token / 1_000.0
        offers.append(
            offer_of(
                replica,
                model=model.name,
                memory_bytes=int(memory_gb * BYTES_PER_GB),
                fetch_bytes=fetch_bytes,
                load_s=estimate_load_s(
                    weights_bytes, fetch_bytes=fetch_bytes, speeds=rates, start_s=ENGINE_START_S
                ),
            )
        )
    fixed = sum(offer.memory_bytes for offer in offers[: len(served)])
    room_gb = (
        device.usable_gb - fixed / BYTES_PER_GB if group.models_gb is None else group.models_gb
    )
    card = msgspec.structs.replace(
        specs[0].card,
        replicas=tuple(spec.card.replicas[0] for spec in specs[: len(served)]),
        loadable=tuple(offers),
        models_bytes=max(0, int(room_gb * BYTES_PER_GB)),
    )
    return msgspec.structs.replace(
        specs[0],
        card=card,
        model_specs=tuple(specs),
        transfer_rates=rates,
        unload_idle_s=group.unload_idle_s,
    )


_loadable_of = make_copier(Replica, Loadable, own=("model",))


def offer_of(
    replica: Replica, *, model: str, memory_bytes: int, fetch_bytes: int, load_s: float
) -> Loadable:
    """Returns the offer to load a model that would be served as a replica is."""
    return _loadable_of(
        replica,
        model=model,
        memory_bytes=memory_bytes,
        fetch_bytes=fetch_bytes,
        load_s=load_s,
    )


def _transfer_rates(group: NodeGroup) -> TransferRates:
    disk_bytes_per_s = LOAD_GB_PER_S * BYTES_PER_GB
    if group.download_mb_per_s is None:
        return TransferRates(disk_bytes_per_s=disk_bytes_per_s)
    return TransferRates(group.download_mb_per_s * BYTES_PER_MB, disk_bytes_per_s)


def pool_catalogue(scenario: Scenario) -> Catalogue | None:
    """Returns the pool's model catalogue; None if no machine can load models."""
    if not any(group.loadable for group in scenario.fleet):
        return None
    entries = tuple(_catalogue_entry(model) for model in scenario.models)
    return Catalogue(1, scenario.start_at, entries)


def _catalogue_entry(model: ScenarioModel) -> ModelEntry:
    active_b = model.params_b if model.active_params_b is None else model.active_params_b
    size = ModelSize.SMALL
    if model.params_b >= SMALL_BELOW_B:
        size = ModelSize.MEDIUM if model.params_b <= MEDIUM_UP_TO_B else ModelSize.LARGE
    return ModelEntry(
        name=model.name,
        title=model.name,
        size=size,
        parameters=int(model.params_b * 1e9),
        active_parameters=int(active_b * 1e9),
        licence="",
        openness=Openness.OPEN_WEIGHT,
        languages=(),
        features=model.features,
        context_tokens_max=model.context_tokens,
        kv_bytes_per_token=int(
            catalogue.KV_MB_PER_TOKEN * model.params_b / catalogue.REFERENCE_PARAMS_B * 1e6
        ),
        artefacts=(),
        source="scenario",
    )


def load_assumptions(scenario: Scenario) -> list[Assumption]:
    """Returns the assumptions about loading models, if any machine can."""
    if not any(group.loadable for group in scenario.fleet):
        return []
    values: dict[str, str | int | float] = {"gb_per_s": LOAD_GB_PER_S, "start_s": ENGINE_START_S}
    return [Assumption("load", "default", values)]
