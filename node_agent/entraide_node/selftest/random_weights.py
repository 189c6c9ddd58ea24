"""Random weights: a model of the demonstration model's shape, for engines that read the hub's form.

Input: an empty folder. Output: a folder with random weights in bfloat16, a configuration, and a
tokenizer of bytes, so that nothing is fetched. What such a model writes means nothing. Its speed is
that of the demonstration's model, SmolLM2-135M-Instruct, whose shape is in its ``config.json``
(https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct). Format of the file:
https://github.com/huggingface/safetensors#format.
"""

import json
import random
from collections.abc import Iterator
from math import prod
from pathlib import Path

WEIGHTS_BYTES = 269_100_000  # on the disk

_LAYERS, _WIDTH, _INNER, _HEADS, _GROUPS, _TOKENS = 30, 576, 1_536, 9, 3, 49_152
_HEAD = _WIDTH // _HEADS
_CONTEXT_TOKENS = 8_192
_ONE = b"\x80\x3f"  # 1.0 in bfloat16
# The upper half of a small number's four bytes, of either sign: 0.0078 to 0.0312.
_UPPER = bytes(0xBC if value % 2 else 0x3C for value in range(256))
_END = "<|end|>"


def write_random_model(folder: Path) -> None:
    """Writes the model into a folder. Blocks for a second or two.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(folder / "model.safetensors")
    for name, content in (
        ("config.json", _CONFIG),
        ("tokenizer.json", _make_tokenizer()),
        ("tokenizer_config.json", _TOKENIZER_CONFIG),
    ):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _tensor_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (_TOKENS, _WIDTH)
    for number in range(_LAYERS):
        layer = f"model.layers.{number}"
        yield f"{layer}.input_layernorm.weight", (_WIDTH,)
        yield f"{layer}.self_attn.q_proj.weight", (_WIDTH, _WIDTH)
        yield f"{layer}.self_attn.k_proj.weight", (_GROUPS * _HEAD, _WIDTH)
        yield f"{layer}.self_attn.v_proj.weight", (_GROUPS * _HEAD, _WIDTH)
        yield f"{layer}.self_attn.o_proj.weight", (_WIDTH, _WIDTH)
        yield f"{layer}.post_attention_layernorm.weight", (_WIDTH,)
        yield f"{layer}.mlp.gate_proj.weight", (_INNER, _WIDTH)
        yield f"{layer}.mlp.up_proj.weight", (_INNER, _WIDTH)
        yield f"{layer}.mlp.down_proj.weight", (_WIDTH, _INNER)
    yield "model.norm.weight", (_WIDTH,)


def _write_weights(path: Path) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in _tensor_shapes():
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    source = random.Random(0)  # noqa: S311  (no secret)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape in _tensor_shapes():
            count = prod(shape)
            if len(shape) == 1:  # a scale
                file.write(_ONE * count)
                continue
            values = bytearray(2 * count)
            values[0::2] = source.randbytes(count)
            values[1::2] = source.randbytes(count).translate(_UPPER)
            file.write(values)


_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": _WIDTH,
    "intermediate_size": _INNER,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "num_key_value_heads": _GROUPS,
    "head_dim": _HEAD,
    "vocab_size": _TOKENS,
    "max_position_embeddings": _CONTEXT_TOKENS,
    "rms_norm_eps": 1e-5,
    "rope_theta": 100_000.0,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "torch_dtype": "bfloat16",
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
_TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "clean_up_tokenization_spaces": False,
    "add_prefix_space": False,
    "model_max_length": _CONTEXT_TOKENS,
    "bos_token": _END,
    "eos_token": _END,
    "pad_token": _END,
    "chat_template": "{% for message in messages %}{{ message.content }}\n{% endfor %}",
}


def _make_tokenizer() -> dict[str, object]:
    """A token for each byte, and words that fill the rest of the vocabulary."""
    tokens = [_END, *_byte_characters()]
    tokens += [f"w{number}" for number in range(len(tokens), _TOKENS)]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    end = {"id": 0, "content": _END, "special": True, "single_word": False, "lstrip": False,
           "rstrip": False, "normalized": False}  # fmt: skip
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": {**bytes_, "use_regex": True},
        "post_processor": None,
        "decoder": {**bytes_, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [],
        },
    }


def _byte_characters() -> list[str]:
    """The characters that stand for the 256 bytes in a byte-level vocabulary, as in GPT-2's.

    A byte that is visible in Latin-1 stands for itself; the others follow from U+0100 on.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return [
        chr(byte) if byte in visible else chr(0x100 + hidden.index(byte)) for byte in range(256)
    ]
