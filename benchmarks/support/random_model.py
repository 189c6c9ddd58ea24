"""A small model of random weights with the tests' vocabulary, for measurements of a long context.

Output: a GGUF file that llama.cpp reads, the same for the same seed. What it writes means nothing.
Its vocabulary and chat template are the tests' model's, so texts have as many tokens in both.
"""

from pathlib import Path

import gguf
import numpy as np
from tests.engines.support import demo_model

LAYERS, WIDTH, INNER, HEADS, GROUPS = 6, 384, 1_024, 6, 2
CONTEXT_TOKENS = 8_192
SCALE = 0.02  # standard deviation of a weight
SEED = 38


def write_random_gguf(path: Path) -> None:
    """Writes the model, about 60 MB; blocks for seconds."""
    reader = gguf.GGUFReader(demo_model().path)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random weights")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    words = 0
    for field in reader.fields.values():
        if not field.name.startswith("tokenizer."):
            continue
        value, kind = field.contents(), field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, kind, sub_type=inner)
        if field.name == gguf.Keys.Tokenizer.LIST:
            words = len(value)
    writer.add_vocab_size(words)
    draws = np.random.default_rng(SEED)
    for name, shape in _shapes(words).items():
        if len(shape) == 1:  # a scale
            writer.add_tensor(name, np.ones(shape, np.float32))
        else:
            values = draws.standard_normal(shape, np.float32) * SCALE
            writer.add_tensor(name, values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(words: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (words, WIDTH),  # also of the output
        "output_norm.weight": (WIDTH,),
    }
    group_width = GROUPS * WIDTH // HEADS
    for number in range(LAYERS):
        block = f"blk.{number}"
        shapes |= {
            f"{block}.attn_norm.weight": (WIDTH,),
            f"{block}.attn_q.weight": (WIDTH, WIDTH),
            f"{block}.attn_k.weight": (group_width, WIDTH),
            f"{block}.attn_v.weight": (group_width, WIDTH),
            f"{block}.attn_output.weight": (WIDTH, WIDTH),
            f"{block}.ffn_norm.weight": (WIDTH,),
            f"{block}.ffn_gate.weight": (INNER, WIDTH),
            f"{block}.ffn_up.weight": (INNER, WIDTH),
            f"{block}.ffn_down.weight": (WIDTH, INNER),
        }
    return shapes
