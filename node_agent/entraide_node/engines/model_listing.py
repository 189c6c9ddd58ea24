"""What a server lists at ``/v1/models``, and which program it shows itself to be by that.

It decides which dialect of OpenAI's API a server speaks: how its runs can be counted exactly, and
how they are kept from sharing prompts (ADR 0011). One that shows nothing speaks the common tongue.
"""

from typing import Any

from msgspec import Struct

from entraide_node.engines.llamacpp import REQUEST_FIELDS as LLAMACPP_EXTRA
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object, parse_text

MODELS_MAX = 256
NAME_CHARS_MAX = 512

# Who a server says owns its models, and so which program it is.
_OWNERS = {
    "llamacpp": "llama.cpp",
    "vllm": "vllm",
    "library": "ollama",
    "organization_owner": "lm-studio",
}
OPENAI = "openai"


class ListedModel(Struct, frozen=True):
    """A model that a server lists.

    Attributes:
        name: by which requests ask for it.
        context_tokens: longest prompt plus answer, where the server tells; else 0.
    """

    name: str
    context_tokens: int


class ModelListing(Struct, frozen=True):
    """What a server lists.

    Attributes:
        program: which one it is, ``openai`` when it does not show.
        models: in its own order.
    """

    program: str
    models: tuple[ListedModel, ...]

    @property
    def names(self) -> str:
        """The first models' names, for a person."""
        return ", ".join(model.name for model in self.models[:8])


class ApiDialect(Struct, frozen=True):
    """How to speak to a program beyond what all understand; see ``chat_stream.Target``.

    Attributes:
        extra: fields that every request carries.
        counted_each_event: whether it tells its usage on every event.
        salted: whether it can keep the prompts of runs apart.
    """

    extra: dict[str, Any] = {}
    counted_each_event: bool = False
    salted: bool = False


def dialect_of(program: str) -> ApiDialect:
    """Returns how to speak to a program."""
    if program == "llama.cpp":
        return ApiDialect(extra=LLAMACPP_EXTRA)
    if program == "vllm":
        return ApiDialect(counted_each_event=True, salted=True)
    return ApiDialect()


def parse_listing(payload: bytes) -> ModelListing:
    """Returns what an answer of ``/v1/models`` lists; nothing when it lists nothing."""
    document = parse_object(payload)
    entries = document.get("data")
    named = [e for e in list_objects(entries) if isinstance(e.get("id"), str)][:MODELS_MAX]
    programs = (_OWNERS.get(parse_text(entry.get("owned_by"))) for entry in named)
    return ModelListing(
        program=next((program for program in programs if program), OPENAI),
        models=tuple(
            ListedModel(entry["id"][:NAME_CHARS_MAX], _context_tokens(entry)) for entry in named
        ),
    )


def _context_tokens(entry: dict[str, Any]) -> int:
    """The context, from where vLLM, llama.cpp and LM Studio tell it."""
    meta = entry.get("meta")
    context_tokens = (
        entry.get("max_model_len")
        or (meta.get("n_ctx") if isinstance(meta, dict) else None)
        or entry.get("loaded_context_length")
    )
    return parse_count(context_tokens)
