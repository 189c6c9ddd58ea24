"""Catalogue source: the models of the pool's catalogue that this node can load.

It stores the pool's catalogue, which must bear the pool's signature; assesses with
``core.model_fit`` which of its models this machine can load; fetches weights into the store; and
builds the engine of a model. ``EngineManager`` decides when.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide.catalogue.model_store import ModelStore
from entraide.files import write_private
from entraide.model_memory import OVERHEAD_BYTES, LoadConfig
from entraide.models import Artefact, Catalogue, ModelEntry
from entraide.types import Loadable
from entraide_node.config import LlamaCpp, MlxLm, NodeConfig, Vllm
from entraide_node.core import model_fit
from entraide_node.core.hardware import Hardware, suitable_engines
from entraide_node.core.model_fit import EngineKind, ModelCapacity, UnloadableModel
from entraide_node.engines import factory, mlx, vllm
from entraide_node.engines.base import Engine, EngineProblem
from entraide_node.engines.environments import default_root
from entraide_node.engines.factory import available_kinds, find_environment, make_engine
from entraide_node.engines.llamacpp_props import BASE_FEATURES
from entraide_node.hardware_detection import detect_hardware
from entraide_node.keys import read_pool_key
from entraide_node.model_manager.engine_setup import WEIGHTS_PATTERN, find_configured_model
from entraide_node.models.capacity import measure_capacity
from entraide_node.models.model_files import ModelFile

CATALOGUE_NAME = "catalogue.json"
SIGNATURE_NAME = "catalogue.sig"
MODELS_FOLDER = "models"
LOADED_FOLDER = "loaded"  # logs of the models that the pool loaded
SURVEY_INTERVAL_S = 600.0  # a disk may fill, and an engine be installed, without notice

# Features of each engine; tools and images depend on the model too, see ``core.model_fit``.
FEATURES = {
    factory.LLAMA_CPP: (*BASE_FEATURES, "tools"),
    factory.MLX_LM: (*mlx.FEATURES, "tools"),
    factory.VLLM: (*vllm.FEATURES, "tools"),
}


class CatalogueSource:
    """The model source of one node; see ``model_source.ModelSource``."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        hardware: Callable[[], Hardware] = detect_hardware,
        root: Path | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            config: of the node.
            hardware: returns the machine's hardware; may block.
            root: folder of the engines' environments; None for the default one.
        """
        self._config = config
        self._folder = Path(config.dir)
        self._hardware = hardware
        self._root = root or default_root()
        self.store = ModelStore(self._folder / (config.models.dir or MODELS_FOLDER))
        self._machine: Hardware | None = None
        self._catalogue = Catalogue(0, 0.0, ())
        self._capacity: ModelCapacity | None = None
        self._unloadable: dict[str, UnloadableModel] = {}
        self._neighbours: Callable[[], tuple[str, ...]] = tuple
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)
        self.loadable: tuple[Loadable, ...] = ()
        self.models_bytes = 0
        self.digest: str | None = "" if self._is_enabled else None

    @property
    def _is_enabled(self) -> bool:
        """Whether the owner lets the pool load models, and the pool's signing key is known."""
        models = self._config.models
        return models.memory_gb != 0 and bool(models.allow) and bool(read_pool_key(self._folder))

    async def open(self) -> None:
        """Reads the stored catalogue, and assesses its models."""
        if self.digest is None:
            return
        self._machine = await asyncio.to_thread(self._hardware)
        kept = await asyncio.to_thread(self._read_kept)
        if kept is not None:
            await self._adopt_catalogue(*kept)
        await self._refresh_loadable()

    async def run(self, *, changed: Callable[[], object]) -> None:
        """Shares weights if the owner enabled it, and assesses the models again periodically."""
        if self.digest is None:
            await asyncio.Event().wait()
        async with contextlib.AsyncExitStack() as stack:
            if self._config.models.share_on_lan:
                from entraide_node.models.weight_share import WeightShare  # noqa: PLC0415  (few owners share)

                share = WeightShare(self.store)
                problem = await share.start()
                stack.push_async_callback(share.stop)
                self._neighbours = share.neighbours
                self._log.info("node.sharing", code=problem.code if problem else "")
            while True:
                await asyncio.sleep(SURVEY_INTERVAL_S)
                if await self._refresh_loadable():
                    changed()

    def explain_refusal(self, model: str) -> EngineProblem:
        """Returns why this node cannot load a model."""
        unfit = self._unloadable.get(model)
        if unfit is None:
            return EngineProblem("load_unknown", {"model": model})
        return EngineProblem(unfit.code, unfit.values)

    async def accept_catalogue(self, document: bytes, signature: bytes) -> bool:
        """Accepts the pool's catalogue; returns False if the signature is not the pool's."""
        if self.digest is None or not await self._adopt_catalogue(document, signature):
            self._log.warning("node.catalogue_refused", size_bytes=len(document))
            return False
        with contextlib.suppress(OSError):  # on a full disk, it is requested again after a restart
            await asyncio.to_thread(self._write_kept, document, signature)
        await self._refresh_loadable()
        return True

    async def fetch_weights(self, model: str) -> EngineProblem | None:
        """Fetches a model's weights; returns None when they are present and verified."""
        from entraide_node.models.fetch import WeightSources, fetch_weights  # noqa: PLC0415  (the hub's library)
        from entraide_node.models.pool_access import read_pool_access  # noqa: PLC0415  (likewise)

        chosen = self._choose(model)
        if isinstance(chosen, EngineProblem):
            return chosen
        entry, _, artefact, _ = chosen
        models = self._config.models
        pool, access = await asyncio.to_thread(read_pool_access, self._folder)
        sources = WeightSources(
            neighbours=self._neighbours(),
            mirror=models.mirror,
            hub=models.hub,
            pool=pool,
            access=access,
        )
        result = await fetch_weights(self.store, entry, artefact, sources=sources)
        await self._refresh_loadable()
        return result if isinstance(result, EngineProblem) else None

    async def make_engine(self, model: str) -> Engine | EngineProblem:
        """Returns the engine for a model whose weights are present; not started."""
        chosen = self._choose(model)
        if isinstance(chosen, EngineProblem):
            return chosen
        return await asyncio.to_thread(self._build_engine, *chosen)

    def _build_engine(
        self, entry: ModelEntry, kind: EngineKind, artefact: Artefact, config: LoadConfig
    ) -> Engine | EngineProblem:
        path = self.store.loadable_path(entry, artefact)
        if path is None:  # deleted meanwhile
            return EngineProblem("model_missing", {"file": artefact.relative_folder(entry.name)})
        return make_engine(
            kind.name,
            path,
            alias=entry.name,
            revision=artefact.checksum,
            slots=config.slots,
            context_tokens=config.context_tokens,
            folder=self._folder / LOADED_FOLDER / entry.name,
            root=self._root,
            threads=self._config.models.threads,
            sandbox=self._config.models.sandbox,
        )

    def _choose(
        self, model: str
    ) -> tuple[ModelEntry, EngineKind, Artefact, LoadConfig] | EngineProblem:
        """How a model would be loaded, by the last assessment."""
        entry = documents.find(self._catalogue, model)
        choice = (
            model_fit.choose_artefact(entry, self._capacity) if entry and self._capacity else None
        )
        if entry is None or choice is None:
            return self.explain_refusal(model)
        return (entry, *choice)

    async def _refresh_loadable(self) -> bool:
        """Assesses the catalogue's models again; returns whether the result has changed."""
        previous = (self.loadable, self.models_bytes)
        capacity = await asyncio.to_thread(self._measure_capacity)
        if capacity is None:
            return False
        self._capacity = capacity
        self.models_bytes = capacity.memory_bytes
        assessments = model_fit.assess_models(self._catalogue, capacity)
        self.loadable = tuple(
            assessment for assessment in assessments if isinstance(assessment, Loadable)
        )
        self._unloadable = {
            assessment.model: assessment
            for assessment in assessments
            if isinstance(assessment, UnloadableModel)
        }
        return previous != (self.loadable, self.models_bytes)

    def _measure_capacity(self) -> ModelCapacity | None:
        """The capacity that is left beside the owner's own engines."""
        if self._machine is None:
            return None
        models = self._config.models
        capacity = measure_capacity(
            self._catalogue,
            self.store,
            self._machine,
            self._engine_kinds(self._machine),
            cap_bytes=int((models.memory_gb or 0.0) * 1e9),
            allow=models.allow,
        )
        left_bytes = (
            0 if self._takes_all_memory() else capacity.memory_bytes - self._owner_engines_bytes()
        )
        return replace(capacity, memory_bytes=max(0, left_bytes))

    def _engine_kinds(self, machine: Hardware) -> list[EngineKind]:
        """The installed engines, the suitable ones first."""
        installed = available_kinds(self._root)
        suits = [name for name in suitable_engines(machine) if name in installed]
        kinds = [*suits, *(name for name in installed if name not in suits)]
        return [
            EngineKind(name, on_gpu=self._on_gpu(name, machine), features=FEATURES[name])
            for name in kinds
        ]

    def _on_gpu(self, name: str, machine: Hardware) -> bool:
        """Whether an engine uses the graphics processor; llama.cpp's wheels do on Apple's only."""
        if name == factory.VLLM:
            return find_environment(name, self._root) == "vllm"
        return machine.accelerator == "apple"

    def _takes_all_memory(self) -> bool:
        """Whether an engine of the owner uses all memory of its cards, as vLLM does."""
        return any(
            isinstance(engine, Vllm) and not engine.cpu for engine in self._config.owner_engines
        )

    def _owner_engines_bytes(self) -> int:
        """Memory of the owner's own engines: weights and overhead."""
        total = 0
        for engine in self._config.owner_engines:
            if isinstance(engine, LlamaCpp):
                model = find_configured_model(engine.model, engine.alias, self._folder)
                size_bytes = model.size_bytes if isinstance(model, ModelFile) else 0
                total += size_bytes + OVERHEAD_BYTES[factory.LLAMA_CPP]
            elif isinstance(engine, MlxLm | Vllm):
                files = (self._folder / Path(engine.model).expanduser()).glob(WEIGHTS_PATTERN)
                kind = factory.MLX_LM if isinstance(engine, MlxLm) else factory.VLLM
                total += sum(f.stat().st_size for f in files) + OVERHEAD_BYTES[kind]
        return total

    async def _adopt_catalogue(self, document: bytes, signature: bytes) -> bool:
        """Adopts a document as the catalogue if the pool's signature is valid."""
        from entraide.catalogue.signature import verify_catalogue  # noqa: PLC0415  (cryptography)

        key = read_pool_key(self._folder)
        catalogue = await asyncio.to_thread(verify_catalogue, document, signature, key)
        if catalogue is None:
            return False
        self._catalogue = catalogue
        self.digest = documents.digest(document)
        self._log.info("node.catalogue", version=catalogue.version, models=len(catalogue.models))
        return True

    def _read_kept(self) -> tuple[bytes, bytes] | None:
        try:
            document = (self._folder / CATALOGUE_NAME).read_bytes()
            return document, (self._folder / SIGNATURE_NAME).read_bytes()
        except OSError:
            return None

    def _write_kept(self, document: bytes, signature: bytes) -> None:
        # A crash between the two leaves an invalid pair, and the catalogue is requested again.
        write_private(self._folder / CATALOGUE_NAME, document)
        write_private(self._folder / SIGNATURE_NAME, signature)
