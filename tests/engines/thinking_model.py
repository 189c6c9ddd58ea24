"""The small model as one that thinks first: its chat template opens a thought, as many models' do.

Told by the argument ``enable_thinking``, the template closes the thought at once, as Qwen3's does.
The template shows three short conversations, which the model follows: it closes its thought by
itself, and engines separate the thought from the answer.
"""

from pathlib import Path

from tests.engines.hub_folder import hub_folder, with_template
from tests.engines.own_environments import cache_folder
from tests.engines.support import demo_model

FORM = 2  # of the copy that is kept; a new number where it changes
ALIAS = f"smollm2-thought-{FORM}"
CLOSING_TOKENS = 6  # "</think>" and the line ends around it, in this model's vocabulary
QUESTION = [{"role": "user", "content": "Name three animals of Canada."}]
SHOWN = (
    ("Say hi.", "They greet me.", "Hello!"),
    ("Name a fruit.", "A fruit is an apple.", "An apple."),
    ("Name a colour.", "A colour is red.", "Red."),
)
TEMPLATE = (
    "{{- '"
    + "".join(
        f"<|im_start|>user\\n{question}<|im_end|>\\n"
        f"<|im_start|>assistant\\n<think>\\n{thought}\\n</think>\\n\\n{answer}<|im_end|>\\n"
        for question, thought, answer in SHOWN
    )
    + "' }}"
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.role == 'assistant' and message.reasoning_content %}"
    "{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}"
    "{{- message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking %}{{- '\\n</think>\\n\\n' }}"
    "{%- endif %}{%- endif %}"
)


def thinking_model() -> Path:
    """The model's file, made once."""
    copy = cache_folder() / f"{ALIAS}.gguf"
    return with_template(demo_model().path, copy, chat_template=TEMPLATE)


def thinking_folder() -> Path:
    """The same model in the hub's form, made once."""
    return hub_folder(demo_model().path, cache_folder() / ALIAS, chat_template=TEMPLATE)
