"""A model's chat template is rendered, and shows whether it is told as the catalogue declares.

The published templates are in ``tests/data/templates``, with their sources and licences. Of
EuroLLM, whose text is not there, a ChatML template written by hand has the form.
"""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.builders import entry

from entraide.catalogue.chat_template import check_template, read_template, render_prompts
from entraide.catalogue.pin_fault import PinFault
from entraide.models import TEMPLATE_TOKENS_MAX
from entraide.process_sandbox import find_sandbox_problem
from entraide.thinking import Effort, Thinking, ThinkingSigns, find_terms
from entraide_scheduler.gateway.chat.fields import SystemMessage, UserMessage
from entraide_scheduler.gateway.chat.thinking import with_sign

ROOT = Path(__file__).parents[2]

TURNS = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content"
    " + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
PUBLISHED = {
    file.stem: file.read_text("utf-8") for file in (ROOT / "tests/data/templates").glob("*.jinja")
}
QWEN3, ALWAYS = PUBLISHED["qwen3"], PUBLISHED["deepseek_r1_distill"]
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
    "Qwen3 that is told by a sign": (QWEN3, Thinking.SIGN, True),
    "Qwen3 that never thinks": (QWEN3, Thinking.NEVER, False),
    "Qwen3 that always thinks": (QWEN3, Thinking.ALWAYS, False),
    "Qwen3 2507": (PUBLISHED["qwen3_instruct_2507"], Thinking.NEVER, True),
    "EuroLLM": (TURNS, Thinking.NEVER, True),
    "EuroLLM that is told by an argument": (TURNS, Thinking.ARGUMENT, False),
    "Mistral Small 3": (PUBLISHED["mistral_small_3"], Thinking.NEVER, True),
    "Mistral Small 4": (PUBLISHED["mistral_small_4"], Thinking.NEVER, True),
    "a thought in any case": (ALWAYS, Thinking.ALWAYS, True),
    "a thought in any case, denied": (ALWAYS, Thinking.NEVER, False),
}
# The end of a question's prompt with the thought off.
OFF = {
    "qwen3": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "qwen3_instruct_2507": "<|im_start|>assistant\n",
    "deepseek_r1_distill": "<think>\n",
    "mistral_small_3": "[INST]?[/INST]",
    "mistral_small_4": '{"reasoning_effort": "none"}[/MODEL_SETTINGS][INST]?[/INST]',
}


@pytest.mark.parametrize("case", DECLARED)
def test_a_template_agrees_with_the_catalogue_or_is_refused(case: str, tmp_path: Path) -> None:
    """Its prompts with the thought on and off differ if, and only if, an argument is declared."""
    template, thinking, agrees = DECLARED[case]
    file = tmp_path / "chat_template.jinja"
    file.write_text(template)
    checked = check_template(entry("m", thinking=thinking), [file])

    if agrees:
        assert not isinstance(checked, PinFault)
        assert 0 < checked.template_tokens < TEMPLATE_TOKENS_MAX
    else:
        assert PinFault("thinking", thinking) == checked


def test_what_a_template_adds_to_a_question(tmp_path: Path) -> None:
    """Its bytes, once: a byte-level tokenizer makes no more tokens; of the formats, the most."""
    file = tmp_path / "chat_template.jinja"
    file.write_text("{{ 'é' * 200 }}" + TURNS)
    model = entry("m")
    first = check_template(model, [file])
    file.write_text(TURNS)
    second = check_template(model, [file])
    assert not isinstance(first, PinFault)
    assert not isinstance(second, PinFault)
    again = check_template(first, [file])
    shown = "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"

    assert len(shown) + 2 == second.template_tokens
    assert second.template_tokens + 400 == first.template_tokens
    assert first == again
    assert (0, first.template_tokens - 80) == (
        second.extra_template_tokens, first.extra_template_tokens,
    )  # fmt: skip


@pytest.mark.parametrize("name", OFF)
def test_the_thought_is_off_in_a_published_template(name: str) -> None:
    """The prompt leaves no thought open, but for the model that cannot be told."""
    prompts = render_prompts(PUBLISHED[name])
    assert prompts is not None
    _, off = prompts
    opens, closes = off.count("<think>"), off.count("</think>")

    assert off.endswith(OFF[name])
    assert (name != "deepseek_r1_distill") == (opens == closes)


@pytest.mark.parametrize(("sign", "effort"), [("/think", Effort.LOW), ("/no_think", Effort.NONE)])
def test_a_sign_is_in_the_prompt_where_qwen3_reads_it(sign: str, effort: Effort) -> None:
    """It ends the instructions, which the template keeps; Qwen3's weights know it there."""
    terms = find_terms(effort, 0, Thinking.SIGN, ThinkingSigns())
    assert terms is not None
    messages = with_sign([SystemMessage("Be brief."), UserMessage("?")], terms)
    prompts = render_prompts(QWEN3, msgspec.to_builtins(messages))
    assert prompts is not None

    for prompt in prompts:
        assert f"<|im_start|>system\nBe brief.\n{sign}<|im_end|>\n<|im_start|>user\n?" in prompt


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


# What a template would do that has escaped from Jinja's sandbox.
ESCAPED = {
    "reads a file of the owner": "open({letter!r}).read()",
    "writes one": "open({letter!r}, 'w')",
    "opens a connection": "socket.create_connection(('127.0.0.1', 9))",
    "starts a process": "os.fork()",
    "lists the processes": "os.listdir('/proc')",
}


@pytest.mark.skipif(bool(find_sandbox_problem()), reason="this kernel has no Landlock")
def test_a_template_that_escaped_reaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that renders a template may read no file and open no connection."""
    letter = tmp_path / "letter.txt"
    letter.write_text("Chère Ada,", "utf-8")
    commands: list[list[str]] = []
    run = subprocess.run

    def keep(command: list[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", keep)
    assert render_prompts(TURNS) is not None
    before = commands[0][: commands[0].index("-m", -2)]
    errors = {}
    for name, code in ESCAPED.items():
        program = f"import os, socket; {code.format(letter=str(letter))}"
        done = run([*before, "-c", program], capture_output=True, text=True, check=False)
        errors[name] = done.stderr.rpartition("\n")[0].rpartition("\n")[2].partition(":")[0]

    assert dict.fromkeys(ESCAPED, "PermissionError") == errors
