"""Writes the reference pages that are made from the code, or checks that they are up to date.

    python scripts/reference.py            writes the pages
    python scripts/reference.py --check    exits 1 and names the pages that differ

`docs/reference/errors.md` comes from the table of stable codes and the message catalogue,
`docs/reference/cli.md` from the command line itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from entraide import i18n
from entraide.cli.app import build
from entraide.errors import CODES

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/reference"
HIDDEN = {"--help"}

ERRORS_HEAD = """\
# Errors

Made from the code by `python scripts/reference.py`; do not edit.

Every refusal has a stable code. Over HTTP it comes in OpenAI's shape, in the language of
`Accept-Language` (else the pool's, French), with `Retry-After` when it is known when to try
again:

```json
{"error": {"message": "…", "type": "insufficient_quota", "param": null, "code": "quota_tokens"}}
```

Over gRPC the code is the `reason` of a `google.rpc.ErrorInfo` in the status details (domain
`entraide`; `job` and the values of the sentence are its metadata), the wait a
`google.rpc.RetryInfo`. The Python clients raise `entraide.errors.RequestError` (the caller must
change something; `AuthenticationError`, `NotFoundError` and `QuotaError` are such), `PoolError`
(the pool could not do it) or `PoolUnreachable`, each with `code`, `job`, `retryable` and
`retry_after_s`.

*Again*: whether the same request may succeed later, unchanged. The sentences below are the
shortest form; where numbers and names are known, they are in it.

| code | HTTP | gRPC | again | in English | en français |
|---|---|---|---|---|---|
"""

CLI_HEAD = """\
# Command line

Made from the code by `python scripts/reference.py`; do not edit. `entraide --lang fr … --help`
says the same in French.

A command speaks to the pool of `--state DIR`; else to the one at `ENTRAIDE_URL` (with
`ENTRAIDE_KEY`, for the operator `ENTRAIDE_ADMIN_KEY`, and `ENTRAIDE_CA`, a file, for a pool with
its own certificate authority); else to the pool that runs on this machine. `--lang fr|en` may
stand anywhere; else the locale decides. Exit status: 0 done, 1 refused or failed (one sentence on
the error output), 2 misused, 130 interrupted.
"""


def errors_page() -> str:
    """The page of stable codes."""
    lines = [ERRORS_HEAD]
    for code, facts in CODES.items():
        again = "yes" if facts.retryable else "no"
        english, french = (i18n.error(code, lang).replace("\n", " ") for lang in ("en", "fr"))
        lines.append(
            f"| `{code}` | {facts.http} | {facts.grpc} | {again} | {english} | {french} |\n"
        )
    return "".join(lines)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its path, in the order of the alphabet."""
    parts = getattr(command, "commands", None)
    if parts is None:
        yield path, command
        return
    for name in sorted(parts):
        yield from commands(parts[name], f"{path} {name}")


def option_line(option: Any) -> str:
    """A line for one option."""
    value = "" if getattr(option, "is_flag", False) else f" {option.metavar or option.name.upper()}"
    return f"- `{option.opts[0]}{value}`" + (f": {option.help}" if option.help else "")


def cli_page() -> str:
    """The page of the command line."""
    lines = [CLI_HEAD]
    for path, command in commands(typer.main.get_command(build("en")), "entraide"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        names = "".join(f" {p.metavar or p.name.upper()}" for p in arguments)
        lines.append(f"\n## {path}\n\n`{path}{names}`\n\n{command.help or ''}\n\n")
        shown = [p for p in options if p.opts[0] not in HIDDEN and not p.hidden]
        lines.extend(f"{option_line(option)}\n" for option in shown)
    return "".join(lines)


def pages() -> dict[Path, str]:
    """Each page and what it should say."""
    return {PAGES / "errors.md": errors_page(), PAGES / "cli.md": cli_page()}


def main() -> int:
    """Writes the pages, or names those that differ; returns the exit status."""
    if "--check" not in sys.argv[1:]:
        for path, text in pages().items():
            path.write_text(text, "utf-8")
        return 0
    old = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in old:
        print(f"{path.relative_to(ROOT)} differs: run python scripts/reference.py")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
