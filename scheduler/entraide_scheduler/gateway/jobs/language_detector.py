"""Language detector: French or English, by the text of a question.

Input: the texts that a person wrote, newest first. Output: ``fr``, ``en``, or "" where none of the
last ``QUESTIONS_MAX`` shows one of them clearly. Of a long text its beginning and its end are read;
if these differ in language, the text is mixed. Method: naive Bayes over byte n-grams (Lui and
Baldwin, "langid.py", ACL 2012), py3langid's table restricted to the two languages.
``benchmarks.language`` chose the probability, and measures errors and cost.

The table takes half a second of a processor and about 45 MiB. A thread loads it when the gateway
starts, and questions that come before wait for it, ``LOAD_MAX_S`` at most; until it is there no
language is found.
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from entraide.models import EVALUATED_LANGUAGES

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

QUESTIONS_MAX = 3  # texts read of one request
HEAD_CHARS_MAX = 400  # characters read at the beginning of a text
TAIL_CHARS_MAX = 200  # and at its end
PIECE_CHARS = 30  # of beginning and end, which are compared
PROBABILITY_MIN = 0.8  # of a language, for a text to show it
LOAD_MAX_S = 5.0  # that a question waits for the table


class LanguageDetector:
    """Finds the language of questions, once its table is loaded."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("entraide.gateway")
        self._identifier: LanguageIdentifier | None = None
        self._loading: asyncio.Task[None] | None = None

    def find(self, questions: Iterable[str]) -> str:
        """Returns the language of the newest text that shows one; "" where none does."""
        if self._identifier is None:
            return ""
        for text in islice(questions, QUESTIONS_MAX):
            language = _find_language(self._identifier, text)
            if language:
                return language
        return ""

    def load(self) -> None:
        """Loads the table, if it is not loaded."""
        self._identifier = _load_identifier()

    def begin_loading(self) -> None:
        """Lets a thread load the table; called by the gateway as it starts."""
        if self._identifier is None and self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    async def wait_until_loaded(self) -> None:
        """Waits while the table is being loaded, ``LOAD_MAX_S`` at most."""
        if self._loading is not None and not self._loading.done():
            await asyncio.wait((self._loading,), timeout=LOAD_MAX_S)

    async def stop(self) -> None:
        """Waits for the thread, which cannot be ended."""
        if self._loading is not None:
            await self._loading

    async def _load(self) -> None:
        try:
            await asyncio.to_thread(self.load)
        except (OSError, MemoryError, ValueError) as problem:
            self._log.warning("gateway.no_language_table", problem=str(problem))


def _find_language(identifier: "LanguageIdentifier", text: str) -> str:
    if len(text) > HEAD_CHARS_MAX + TAIL_CHARS_MAX:
        text = f"{text[:HEAD_CHARS_MAX]} {text[-TAIL_CHARS_MAX:]}"
    language = _classify(identifier, text)
    length = min(PIECE_CHARS, len(text) // 2)
    pieces = (text[:length], text[-length:])
    is_mixed = language and any(
        _classify(identifier, each) not in ("", language) for each in pieces
    )
    return "" if is_mixed else language


def _classify(identifier: "LanguageIdentifier", text: str) -> str:
    language, probability = identifier.classify(text)
    return language if probability >= PROBABILITY_MIN else ""


@cache
def _load_identifier() -> "LanguageIdentifier":
    """Returns the table of the two languages; the others are let go."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - heavy, seldom used

    every = LanguageIdentifier.from_model_file(MODEL_FILE)
    every.set_languages(EVALUATED_LANGUAGES)
    return LanguageIdentifier(
        every.nb_ptc, every.nb_pc, every.nb_classes, every.tk_nextmove, every.tk_output,
        norm_probs=True, tk_row=every.tk_row,
    )  # fmt: skip
