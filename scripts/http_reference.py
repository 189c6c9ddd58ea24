"""Writes the page of the HTTP interface in a language, from the gateway's tables and texts."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from entraide import i18n
from entraide.errors import CODES
from entraide_scheduler.gateway.chat import CHAT, COMPLETION, EMBEDDINGS, PoolFields, conversation
from entraide_scheduler.gateway.jobs import OPTIONS
from entraide_scheduler.gateway.openapi.codes import ANY, KEYED, LIVE_JOB, NO_OPERATION
from entraide_scheduler.gateway.openapi.operations import OPERATIONS, Access, Operation
from entraide_scheduler.gateway.openapi.parameters import QUERY, RESPONSE_HEADERS
from entraide_scheduler.gateway.openapi.schemas import (
    PREFIX,
    PUBLISHED,
    build_option_schemas,
    build_schemas,
    describe_field,
)
from entraide_scheduler.gateway.openapi.texts import find_summary, find_text
from entraide_scheduler.gateway.refusals import pattern_bounds, schema_bounds, strict_json
from entraide_scheduler.gateway.refusals.refusals import PARAMS
from entraide_scheduler.gateway.requests import IGNORED, MESSAGES, NEUTRAL, REQUESTS, SEPARATING
from entraide_scheduler.gateway.requests.endpoints import REPLACEMENTS, RESPONSES
from entraide_scheduler.gateway.routes import PATHS

TEXTS = runpy.run_path(str(Path(__file__).with_name("http_texts.py")))
WORDS: Mapping[str, tuple[str, str]] = TEXTS["WORDS"]
WHOLE_MAX = 2**53
ACCESS = {
    Access.ALL: "no",
    Access.KEY: "yes",
    Access.PERSON: "session",
    Access.ADMIN: "role",
    Access.NODE: "pass",
}

# Schemas of answers that have a section, in this order.
SHOWN = (
    "JobView", "Receipt", "Explanation", "Candidate", "Exclusion", "TokenCount", "FileObject",
    "FileList", "FileDeletion", "BatchObject", "BatchFault", "BatchPoolFields", "RunExpectation",
    "BatchList", "BatchInputLine", "BatchOutputLine", "Model", "PublicStatus", "PublicNode",
    "Statement", "Amounts", "UsageLine", "NodeStatement", "Readiness", "WellKnown", "ErrorFields",
    "MessageError", "MessageErrorFields",
)  # fmt: skip
TAKEN = ("JobRequest", "FileForm", "BatchRequest")
TITLES = {
    "JobRequest": "POST /v1/jobs", "FileForm": "POST /v1/files", "BatchRequest": "POST /v1/batches",
}  # fmt: skip


class Page:
    """The page in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.place = TEXTS["LANGUAGES"].index(lang)
        self.schemas = build_schemas()

    def prose(self, name: str) -> str:
        """Returns a piece of prose."""
        return str(TEXTS[name][self.place])

    def heading(self, name: str, path: str) -> str:
        """Returns prose that begins a part of an endpoint's section; its heading names the path."""
        return self.prose(name).format(path=path)

    def word(self, name: str) -> str:
        """Returns a word."""
        return WORDS[name][self.place]

    def count(self, number: float) -> str:
        """Returns a bound as readers write it."""
        if abs(number) > WHOLE_MAX:
            return "2^63" if number > 0 else "-2^63"
        marks = {",": self.word("thousands"), ".": self.word("decimal")}
        return "".join(marks.get(sign, sign) for sign in f"{number:,.15g}")

    def accepted(self, schema: Mapping[str, Any]) -> str:
        """Returns the values of a field, in words."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(PREFIX)
            inner = self.schemas[name]
            if "enum" in inner:
                return self.accepted(inner)
            return f"[{name}](#{name.lower()})" if name in SHOWN else self.word("object")
        if "anyOf" in schema:
            parts = [self.accepted(part) for part in schema["anyOf"]]
            return self.word("or").join(dict.fromkeys(parts))
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        if values:
            written = (value if isinstance(value, str) else json.dumps(value) for value in values)
            return ", ".join(f"`{value}`" for value in written if value)
        return self._bounded(schema)

    def _bounded(self, schema: Mapping[str, Any]) -> str:
        name = schema.get("type", "any")
        kind = self.word(name)
        if "minimum" in schema and "maximum" in schema:
            low, high = self.count(schema["minimum"]), self.count(schema["maximum"])
            return self.word("range").format(kind=kind, low=low, high=high)
        if "exclusiveMinimum" in schema:
            return self.word("above").format(kind=kind, high=self.count(schema["maximum"]))
        unit = self.word("characters" if name == "string" else "entries")
        most = schema.get("maxLength", schema.get("maxItems", schema.get("maxProperties")))
        if most is not None:
            return self.word("most").format(kind=kind, most=self.count(most), unit=unit)
        item = schema.get("items", {}).get("$ref", "").removeprefix(PREFIX)
        if item in SHOWN:
            return self.word("list_of").format(item=f"[{item}](#{item.lower()})")
        return kind

    def given(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the schema of a field that is given: null stands for one that is not."""
        if "anyOf" in schema:
            return {"anyOf": [part for part in schema["anyOf"] if part != {"type": "null"}]}
        return (
            {**schema, "enum": [v for v in schema["enum"] if v is not None]}
            if "enum" in schema
            else schema
        )

    def request_rows(self, name: str, fields: Iterable[str]) -> str:
        """Returns the rows of a request's fields."""
        schema = self.schemas[name]
        rows = []
        for field in fields:
            mark = self.word("required") if field in schema["required"] else ""
            values = self.accepted(self.given(schema["properties"][field]))
            rows.append(f"| `{field}`{mark} | {values} | {self.say(name, field)} |\n")
        return self.prose("FIELDS") + "".join(rows)

    def answer_rows(self, name: str) -> str:
        """Returns the rows of an answer's fields."""
        schema = self.schemas[name]
        rows = []
        for field, value in schema["properties"].items():
            mark = "" if field in schema["required"] else self.word("optional")
            rows.append(f"| `{field}`{mark} | {self.accepted(value)} | {self.say(name, field)} |\n")
        return self.prose("ANSWER_FIELDS") + "".join(rows)

    def say(self, name: str, field: str) -> str:
        """Returns the sentence about a field."""
        text = describe_field(name, field, self.lang)
        assert text, f"texts.toml has no sentence in {self.lang} about {name}.{field}"
        return text

    def endpoint(self, path: str) -> str:
        """Returns the section of one inference endpoint."""
        kind = REQUESTS[path]
        honoured = kind.__struct_fields__
        lines = [f"\n## POST {path}\n\n### {self.heading('HONOURED', path)}\n\n"]
        lines.append(self.request_rows(kind.__name__, honoured))
        if SEPARATING[path]:
            names = ", ".join(f"`{name}`" for name in sorted(SEPARATING[path]))
            lines.append(f"\n### {self.heading('SEPARATING', path)}\n\n{names}.\n")
        ignored = ", ".join(f"`{name}`" for name in sorted(IGNORED[path]))
        lines.append(f"\n### {self.heading('IGNORED', path)}\n\n{ignored}.\n")
        if NEUTRAL[path]:
            lines.append(self.heading("ONE_VALUE", path))
        for name, value in sorted(NEUTRAL[path].items()):
            lines.append(f"| `{name}` | `{json.dumps(value)}` |\n")
        substitutes = {
            name: instead
            for name, instead in sorted(REPLACEMENTS.items())
            if instead in honoured and name not in NEUTRAL[path]
        }
        if substitutes:
            lines.append(self.heading("REFUSED", path))
        lines += [f"| `{name}` | `{instead}` |\n" for name, instead in substitutes.items()]
        if path == CHAT:
            lines.append(self.prose("CHAT").format(images=conversation.IMAGES_MAX))
        if path == EMBEDDINGS:
            lines.append(self.prose("EMBEDDINGS").format())
        return "".join(lines)

    def taken(self) -> str:
        """Returns the sections of the other requests."""
        sections = []
        for name in TAKEN:
            rows = self.request_rows(name, self.schemas[name]["properties"])
            sections.append(f"\n## {TITLES[name]}\n\n{rows}{self.prose('ANY_OTHER')}")
        return "".join(sections)

    def options(self) -> str:
        """Returns the table of the pool's own options."""
        schemas = build_option_schemas()
        rows = []
        for option in OPTIONS:
            body = f"`{option.name}`" if option.name in PoolFields.__struct_fields__ else ""
            text = find_text("PoolFields", option.name, self.lang)
            rows.append(
                f"| `{option.header}` | {body} | `{option.keyword}` |"
                f" {self.accepted(schemas[option.name])} | {text} |\n"
            )
        return self.prose("OPTIONS") + "".join(rows)

    def answers(self) -> str:
        """Returns the sections of the answers."""
        sections = [f"\n### {name}\n\n{self.answer_rows(name)}" for name in SHOWN]
        return self.prose("ANSWERS") + "".join(sections)

    def errors(self) -> str:
        """Returns the table of the error codes over HTTP, and that of the headers."""
        answered = {code for facts in OPERATIONS.values() for code in facts.all_codes}
        rows = []
        for code, facts in CODES.items():
            if code not in answered | set(NO_OPERATION):
                continue
            param = f"`{PARAMS[code]}`" if code in PARAMS else ""
            param = self.word("field") if code in ("invalid_request", "invalid_json") else param
            sentence = i18n.error(code, self.lang).replace("\n", " ")
            again = self.word("yes" if facts.retryable else "no")
            rows.append(f"| `{code}` | {facts.http} | {param} | {again} | {sentence} |\n")
        headers = [
            f"| `{name}` | {find_text('headers', name, self.lang)} |\n" for name in RESPONSE_HEADERS
        ]
        return self.prose("ERRORS").format(rows="".join(rows), headers="".join(headers))

    def bounds(self) -> str:
        """Returns the sections about JSON schemas and JSON."""
        limits = {
            "tools_bytes": conversation.TOOLS_BYTES_MAX, "bytes": schema_bounds.SCHEMA_BYTES_MAX,
            "depth": schema_bounds.SCHEMA_DEPTH_MAX, "count": pattern_bounds.REPETITIONS_MAX,
            "sum": schema_bounds.REPETITIONS_SUM_MAX, "enum": schema_bounds.ENUM_VALUES_MAX,
            "optional": pattern_bounds.OPTIONAL_MAX,
            "nested": pattern_bounds.NESTED_REPETITIONS_MAX,
            "properties": schema_bounds.PROPERTIES_MAX, "pattern": pattern_bounds.PATTERN_CHARS_MAX,
            "groups": pattern_bounds.PATTERN_GROUPS_MAX,
        }  # fmt: skip
        written = {name: self.count(limit) for name, limit in limits.items()}
        containers = self.count(strict_json.CONTAINERS_MAX)
        return self.prose("SCHEMAS").format(**written) + self.prose("JSON").format(
            containers=containers
        )

    def paths(self) -> str:
        """Returns the table of all paths, and that of their parameters."""
        lines, queries = [self.prose("PATHS")], [self.prose("QUERY")]
        for pattern, methods in sorted(PATHS.items()):
            for method, name in methods.items():
                facts = OPERATIONS[name]
                key = self.word(ACCESS[facts.access])
                summary = find_summary(name, self.lang)
                shapes = ", ".join(dict.fromkeys(self.shapes(facts)))
                lines.append(
                    f"| {method} | `{pattern}` | {key} | {summary} | {shapes} |"
                    f" {self.codes(facts)} |\n"
                )
                queries += [self.query_row(pattern, query) for query in facts.query]
        names = {"any": ANY, "keyed": KEYED, "job": LIVE_JOB}
        listed = {
            name: ", ".join(f"`{code}`" for code in dict.fromkeys(codes))
            for name, codes in names.items()
        }
        return "".join([*lines, self.prose("GROUPS").format(**listed), *queries])

    def shapes(self, facts: Operation) -> Iterable[str]:
        """Yields the successful answers of an operation: its schema, or its media type."""
        for answer in facts.answers:
            if answer.schema is None:
                yield f"`{answer.kind.partition(';')[0]}`"
                continue
            kind = answer.schema
            own = kind if isinstance(kind, str) else kind.__name__
            name = PUBLISHED.get(own, own)
            yield f"[{name}](#{name.lower()})" if name in SHOWN else f"`{name}`"

    def codes(self, facts: Operation) -> str:
        """Returns the error codes of an operation, besides those of any."""
        if set(facts.codes) >= set(LIVE_JOB):
            return self.word("job_codes")
        own = [code for code in dict.fromkeys(facts.codes) if code not in ANY]
        return ", ".join(f"`{code}`" for code in own)

    def query_row(self, pattern: str, query: str) -> str:
        """Returns the row of a parameter of a path."""
        name, schema = QUERY[query]
        text = find_text("parameters", query, self.lang)
        return f"| `{pattern}` | `{name}` | {self.accepted(schema)} | {text} |\n"


def http_page(lang: str) -> str:
    """Returns the whole page in a language."""
    page = Page(lang)
    endpoints = (CHAT, COMPLETION, EMBEDDINGS, RESPONSES, MESSAGES)
    parts = [
        page.prose("HEAD"),
        *map(page.endpoint, endpoints),
        page.taken(),
        page.options(),
        page.answers(),
        page.errors(),
        page.bounds(),
        page.paths(),
    ]
    return "".join(parts)
