"""The small model as a folder of the hub's form, made from its GGUF file: for mlx-lm and vLLM.

It decides how tensors are called on either side and undoes what llama.cpp did to them: it stores
the rows of queries and keys in the order in which it rotates them. No torch: the weights are read
by ``gguf``, and written as the safetensors format has them, a header and then the bytes.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
SPECIAL = 3  # the type of a token that is no text

# A template that takes tools, as Hermes' models have it: what makes an engine offer them.
TOOL_TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n"
    "Answer by calling one of these functions: <tools>"
    "{%- for tool in tools %}\n{{ tool | tojson }}{%- endfor %}\n</tools>\n"
    'as <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>\n{% endif %}'
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- if message.content %}{{ message.content }}{%- endif %}"
    "{%- for call in message.tool_calls or [] %}"
    '\n<tool_call>\n{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{%- endfor %}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def hub_folder(file: Path, folder: Path, *, chat_template: str = "") -> Path:
    """Makes the folder, unless it is there; returns it.

    Args:
        file: a GGUF file of the llama architecture.
        folder: where to.
        chat_template: to take the place of the model's own; "" for that.
    """
    if folder.is_dir():
        return folder
    reader = gguf.GGUFReader(file)
    said = {name: field.contents() for name, field in reader.fields.items()}
    assert "llama" == said["general.architecture"]
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    template = chat_template or said["tokenizer.chat_template"]
    tensors = weights(reader, said)
    write_safetensors(partial / "model.safetensors", tensors)
    write_json(partial / "config.json", model_config(said, tensors))
    write_json(partial / "tokenizer.json", tokenizer(said))
    write_json(partial / "tokenizer_config.json", tokenizer_config(said, template))
    (partial / "chat_template.jinja").write_text(template, "utf-8")
    partial.rename(folder)
    return folder


def weights(reader: Any, said: dict[str, Any]) -> dict[str, Array]:
    """The tensors by the names that the hub's form gives them, as the model was trained."""
    heads = said["llama.attention.head_count"]
    groups = said.get("llama.attention.head_count_kv", heads)
    tensors = {}
    for tensor in reader.tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape))
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        if tensor.name in TOP:
            tensors[TOP[tensor.name]] = values
        elif tensor.name.startswith("blk."):
            _, number, part, _ = tensor.name.split(".")
            if part in ("attn_q", "attn_k"):
                values = unrotated(values, heads if part == "attn_q" else groups)
            tensors[f"model.layers.{number}.{LAYER[part]}.weight"] = values
    return tensors


def unrotated(values: Array, heads: int) -> Array:
    """The rows in the order before llama.cpp put pairs side by side."""
    half = values.shape[0] // heads // 2
    return values.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(values.shape)


def bfloat16(values: Array) -> Array:
    """The upper halves of floats, rounded to the nearest even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_safetensors(path: Path, tensors: dict[str, Array]) -> None:
    """Writes tensors as bfloat16: the length of the header, the header, the bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in tensors.items():
        begin, end = end, end + 2 * values.size
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(bfloat16(values).tobytes())


def model_config(said: dict[str, Any], tensors: dict[str, Array]) -> dict[str, Any]:
    """The model's shape, as transformers names it."""
    heads, width = said["llama.attention.head_count"], said["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": said["llama.feed_forward_length"],
        "num_hidden_layers": said["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": said.get("llama.attention.head_count_kv", heads),
        "head_dim": width // heads,
        "vocab_size": tensors["model.embed_tokens.weight"].shape[0],
        "max_position_embeddings": said["llama.context_length"],
        "rms_norm_eps": said["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": said.get("llama.rope.freq_base", 10_000.0),
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": said["tokenizer.ggml.bos_token_id"],
        "eos_token_id": said["tokenizer.ggml.eos_token_id"],
        "pad_token_id": said["tokenizer.ggml.padding_token_id"],
    }


def tokenizer(said: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer, as the tokenizers library reads it: byte-level pairs, digits one by one."""
    assert ("gpt2", "smollm") == (said["tokenizer.ggml.model"], said["tokenizer.ggml.pre"])
    tokens, kinds = said["tokenizer.ggml.tokens"], said["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "special": True, **plain}
            for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == SPECIAL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {**bytes_, "use_regex": True},
            ],
        },
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
            "merges": [merge.split(" ", 1) for merge in said["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config(said: dict[str, Any], template: str) -> dict[str, Any]:
    """What transformers wants to know of the tokenizer."""
    tokens = said["tokenizer.ggml.tokens"]
    named = {
        kind: tokens[said[f"tokenizer.ggml.{name}_token_id"]]
        for kind, name in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"))
    }
    return named | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "model_max_length": said["llama.context_length"],
        "chat_template": template,
    }


def write_json(path: Path, value: Any) -> None:
    """Writes a value as JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def with_template(file: Path, copy: Path, *, chat_template: str) -> Path:
    """Copies a GGUF file with another chat template, unless the copy is there; returns it."""
    if copy.is_file():
        return copy
    from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

    reader = gguf.GGUFReader(file)
    partial = copy.with_name(copy.name + ".part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(partial, arch="llama", endianess=reader.endianess)
    template = MetadataDetails(gguf.GGUFValueType.STRING, chat_template)
    copy_with_new_metadata(reader, writer, {gguf.Keys.Tokenizer.CHAT_TEMPLATE: template}, [])
    partial.rename(copy)
    return copy
