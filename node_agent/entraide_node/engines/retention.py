"""Retention: whether a server that the owner attached may bring a prompt into a later answer.

Input: a client of the server, its program and its address. Output: a verdict. Only a server that
was shown to keep nothing gets data that is not public; nobody's word counts, since the defaults of
these servers keep prompts, and a cache has put the text of one conversation into another's answer
(llama.cpp, issue 27148).

How it is shown: a prompt of random words is sent as the pool sends prompts, then others, until no
slot has it; then it is sent again, and must be read as if it were new. llama-server says how much
of it came from a cache; vLLM counts the blocks of prompts that it found again, and is asked with
another salt, as each run has. If the server's process can be seen, its options count too.
"""

import random
import secrets
import string
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec
import psutil

from entraide_node.engines.engine_client import EngineClient
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object

LLAMA_CPP, VLLM = "llama.cpp", "vllm"
WORDS = 64
SLOTS_MAX = 64
ASK_TIMEOUT_S = 60.0
VLLM_BLOCK_TOKENS = 16  # the smallest block that vLLM finds again
VLLM_HITS = b"vllm:prefix_cache_hits_total"
# Options of llama-server and vLLM that write prompts to files or to the log.
WRITING_OPTIONS = frozenset({
    "--slot-save-path", "--log-prompts-dir", "-v", "--verbose", "--log-verbose", "-lv",
    "--verbosity", "--log-verbosity", "--verbose-prompt", "--enable-log-requests",
    "--enable-log-outputs",
})  # fmt: skip


class PromptRetention(StrEnum):
    """What was found out about a server."""

    NOTHING = "nothing"  # shown: a later request finds nothing of a prompt
    CACHED = "cached"  # shown: it finds the prompt again
    LISTED = "listed"  # anybody who may ask it for its slots reads the prompts
    WRITTEN = "written"  # its options write prompts to files or to the log
    UNSHOWN = "unshown"  # its program cannot show it, or gave no answer


async def find_retention(
    client: EngineClient, *, program: str, model: str, url: str, shows_text: bool = True
) -> PromptRetention:
    """Returns what a server keeps of prompts.

    Args:
        client: of the server.
        program: its program, see ``model_listing``.
        model: its name of the model.
        url: its address.
        shows_text: whether the model writes text; a probe of one that only embeds shows nothing.
    """
    if WRITING_OPTIONS & {_name_of(option) for option in _options_of(url)}:
        return PromptRetention.WRITTEN
    if not shows_text:
        return PromptRetention.UNSHOWN
    if program == LLAMA_CPP:
        return await _probe_llama_server(client)
    return await _probe_vllm(client, model) if program == VLLM else PromptRetention.UNSHOWN


async def _probe_llama_server(client: EngineClient) -> PromptRetention:
    listed = await client.get("/slots", timeout_s=ASK_TIMEOUT_S)
    slots = parse_object(b'{"slots":%b}' % listed[1]).get("slots") if listed is not None else []
    if any(slot.get("prompt") for slot in list_objects(slots)):
        return PromptRetention.LISTED
    props = await client.get("/props", timeout_s=ASK_TIMEOUT_S)
    number = parse_count(parse_object(props[1] if props else b"").get("total_slots"))
    if not 0 < number <= SLOTS_MAX:
        return PromptRetention.UNSHOWN
    prompt = random_words()
    sent = [await _count_read(client, prompt, from_cache=False)]
    others = [random_words() for _ in range(number)]
    sent += [await _count_read(client, other, from_cache=False) for other in others]
    again = await _count_read(client, prompt, from_cache=True)
    if again is None or None in sent:
        return PromptRetention.UNSHOWN
    read, cached = again
    return PromptRetention.CACHED if cached > read else PromptRetention.NOTHING


async def _count_read(
    client: EngineClient, prompt: str, *, from_cache: bool
) -> tuple[int, int] | None:
    """Sends a prompt; returns how many tokens of it were read, and how many came from a cache.

    None if the server does not say it, or counts less than the prompt has.
    """
    body = {"prompt": prompt, "n_predict": 1, "cache_prompt": from_cache}
    answer = await client.post("/completion", msgspec.json.encode(body), timeout_s=ASK_TIMEOUT_S)
    timings = parse_object(answer).get("timings")
    counts = timings if isinstance(timings, dict) else {}
    read, cached = parse_count(counts.get("prompt_n")), parse_count(counts.get("cache_n"))
    return (read, cached) if read + cached >= WORDS else None


async def _probe_vllm(client: EngineClient, model: str) -> PromptRetention:
    prompt = random_words()
    before = await _count_hits(client)
    for _ in range(2):
        body = {"model": model, "prompt": prompt, "max_tokens": 1,
                "cache_salt": secrets.token_urlsafe(16)}  # fmt: skip
        payload = msgspec.json.encode(body)
        if not await client.post("/v1/completions", payload, timeout_s=ASK_TIMEOUT_S):
            return PromptRetention.UNSHOWN
    after = await _count_hits(client)
    if before is None or after is None:
        return PromptRetention.UNSHOWN
    return (
        PromptRetention.CACHED if after - before >= VLLM_BLOCK_TOKENS else PromptRetention.NOTHING
    )


async def _count_hits(client: EngineClient) -> float | None:
    """Returns how many tokens vLLM has found again since its start; None if it does not say."""
    answer = await client.get("/metrics", timeout_s=ASK_TIMEOUT_S)
    lines = answer[1].splitlines() if answer is not None and answer[0] == 200 else []
    counts = [line.rpartition(b" ")[2] for line in lines if line.startswith(VLLM_HITS)]
    try:
        return sum(map(float, counts)) if counts else None
    except ValueError:
        return None


def random_words(number: int = WORDS) -> str:
    """Returns a prompt that nobody has sent before."""
    source = random.SystemRandom()
    return " ".join("".join(source.choices(string.ascii_lowercase, k=5)) for _ in range(number))


def _name_of(option: str) -> str:
    """Returns an option's name, which vLLM also takes with underscores and with its value."""
    return option.partition("=")[0].replace("_", "-")


def _options_of(url: str) -> list[str]:
    """Returns the command line of the process that listens at an address here, if it can be seen.

    Only a process of the same account can, on Linux.
    """
    parts = urlsplit(url)
    try:
        for connection in psutil.net_connections("tcp"):
            port = getattr(connection.laddr, "port", 0)
            if (connection.status, port) == (psutil.CONN_LISTEN, parts.port) and connection.pid:
                return psutil.Process(connection.pid).cmdline()
    except (OSError, psutil.Error):
        pass
    return []
