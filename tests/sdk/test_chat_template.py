"""A model's chat template is rendered, and shows whether it is told as the catalogue declares.

The templates here are written by hand. They do what the published ones do at their end, where an
answer begins: Qwen3's (huggingface.co/Qwen/Qwen3-0.6B, Apache-2.0) writes an empty thought if
``enable_thinking`` is false, and nothing else depends on it; Mistral's (Mistral-7B-Instruct-v0.3)
and EuroLLM's (EuroLLM-1.7B-Instruct) have no thought; DeepSeek-R1's opens one in any case.
"""

from pathlib import Path

import pytest
from tests.core.builders import entry

from entraide.catalogue.chat_template import check_thinking, read_template, render_prompts
from entraide.thinking import Thinking

TURNS = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content"
    " + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
QWEN3 = TURNS + (
    "{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{%- endif %}"
)
MISTRAL = (
    "{%- for message in messages %}{%- if message['role'] not in ['user', 'assistant'] %}"
    "{{ raise_exception('Only user and assistant roles are supported') }}{%- endif %}"
    "{{ '[INST] ' + message['content'] + '[/INST]' }}{%- endfor %}"
)
ALWAYS = TURNS + "{{ '<think>\n' }}"
# Its own end, where each of the limits of the process that renders it is reached.
HOSTILE = {
    "time": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "memory": "{{ 'x' * 4000000000 }}",
    "output": "{{ 'x' * 3000000 }}",
    "the interpreter": "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "an end": "{% for message in messages %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}

DECLARED: dict[str, tuple[str, Thinking, bool]] = {
    "Qwen3": (QWEN3, Thinking.ARGUMENT, True),
    "Qwen3 that never thinks": (QWEN3, Thinking.NEVER, False),
    "Qwen3 that always thinks": (QWEN3, Thinking.ALWAYS, False),
    "EuroLLM": (TURNS, Thinking.NEVER, True),
    "EuroLLM that is told by an argument": (TURNS, Thinking.ARGUMENT, False),
    "Mistral": (MISTRAL, Thinking.NEVER, True),
    "a thought in any case": (ALWAYS, Thinking.ALWAYS, True),
    "a thought in any case, denied": (ALWAYS, Thinking.NEVER, False),
    "a sign": (TURNS, Thinking.SIGN, True),
}


@pytest.mark.parametrize("case", DECLARED)
def test_a_template_agrees_with_the_catalogue_or_is_refused(case: str, tmp_path: Path) -> None:
    """Its prompts with the thought on and off differ if, and only if, an argument is declared."""
    template, thinking, agrees = DECLARED[case]
    file = tmp_path / "chat_template.jinja"
    file.write_text(template)
    fault = check_thinking(entry("m", thinking=thinking), [file])

    assert (None if agrees else ("thinking", thinking)) == (fault and (fault.code, fault.detail))


@pytest.mark.parametrize("end", HOSTILE)
def test_a_hostile_template_only_ends_itself(end: str) -> None:
    """A template that asks for too much, or for the interpreter, gives no prompts."""
    assert render_prompts(HOSTILE[end]) is None


def test_the_template_is_in_the_weights_or_beside_them(tmp_path: Path) -> None:
    """It is read from the tokenizer's configuration where it has no file of its own."""
    config = tmp_path / "tokenizer_config.json"
    config.write_text('{"chat_template": "{{ 1 }}"}')
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\0\0\0")

    assert ["{{ 1 }}", "", ""] == [read_template(paths) for paths in ([config], [broken], [])]
