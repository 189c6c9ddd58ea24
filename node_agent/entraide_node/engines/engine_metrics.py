"""Engine metrics: an engine's load, parsed from its Prometheus metrics.

Input: the metrics of llama.cpp or vLLM. Output: ``EngineMetrics``; None if no known metric is
there.
"""

from entraide.units import COUNT_MAX
from entraide_node.engines.base import EngineMetrics

# llama.cpp counts cached prompt tokens apart, vLLM among the others.
_PROCESSING = ("llamacpp:requests_processing", "vllm:num_requests_running")
_WAITING = ("llamacpp:requests_deferred", "vllm:num_requests_waiting")
_PROMPT = (
    "llamacpp:prompt_tokens_total",
    "llamacpp:prompt_tokens_cached_total",
    "vllm:prompt_tokens_total",
)
_OUTPUT = ("llamacpp:tokens_predicted_total", "vllm:generation_tokens_total")
_KNOWN = frozenset((*_PROCESSING, *_WAITING, *_PROMPT, *_OUTPUT))


def parse_metrics(text: bytes) -> EngineMetrics | None:
    """Returns an engine's load; None if no metric is known."""
    values: dict[str, float] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in _KNOWN:
            values[name] = values.get(name, 0.0) + _number(line.rpartition(" ")[2])
    if not any(name in values for name in _PROCESSING):
        return None
    return EngineMetrics(
        processing=_sum(values, _PROCESSING),
        waiting=_sum(values, _WAITING),
        prompt_tokens_total=_sum(values, _PROMPT),
        output_tokens_total=_sum(values, _OUTPUT),
    )


def _sum(values: dict[str, float], names: tuple[str, ...]) -> int:
    return int(sum(values.get(name, 0.0) for name in names))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if abs(number) <= COUNT_MAX else 0.0  # NaN compares as false
