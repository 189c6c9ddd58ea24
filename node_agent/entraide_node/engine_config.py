"""Engine configuration: one struct for each kind of engine that an owner can configure.

Input: the engine tables of ``node.toml``. Output: structs with the defaults of each kind.
"""

from urllib.parse import urlsplit

from msgspec import Struct


class LlamaCpp(
    Struct, frozen=True, tag_field="kind", tag="llama.cpp", forbid_unknown_fields=True, kw_only=True
):
    """llama.cpp, the engine that ships with the agent.

    Attributes:
        model: path of a GGUF file, or ``demo`` for the demonstration model.
        alias: public name of the model; "" for the name in the file.
        threads: processor threads; 0 for all but one.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of one job.
        embeddings: whether a model that writes text also answers requests for embeddings, by the
            state of its last token. An embedding model does so without it.
        sandbox: whether it runs in a sandbox, where the machine has one.
    """

    model: str = "demo"
    alias: str = ""
    threads: int = 0
    slots: int = 4
    context_tokens: int = 2048
    embeddings: bool = False
    sandbox: bool = True


class Attach(
    Struct, frozen=True, tag_field="kind", tag="attach", forbid_unknown_fields=True, kw_only=True
):
    """A server that the owner runs and that implements OpenAI's API.

    Attributes:
        url: its base address, without ``/v1``.
        model: its name of the model.
        key: bearer key, or "".
        alias: public name of the model; "" for the server's name.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of one job.
        features: features beyond text (``tools``, ``schema``, ``images``, ``logprobs``,
            ``repetition_penalty``, ``stop_token_ids``, ``embeddings``, ``dimensions``,
            ``thinking_budget_tokens``).
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
    """Apple's MLX in an environment of its own (``entraide node engine install mlx``).

    Attributes:
        model: folder of the weights in MLX's format.
        alias: public name of the model; "" for the folder's name.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of one job.
        args: further arguments of its command.
        sandbox: whether it runs in a sandbox, on Linux.
    """

    model: str
    alias: str = ""
    slots: int = 4
    context_tokens: int = 4096
    args: tuple[str, ...] = ()
    sandbox: bool = True


class Vllm(
    Struct, frozen=True, tag_field="kind", tag="vllm", forbid_unknown_fields=True, kw_only=True
):
    """vLLM in an environment of its own (``entraide node engine install vllm``).

    Attributes:
        model: folder of the weights.
        alias: public name of the model; "" for the folder's name.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of one job.
        tensor_parallel: graphics cards that share each layer.
        pipeline_parallel: groups of cards that share the layers; usually machines.
        ray: whether the cards belong to a Ray cluster of the site, which the owner started.
        cpu: whether it computes on the processor.
        threads: processor threads for that; 0 for all but one.
        tool_parser: vLLM's parser of the model's tool calls; "" for the known one, ``none`` for
            none.
        args: further arguments of its command.
        sandbox: whether it runs in a sandbox, where the machine has one; never with Ray.
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
    sandbox: bool = True


class NoEngine(
    Struct, frozen=True, tag_field="kind", tag="none", forbid_unknown_fields=True, kw_only=True
):
    """No configured engine: the node serves only models that the pool orders."""


OwnerEngine = LlamaCpp | Attach | MlxLm | Vllm


def is_address(url: str) -> bool:
    """Whether the address of a server to attach names a host, and a port if any.

    >>> [is_address(url) for url in ("http://127.0.0.1:8080", "127.0.0.1:8080", "http://[")]
    [True, False, False]
    """
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_named = parts.scheme in ("http", "https") and bool(parts.hostname)
    return has_port and is_named and url.isprintable() and url.isascii() and " " not in url
