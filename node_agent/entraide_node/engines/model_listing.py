"""Model listing: the models of a server's ``/v1/models``, and the program behind it.

Input: the response. Output: the models and the program's dialect of OpenAI's API: how its tokens
can be counted exactly, how runs are kept from sharing prefixes (ADR 0030), and how a thought is
turned off or bounded. An unknown program uses the common dialect.

Ollama documents ``reasoning_effort`` for ``/v1/chat/completions``, with "none" for no thought; it
has neither arguments of templates nor budgets there. LM Studio documents no such field for this
endpoint; it follows the same one for some models.
"""

from typing import Any

from msgspec import Struct

from entraide.models import THINKING_BUDGET
from entraide.thinking import Effort
from entraide_node.engines.llamacpp import REQUEST_FIELDS as LLAMACPP_EXTRA
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object, parse_text
from entraide_node.engines.vllm import BUDGET_FIELD as VLLM_BUDGET

MODELS_MAX = 256
NAME_CHARS_MAX = 512

# The program, by the owner that a server names for its models.
_OWNERS = {
    "llamacpp": "llama.cpp",
    "vllm": "vllm",
    "library": "ollama",
    "organization_owner": "lm-studio",
}
OPENAI = "openai"


class ListedModel(Struct, frozen=True):
    """A listed model.

    Attributes:
        name: name for requests.
        context_tokens: longest prompt plus answer, if the server reports it; else 0.
    """

    name: str
    context_tokens: int


class ModelListing(Struct, frozen=True):
    """A server's list of models.

    Attributes:
        program: its program, ``openai`` if unknown.
        models: in the server's order.
    """

    program: str
    models: tuple[ListedModel, ...]

    @property
    def names(self) -> str:
        """The first models' names, for a person."""
        return ", ".join(model.name for model in self.models[:8])


class ApiDialect(Struct, frozen=True):
    """A program's extensions of OpenAI's API; see ``engine_client.EngineEndpoint``.

    Attributes:
        extra: fields of every request.
        counted_each_event: whether it reports its usage on every event.
        salted: whether it supports a cache salt per run.
        off_fields: fields by which it is told not to think, beside the arguments of templates.
        budget_field: its field for the limit on a thought; "" if it keeps none.
    """

    extra: dict[str, Any] = {}
    counted_each_event: bool = False
    salted: bool = False
    off_fields: dict[str, Any] = {}
    budget_field: str = ""


def dialect_of(program: str) -> ApiDialect:
    """Returns the dialect of a program."""
    if program == "llama.cpp":
        return ApiDialect(extra=LLAMACPP_EXTRA, budget_field=THINKING_BUDGET)
    if program == "vllm":
        return ApiDialect(counted_each_event=True, salted=True, budget_field=VLLM_BUDGET)
    if program in ("ollama", "lm-studio"):
        return ApiDialect(off_fields={"reasoning_effort": Effort.NONE.value})
    return ApiDialect()


def parse_listing(payload: bytes) -> ModelListing:
    """Returns the models of a ``/v1/models`` response; none if it lists none."""
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
    """The context in the fields of vLLM, llama.cpp and LM Studio."""
    meta = entry.get("meta")
    context_tokens = (
        entry.get("max_model_len")
        or (meta.get("n_ctx") if isinstance(meta, dict) else None)
        or entry.get("loaded_context_length")
    )
    return parse_count(context_tokens)
