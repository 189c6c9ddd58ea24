"""llama.cpp's properties: its features and context from ``/props``."""

from entraide.models import REPETITION_PENALTY, THINKING_BUDGET
from entraide_node.engines.untrusted_json import parse_count, parse_object

BASE_FEATURES = ("logprobs", REPETITION_PENALTY, "schema", THINKING_BUDGET)


def parse_features(props: bytes) -> tuple[str, ...]:
    """Returns its features beyond text: tools only if the model's chat template has them."""
    document = parse_object(props)
    caps = document.get("chat_template_caps")
    modalities = document.get("modalities")
    features = list(BASE_FEATURES)
    if isinstance(caps, dict) and caps.get("supports_tools") and caps.get("supports_tool_calls"):
        features.append("tools")
    if isinstance(modalities, dict) and modalities.get("vision"):
        features.append("images")
    return tuple(sorted(features))


def parse_slot_context(props: bytes) -> int:
    """Returns the context of one slot, in tokens; 0 if it is missing."""
    settings = parse_object(props).get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return parse_count(context)
