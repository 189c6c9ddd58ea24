"""Model folder: context, memory, tools and embeddings of a model in the hub's format.

Input: the folder's configuration, template and weight files. Output: what an engine must be told,
and whether the weights are complete. A folder without these facts may still be loadable.
"""

from pathlib import Path
from typing import Any

from entraide.catalogue.weight_files import find_safetensors_fault
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object, parse_text

CONFIG_NAME = "config.json"
SENTENCES_NAME = "sentence_bert_config.json"
JSON_BYTES_MAX = 64 * 1024 * 1024
TEMPLATE_CHARS_MAX = 256 * 1024
BYTES_PER_VALUE = 2

# vLLM's parser of tool calls, by the model's architecture.
_TOOL_PARSERS = {
    "Qwen2ForCausalLM": "hermes",
    "Qwen2MoeForCausalLM": "hermes",
    "Qwen3ForCausalLM": "hermes",
    "Qwen3MoeForCausalLM": "hermes",
    "MistralForCausalLM": "mistral",
    "MixtralForCausalLM": "mistral",
    "GraniteForCausalLM": "granite",
    "GptOssForCausalLM": "openai",
    "SmolLM3ForCausalLM": "hermes",
}


# Networks that write no text: their states are pooled to an embedding of the input.
_ENCODERS = frozenset(
    {"BertModel", "GteModel", "ModernBertModel", "NomicBertModel", "RobertaModel",
     "XLMRobertaModel"}
)  # fmt: skip
_SENTENCE_TRANSFORMERS = "modules.json"  # says how the states of an embedding model are pooled


def computes_embeddings(folder: Path) -> bool:
    """Whether a model computes embeddings instead of text."""
    if (folder / _SENTENCE_TRANSFORMERS).is_file():
        return True
    names = _read_object(folder / CONFIG_NAME).get("architectures")
    return isinstance(names, list) and bool(_ENCODERS & {parse_text(name) for name in names})


def shortens_embeddings(folder: Path) -> bool:
    """Whether a model was trained so that its embeddings may be cut to ``dimensions``.

    vLLM honours ``dimensions`` of these models, and refuses it of others.
    """
    config = _read_object(folder / CONFIG_NAME)
    return config.get("is_matryoshka") is True or bool(config.get("matryoshka_dimensions"))


def context_max_of(folder: Path) -> int:
    """Returns the longest context of the model, in tokens; 0 if unknown.

    A sentence model may have been trained on shorter texts than its network has positions for.
    """
    positions = parse_count(_text_config(folder).get("max_position_embeddings"))
    trained = parse_count(_read_object(folder / SENTENCES_NAME).get("max_seq_length"))
    return min(positions or trained, trained or positions)


def kv_bytes_per_token_of(folder: Path) -> int:
    """Returns the KV cache of one token at 16 bits, bytes; 0 if unknown."""
    config = _text_config(folder)
    layers = parse_count(config.get("num_hidden_layers"))
    heads = parse_count(config.get("num_attention_heads"))
    groups = parse_count(config.get("num_key_value_heads")) or heads
    size = parse_count(config.get("head_dim")) or parse_count(config.get("hidden_size")) // max(
        1, heads
    )
    return 2 * layers * groups * size * BYTES_PER_VALUE


def weights_bytes(folder: Path) -> int:
    """Returns the size of the weights in a folder."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def find_weights_problem(folder: Path) -> EngineProblem | None:
    """Returns why the weights in a folder cannot be loaded, from their headers.

    An engine would find the same only after most of a minute.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / CONFIG_NAME).is_file():
        missing = folder / (CONFIG_NAME if files else "*.safetensors")
        return EngineProblem("model_missing", {"file": str(missing)})
    for file in files:
        try:
            detail = find_safetensors_fault(file)
        except OSError as error:
            values: dict[str, str | int | float] = {"file": str(file), "detail": str(error)}
            return EngineProblem("model_unreadable", values)
        if detail:
            return EngineProblem("model_damaged", {"file": str(file), "detail": detail})
    return None


def supports_tools(folder: Path) -> bool:
    """Whether the model's chat template mentions tools."""
    try:
        with (folder / "chat_template.jinja").open("rb") as file:
            return b"tools" in file.read(JSON_BYTES_MAX)
    except OSError:
        template = _read_object(folder / "tokenizer_config.json").get("chat_template")
        texts = [template, *(named.get("template") for named in list_objects(template))]
        return any(isinstance(text, str) and "tools" in text for text in texts)


def chat_template_of(folder: Path) -> str:
    """Returns the model's one chat template; "" if there is none, or more than one.

    Other files of a folder that change the text before a chat's answer make it "" too: a template
    of the processor of pictures, further templates, and the format of a tokenizer of its own.
    """
    others = ("chat_template.json", "additional_chat_templates", "tekken.json")
    config = _read_object(folder / "tokenizer_config.json")
    if "chat_template_type" in config or any((folder / name).exists() for name in others):
        return ""
    try:
        with (folder / "chat_template.jinja").open(encoding="utf-8", newline="") as file:
            template: object = file.read(TEMPLATE_CHARS_MAX + 1)
    except (OSError, UnicodeDecodeError):
        template = config.get("chat_template")
    return template if isinstance(template, str) and len(template) <= TEMPLATE_CHARS_MAX else ""


def tool_parser_of(folder: Path) -> str:
    """Returns vLLM's parser for the model's tool calls; "" if none is known."""
    names = _read_object(folder / CONFIG_NAME).get("architectures")
    known = (
        (_TOOL_PARSERS.get(parse_text(name)) for name in names) if isinstance(names, list) else ()
    )
    return next((name for name in known if name), "") if supports_tools(folder) else ""


def _text_config(folder: Path) -> dict[str, Any]:
    """The text part of the configuration, which models with images nest."""
    config = _read_object(folder / CONFIG_NAME)
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def _read_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > JSON_BYTES_MAX:
            return {}
        return parse_object(path.read_bytes())
    except OSError:
        return {}
