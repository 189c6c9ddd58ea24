"""What engines, meters, model files and the owner's files give to a node agent."""

import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
from hypothesis import strategies as st
from tests.hostile.decoders.case import Case
from tests.hostile.decoders.of_pool import FULL_CHAT, from_file
from tests.hostile.mutations import binary_like, json_like, text_like
from tests.node.selftest_samples import APPLE, LINUX, make_report

from entraide.catalogue.chat_template import read_template
from entraide.catalogue.gguf import NotGguf, expected_bytes, read_header
from entraide.errors import RequestError
from entraide.wire import codec
from entraide.wire.nats import expires_at
from entraide_node import config
from entraide_node.energy import sunspec_source
from entraide_node.energy.csv_source import CsvSource
from entraide_node.energy.http_source import _parse_state
from entraide_node.energy.source_config import CsvFile
from entraide_node.energy.source_values import SourceValue, extract_number
from entraide_node.engines import (
    engine_errors,
    engine_metrics,
    llamacpp_props,
    model_folder,
    model_listing,
    server_program,
)
from entraide_node.engines.base import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS_PATH,
    EngineFailure,
    EngineRequest,
)
from entraide_node.engines.embedding_run import EmbeddingRun
from entraide_node.engines.sse import EventReader, EventTooLong
from entraide_node.engines.stream_run import StreamRun, parse_request
from entraide_node.idle_detection.x11 import find_cookie
from entraide_node.owner import terms_file
from entraide_node.selftest.report import decode_report, encode_report

EXPRESSIONS = ("POWER.x", "ENERGY.Power", "sum(a)", "avg(@)", "to_number(a)", "max_by(a, &b)")


def event(**fields: object) -> bytes:
    """An event of an engine's stream."""
    choice = {"index": 0, "finish_reason": None, **fields}
    timings = {"prompt_n": 3, "predicted_n": 1, "cache_n": 0, "prompt_ms": 1.5, "predicted_ms": 2.5}
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    chunk = {
        "id": "x", "created": 1, "choices": [choice], "timings": timings, "usage": usage,
        "metrics": {"time_to_first_token_ms": 1.5, "generation_time_ms": 2.5},
    }  # fmt: skip
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
STREAM = b"".join((
    event(delta={"role": "assistant", "content": "a"}), event(delta={"tool_calls": [CALL]}),
    event(delta={"tool_calls": [CALL]}), event(text="a", logprobs={"content": [1]}),
    event(delta={}, finish_reason="stop"), b"data: [DONE]\n\n",
))  # fmt: skip
PAYLOADS = tuple(part.removeprefix(b"data: ") for part in STREAM.split(b"\n\n")[:5])


def run_of(*, path: str, stream: bool) -> StreamRun:
    """A run that has not begun."""
    request = EngineRequest(job="j", path=path, body=FULL_CHAT, model="m", stream=stream)
    body = parse_request(request)
    assert not isinstance(body, EngineFailure)
    return StreamRun(request, body, started=0.0, counted_each_event=stream)


def answer_of(run: StreamRun) -> None:
    """Ends a run; what it says of itself can be sent."""
    end = run.complete(now=1.0, created=1)
    for number in (end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.cached_tokens):
        assert 0 <= number < 2**63
    msgspec.msgpack.encode((msgspec.structs.astuple(end.usage), end.timings))


def read_stream(data: bytes, _: Path) -> None:
    """Reads the bytes of a stream, cut in two."""
    reader, run = EventReader(), run_of(path=CHAT, stream=True)
    middle = len(data) // 2
    payloads = [*reader.feed(data[:middle]), *reader.feed(data[middle:]), *reader.close()]
    run.add_events(payloads, now=0.5)
    answer_of(run)


def read_events(path: str) -> Callable[[bytes, Path], object]:
    """Reads one event between honest ones, merged into a whole answer."""

    def read(data: bytes, _: Path) -> None:
        for stream in (True, False):
            run = run_of(path=path, stream=stream)
            for payload in (PAYLOADS[0], data, *PAYLOADS[1:3], data, *PAYLOADS[3:]):
                run.add_events([payload], now=0.5)
            answer_of(run)

    return read


def read_refusal(data: bytes, _: Path) -> None:
    """Reads what an engine answers instead; its numbers can be sent."""
    for status in (400, 500):
        failure = engine_errors.failure_from_response(status, data)
        codec.encode(failure)


def read_folder(data: bytes, folder: Path) -> None:
    """Reads a model's folder of which every file is these bytes."""
    home = folder / "model"
    home.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer_config.json", "model.safetensors", "m.gguf"):
        (home / name).write_bytes(data)
    for name in ("tokenizer_config.json", "m.gguf"):
        assert isinstance(read_template([home / name]), str)
    model_folder.find_weights_problem(home)
    numbers = model_folder.context_max_of(home), model_folder.kv_bytes_per_token_of(home)
    assert all(number >= 0 for number in numbers)
    model_folder.tool_parser_of(home)


def read_value(data: bytes, _: Path) -> None:
    """Reads a number out of a device's JSON."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    for expression in EXPRESSIONS:
        number = extract_number(document, expression)
        assert number is None or abs(number) <= 1e17
    state = _parse_state(document, scale=1.0)
    assert not isinstance(state, SourceValue) or abs(state.number) <= 1e22


def read_csv(path: Path) -> None:
    """Reads the last row of a file that something appends to."""
    config_of = CsvFile(file=path.name, column="w", time_column="t")
    CsvSource(config_of, path.parent)._read()


def read_registers(data: bytes, _: Path) -> None:
    """Reads every model that we know out of a device's registers."""
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    block = [*words, *[0] * 125]
    for places in sunspec_source.MODELS.values():
        for place in places.values():
            sunspec_source._decode_number(block, place)


HEAD = b"GGUF" + struct.pack("<IQQ", 3, 0, 3)


def gguf_text(text: bytes) -> bytes:
    """A text as GGUF has it."""
    return struct.pack("<Q", len(text)) + text


GGUF = (
    HEAD + gguf_text(b"general.architecture") + struct.pack("<I", 8) + gguf_text(b"llama")
    + gguf_text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + gguf_text(b"a") + gguf_text(b"b")
    + gguf_text(b"llama.context_length") + struct.pack("<II", 4, 2_048)
)  # fmt: skip
MODEL_CONFIG = msgspec.json.encode({
    "architectures": ["Qwen2ForCausalLM"], "max_position_embeddings": 9, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "hidden_size": 32,
    "chat_template": [{"name": "t", "template": "tools"}], "text_config": {"head_dim": 1},
})  # fmt: skip
TENSORS = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{}}'
SAFETENSORS = struct.pack("<Q", len(TENSORS)) + TENSORS + bytes(4)
ERROR = b'{"error":{"message":"context length is 5 tokens","type":"x","code":400,"n_ctx":5}}'
LISTING = b'{"data":[{"id":"m","owned_by":"vllm","max_model_len":9,"meta":{"n_ctx":5}}]}'
PROPS = (
    b'{"chat_template_caps":{"supports_tools":true,"supports_tool_calls":true},'
    b'"modalities":{"vision":true},"default_generation_settings":{"n_ctx":5}}'
)
METRICS = b'llamacpp:requests_processing 2\nvllm:num_requests_running{a="b"} 1e3\n'
STATE = b'{"state":"5.5","attributes":{"unit_of_measurement":"kW"},"last_reported":"2026-01-01"}'
METER = b'{"POWER":{"x":5},"ENERGY":{"Power":[1,2.5]},"a":[1,2]}'
TERMS = b'hours = ["mon-fri 08:00-18:00"]\nidle_min = 5\n[caps_idle]\nmemory_gb = 4\n'
CONFIG = b'node = "n1"\ndir = "."\n[[engines]]\nkind = "attach"\nurl = "http://127.0.0.1:1"\n'
JWT = b"eyJhbGciOiJub25lIn0.eyJleHAiOjEwfQ.x"
ENGINES = "entraide_node.engines"

VECTORS = msgspec.json.encode(
    {
        "data": [
            {"object": "embedding", "index": 1, "embedding": "AACAPwAAAEA="},
            {"object": "embedding", "index": 0, "embedding": [0.5, 1]},
        ],
        "usage": {"prompt_tokens": 5},
    }
)


def read_embeddings(data: bytes, _: Path) -> None:
    """Reads an engine's answer to two inputs; what it says of itself can be sent."""
    for form in ("base64", "float"):
        body = {"input": ["a", "b"], "encoding_format": form}
        request = EngineRequest("j", EMBEDDINGS_PATH, b"", stream=False, model="m")
        run = EmbeddingRun(request, body, started=0.0)
        assert run.next_part() is not None
        run.add_answer(data)
        end = run.complete(now=1.0, created=1)
        assert 0 <= end.usage.prompt_tokens < 2**63
        if run.failure is None:
            assert 2 == len(msgspec.json.decode(end.body)["data"])


CASES: dict[str, Case] = {
    "an engine's embeddings": Case(
        read_embeddings, json_like(VECTORS), (), (f"{ENGINES}.embedding_run:_read_vector",)
    ),
    "an engine's stream": Case(read_stream, text_like(STREAM), (EventTooLong,)),
    **{
        f"an engine's event for {path}": Case(
            read_events(path),
            json_like(*PAYLOADS, ERROR),
            (),
            (f"{ENGINES}.stream_run:StreamRun._add_event",),
        )
        for path in (CHAT, COMPLETIONS)
    },
    "an engine's refusal": Case(
        read_refusal, json_like(ERROR), (), (f"{ENGINES}.untrusted_json:parse_object",)
    ),
    "an engine's models": Case(
        lambda data, _: model_listing.parse_listing(data), json_like(LISTING)
    ),
    "llama.cpp's properties": Case(
        lambda data, _: (
            llamacpp_props.parse_features(data),
            llamacpp_props.parse_slot_context(data),
        ),
        json_like(PROPS),
    ),
    "an engine's context": Case(
        lambda data, _: server_program._parse_context_tokens(data), json_like(LISTING)
    ),
    "an engine's metrics": Case(
        lambda data, _: engine_metrics.parse_metrics(data), text_like(METRICS)
    ),
    "a run's request": Case(
        lambda data, _: parse_request(SimpleNamespace(body=data)),  # type: ignore[arg-type]
        json_like(FULL_CHAT),
        (),
        (f"{ENGINES}.stream_run:parse_request",),
    ),
    "a model's folder": Case(
        read_folder,
        json_like(MODEL_CONFIG)
        | binary_like(SAFETENSORS)
        | json_like(TENSORS).map(lambda head: struct.pack("<Q", len(head)) + head),
        (),
        (
            "entraide.catalogue.weight_files:find_safetensors_fault",
            "entraide.catalogue.chat_template:read_template",
        ),
    ),
    "a GGUF file": Case(
        from_file("m.gguf", read_header),
        binary_like(GGUF),
        (NotGguf,),
        ("entraide.catalogue.gguf:_number",),
    ),
    "the length of a GGUF file": Case(
        from_file("m.gguf", expected_bytes),
        binary_like(GGUF),
        (NotGguf,),
        ("entraide.catalogue.gguf:_number",),
    ),
    "a device's JSON": Case(
        read_value,
        json_like(STATE, METER),
        (),
        (
            "entraide_node.energy.http_source:_parse_state",
            "entraide_node.energy.http_source:JsonClient.json",
            "entraide_node.energy.mqtt_source:MqttSource._on_message",
        ),
    ),
    "a growing CSV file": Case(
        from_file("meter.csv", read_csv),
        text_like(b"t,w\n2026-01-01T00:00:00,5\n"),
        (),
        ("entraide_node.energy.csv_source:CsvSource._read",),
    ),
    "a SunSpec device's registers": Case(
        read_registers,
        st.binary(max_size=250),
        (),
        ("entraide_node.energy.sunspec_source:_decode_number",),
    ),
    "the owner's terms": Case(
        lambda data, _: terms_file.parse_terms(data.decode("utf-8", "replace")),
        text_like(TERMS),
        (),
        ("entraide_node.owner.terms_file:parse_terms",),
    ),
    "a node's configuration": Case(
        from_file("node.toml", config.load_config),
        text_like(CONFIG),
        (RequestError,),
        ("entraide_node.config:load_config",),
    ),
    "a JWT": Case(
        lambda data, _: expires_at(data.decode("latin-1")),
        text_like(JWT),
        (ValueError,),
        ("entraide.wire.nats:read_claims",),
    ),
    "a self-test report": Case(
        lambda data, _: decode_report(data),
        json_like(*(encode_report(make_report(text)) for text in (LINUX, APPLE))),
        (),
        (
            "entraide_node.selftest.report:",
            "entraide_node.selftest.excerpts:keep_mac_profile",
        ),
    ),
    "an X11 authority file": Case(
        lambda data, _: find_cookie(data, 0),
        binary_like(struct.pack(">H0sH1sH1sH1sH1s", 256, b"", 0, b"0", 1, b"0", 1, b"M", 1, b"c")),
        (),
        ("entraide_node.idle_detection.x11:find_cookie.field",),
    ),
}
