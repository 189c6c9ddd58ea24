"""The process that renders a chat template, which somebody else wrote.

Input: a ``TemplateRequest`` on standard input. Output: the prompts as a JSON list, or nothing. The
process limits its own time, memory and files before it reads; Jinja's sandbox keeps the template
from the interpreter, and neither keeps it from using up what it is given.
"""

import resource
import sys
from typing import NoReturn

import msgspec

from entraide.catalogue.chat_template import TemplateRequest
from entraide.decoding import decode_json

CPU_S = 2
MEMORY_BYTES = 512 << 20
PROMPT_CHARS_MAX = 1 << 20


def main() -> int:
    """Renders; returns the exit status."""
    import jinja2  # noqa: PLC0415 - only this process loads it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    _limit()
    request = decode_json(sys.stdin.buffer.read(), type=TemplateRequest)
    environment = ImmutableSandboxedEnvironment(  # as transformers makes it
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals.update(raise_exception=_raise, strftime_now=lambda _form: "2026-01-01")
    environment.filters["tojson"] = lambda value, **_: msgspec.json.encode(value).decode()
    try:
        template = environment.from_string(request.template)
        prompts = [template.render(**variables) for variables in request.renderings]
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError):
        return 1
    if any(len(prompt) > PROMPT_CHARS_MAX for prompt in prompts):
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(prompts))
    return 0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


if __name__ == "__main__":
    sys.exit(main())
