"""Chat template: whether a model's template can be told not to think, found by rendering it.

Input: the pinned files of a model, and what the catalogue declares. Output: the text of the
template, whether its prompts with the thought on and off differ as declared, and the most tokens
that it adds to a question. A template is a
program that somebody else wrote: it is rendered by Jinja's sandbox, in a process of its own
(``template_child``) with limits on time, memory and output, and in a sandbox where the machine has
one.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.catalogue.gguf import NotGguf, read_text
from entraide.catalogue.pin_fault import PinFault
from entraide.catalogue.weight_files import GGUF_SUFFIX
from entraide.decoding import decode_json
from entraide.models import TEMPLATE_TOKENS_MAX, ModelEntry
from entraide.process_sandbox import (
    SandboxNeeds,
    find_sandbox_problem,
    sandbox_command,
    sandbox_environment,
)
from entraide.thinking import TEMPLATE_ARGUMENTS, Thinking

MODULE = "entraide.catalogue.template_child"
TEMPLATE_CHARS_MAX = 1 << 20
ADDED_SIGNS = 2
OUTPUT_BYTES_MAX = 4 << 20
TIMEOUT_S = 20.0
GGUF_KEY = "tokenizer.chat_template"
THOUGHT_OPEN = "<think>"
QUESTION: Sequence[dict[str, Any]] = ({"role": "user", "content": "?"},)


class TemplateRequest(Struct, frozen=True):
    """What the child renders: a template with several sets of variables."""

    template: str
    renderings: list[dict[str, Any]]


def check_template(entry: ModelEntry, paths: list[Path]) -> ModelEntry | PinFault:
    """Returns a model with what its template adds to a prompt, or why the template is refused.

    A model without a template of its own, or with one that cannot be rendered, stays as it is.

    Args:
        entry: the model.
        paths: its pinned files.
    """
    template = read_template(paths)
    prompts = render_prompts(template) if template else None
    if prompts is None:
        return entry
    fault = _check_thinking(entry, prompts)
    most = max(entry.template_tokens, count_template_tokens(prompts))  # of all its formats
    return fault or replace(entry, template_tokens=most)


def count_template_tokens(prompts: tuple[str, str]) -> int:
    """Returns the most tokens that a template adds to a question, from its prompts.

    A byte-level tokenizer makes one token of a byte at most; engines add signs at the beginning and
    at the end.
    """
    question_bytes = len(QUESTION[0]["content"].encode())
    size = max(len(prompt.encode("utf-8", "replace")) for prompt in prompts)
    return min(TEMPLATE_TOKENS_MAX, size - question_bytes + ADDED_SIGNS)


def _check_thinking(entry: ModelEntry, prompts: tuple[str, str]) -> PinFault | None:
    """Returns why a model's template contradicts what the catalogue declares of its thought."""
    on, off = prompts
    is_told = on != off
    declared = entry.thinking
    if is_told is (declared is Thinking.ARGUMENT) or declared is Thinking.SIGN:
        opens = off.rstrip().endswith(THOUGHT_OPEN)
        return PinFault("thinking", declared) if opens and declared is Thinking.NEVER else None
    return PinFault("thinking", declared)


def read_template(paths: list[Path]) -> str:
    """Returns the chat template in a model's files; "" if there is none that can be read."""
    by_name = {path.name: path for path in paths}
    first = next((path for path in paths if path.suffix == GGUF_SUFFIX), None)
    try:
        if first is not None:
            return read_text(first, GGUF_KEY)
        if alone := by_name.get("chat_template.jinja"):
            with alone.open(encoding="utf-8", newline="") as file:
                return file.read(TEMPLATE_CHARS_MAX)
        if config := by_name.get("tokenizer_config.json"):
            with config.open("rb") as file:
                document = decode_json(file.read(OUTPUT_BYTES_MAX))
            text = document.get("chat_template") if isinstance(document, dict) else ""
            return text[:TEMPLATE_CHARS_MAX] if isinstance(text, str) else ""
    except (OSError, ValueError, NotGguf, msgspec.DecodeError):
        return ""
    return ""


def render_prompts(
    template: str, messages: Sequence[dict[str, Any]] = QUESTION
) -> tuple[str, str] | None:
    """Returns the prompt with the thought on and with it off; None if neither renders."""
    question = {"messages": messages, "add_generation_prompt": True}
    renderings = [question | dict.fromkeys(TEMPLATE_ARGUMENTS, on) for on in (True, False)]
    request = msgspec.json.encode(TemplateRequest(template, renderings))
    launcher: tuple[str, ...] = ()
    if not find_sandbox_problem():
        launcher = sandbox_command(SandboxNeeds(read=(), cards=False))
    try:
        done = subprocess.run(
            [*launcher, sys.executable, "-I", "-m", MODULE],
            input=request,
            env=sandbox_environment() if launcher else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
        prompts = decode_json(done.stdout[:OUTPUT_BYTES_MAX], type=list[str])
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError):
        return None
    return (prompts[0], prompts[1]) if len(prompts) == len(renderings) else None
