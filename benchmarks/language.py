"""Language of questions: how often the gateway's detector is wrong or finds none, and its cost.

Texts are runs of words, cut at random from sentences whose language is known. ``PROBABILITY_MIN``
and ``PIECE_CHARS`` of the detector were chosen on the message catalogue's sentences (``--choose``
prints the table of the former: the least with ``CHOSEN_WRONG_MAX``). They are judged on others: the
questions of ``entraide models evaluate``, the guides, and the study of the members (French only,
where it is there). A mixed text is an instruction of a few words in one language before a longer
text in the other: the detector should find none, or the instruction's.

    python -m benchmarks.language [--json] [--choose] [--seed N]

Rows: ``data, words, texts, wrong, none``: part of texts for which the other language is found, and
for which none is. The last rows are the processor time of the detection, and the ratio of
reading a request and making its facts with it to the same without it.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.support.common import DATA, make_parser, print_rows
from msgspec import Struct

from entraide.enums import Task
from entraide.evaluation.templates import load_templates, make_items
from entraide.models import EVALUATED_LANGUAGES
from entraide.types import UNKNOWN_PLACE, JobKind
from entraide_scheduler.gateway.jobs import (
    Caller,
    FactsBuilder,
    LanguageDetector,
    Options,
    Partitions,
    TokenEstimator,
    language_detector,
)
from entraide_scheduler.gateway.requests import CHAT, openai

ROOT = Path(__file__).resolve().parents[1]
STUDY = DATA.parent / "study"
LENGTHS = (1, 2, 3, 5, 8, 12, 20, 40, 120)  # words
MIXED = ((4, 30), (6, 30), (6, 120), (10, 120))  # words of the instruction, and of the text
TEXTS = 1_000  # of each language and length, at most
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CHOSEN_WRONG_MAX = 0.005  # of the texts of each length of two words or more
SENTENCES_WORDS = 12  # of a line of a guide that counts as text
RUNS = 300
ITEMS = 100  # of each task and language
CALLER = Caller("key-1", "alpha", "main")

Corpus = dict[str, list[str]]  # texts by language


class Row(Struct, frozen=True):
    """Errors on texts of one length."""

    data: str
    words: str
    texts: int
    wrong: float
    none: float


class Choice(Struct, frozen=True):
    """Errors on the sentences of the choice, by the least probability."""

    probability: float
    words: int
    wrong: float
    none: float


class Cost(Struct, frozen=True):
    """Processor time of a request's detection."""

    text: str
    chars: int
    microseconds: float
    ratio: float


def catalogue_sentences() -> Corpus:
    """Returns the sentences of the message catalogue that have no value in them."""
    sentences: Corpus = {}
    for lang in EVALUATED_LANGUAGES:
        lines = (ROOT / f"sdk/entraide/locales/{lang}.ftl").read_text("utf-8").splitlines()
        matches = (re.fullmatch(r"[\w.-]+ = ([^{}]+)", line) for line in lines)
        sentences[lang] = [match[1] for match in matches if match]
    return sentences


def evaluation_questions() -> Corpus:
    """Returns questions of every task but to translate, whose texts are in both languages."""
    return {
        lang: [
            item.prompt
            for (task, language), templates in load_templates().items()
            if language == lang and task is not Task.TRANSLATE
            for item in islice(make_items(templates, task, lang, seed=0), ITEMS)
        ]
        for lang in EVALUATED_LANGUAGES
    }


def guides() -> Corpus:
    """Returns the lines of text of the guides."""
    endings = {"fr": "*.fr.md", "en": "*[!r].md"}
    return {
        lang: [
            re.sub(r"`[^`]*`|[\[\]|*#]|\(\S+\)", " ", line)
            for path in sorted((ROOT / "docs/guides").glob(endings[lang]))
            for line in _outside_code(path.read_text("utf-8"))
            if len(line.split()) >= SENTENCES_WORDS
        ]
        for lang in EVALUATED_LANGUAGES
    }


def _outside_code(text: str) -> Iterable[str]:
    for number, part in enumerate(text.split("```")):
        if number % 2 == 0:
            yield from part.splitlines()


def study() -> Corpus:
    """Returns the paragraphs of the members' study; none where it is not there."""
    texts = [path.read_text("utf-8") for path in sorted(STUDY.glob("*.txt"))]
    return {"fr": [line for text in texts for line in text.splitlines() if line], "en": []}


def cut(text: str, words: int, draws: Random) -> str:
    """Returns a run of words of a text, at random; "" if it has fewer."""
    every = text.split()
    if len(every) < words:
        return ""
    start = draws.randrange(len(every) - words + 1)
    return " ".join(every[start : start + words])


def draw_texts(texts: list[str], words: int, draws: Random) -> list[str]:
    """Returns runs of words, as many as the texts have, each of another text if possible."""
    long_enough = [text for text in texts if len(text.split()) >= words]
    if len(long_enough) > TEXTS:
        long_enough = draws.sample(long_enough, TEXTS)
    return [cut(text, words, draws) for text in long_enough]


def judge(detector: LanguageDetector, name: str, corpus: Corpus, seed: int) -> Iterable[Row]:
    """Yields the errors on a corpus by length, for both languages together."""
    for words in LENGTHS:
        draws = Random(f"{seed} {name} {words}")
        drawn = [(lang, text) for lang in corpus for text in draw_texts(corpus[lang], words, draws)]
        verdicts = [(lang, detector.find([text])) for lang, text in drawn]
        if verdicts:
            yield _row(name, str(words), verdicts)


def judge_mixed(detector: LanguageDetector, corpus: Corpus, seed: int) -> Iterable[Row]:
    """Yields the errors on an instruction in one language and a text in the other."""
    for words, more in MIXED:
        draws, verdicts = Random(f"{seed} {words} {more}"), []
        joined = {lang: " ".join(texts) for lang, texts in corpus.items()}
        for lang, other in (EVALUATED_LANGUAGES, EVALUATED_LANGUAGES[::-1]):
            for text in draw_texts(corpus[lang], words, draws):
                mixed = f"{text} {cut(joined[other], more, draws)}"
                verdicts.append((lang, detector.find([mixed])))
        yield _row("mixed", f"{words}+{more}", verdicts)


def _row(name: str, words: str, verdicts: list[tuple[str, str]]) -> Row:
    wrong = sum(language not in ("", lang) for lang, language in verdicts)
    none = sum(not language for _, language in verdicts)
    return Row(
        name, words, len(verdicts), round(wrong / len(verdicts), 4), round(none / len(verdicts), 4)
    )


def choose(detector: LanguageDetector, seed: int) -> Iterable[Choice]:
    """Yields the errors by least probability on the sentences of the choice."""
    used = language_detector.PROBABILITY_MIN
    try:
        for probability in THRESHOLDS:
            language_detector.PROBABILITY_MIN = probability
            for row in judge(detector, "catalogue", catalogue_sentences(), seed):
                yield Choice(probability, int(row.words), row.wrong, row.none)
    finally:
        language_detector.PROBABILITY_MIN = used


def least_probability(choices: Iterable[Choice]) -> float:
    """Returns the least probability with at most ``CHOSEN_WRONG_MAX`` errors at each length."""
    too_wrong = {
        each.probability for each in choices if each.words > 1 and each.wrong > CHOSEN_WRONG_MAX
    }
    return min(set(THRESHOLDS) - too_wrong)


def measure_cost(detector: LanguageDetector) -> Iterable[Cost]:
    """Yields the time of a detection, and its ratio to the rest of reading the request."""
    builder = FactsBuilder(
        gateway="main", kept_gateway="main", place=UNKNOWN_PLACE, secret=bytes(32),
        token_estimator=TokenEstimator(), partitions=Partitions(bytes(32)),
        language_detector=detector,
    )  # fmt: skip
    sentence = "Résume ce texte en trois phrases et donne les chiffres principaux. "
    for text, chars in (("a question", 65), ("a letter", 600), ("a document", 20_000)):
        asked = (sentence * (chars // len(sentence) + 1))[:chars]
        body = {"model": "auto", "messages": [{"role": "user", "content": asked}]}
        stated = json.dumps({**body, "entraide": {"language": "fr"}}).encode()
        unstated = json.dumps(body).encode()
        rest_s, whole_s = (_time(builder, each) for each in (stated, unstated))
        yield Cost(text, chars, round((whole_s - rest_s) * 1e6), round(whole_s / rest_s, 2))


def _time(builder: FactsBuilder, body: bytes) -> float:
    """Returns the processor time of reading a request and making its facts, seconds."""

    def once() -> None:
        builder.build_facts(openai.parse_request(CHAT, body), CALLER, Options(), JobKind.LIVE)

    return min(_repeat(once) for _ in range(5)) / RUNS


def _repeat(once: Callable[[], None]) -> float:
    before = time.process_time()
    for _ in range(RUNS):
        once()
    return time.process_time() - before


def run(seed: int) -> list[Struct]:
    """Returns the rows."""
    detector = LanguageDetector()
    detector.load()
    judged = {"questions": evaluation_questions(), "guides": guides(), "study": study()}
    return [
        *(row for name, corpus in judged.items() for row in judge(detector, name, corpus, seed)),
        *judge_mixed(detector, judged["questions"], seed),
        *measure_cost(detector),
    ]


def main() -> None:
    """Prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--choose", action="store_true", help="print the table of the choice")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.choose:
        detector = LanguageDetector()
        detector.load()
        rows: list[Struct] = list(choose(detector, options.seed))
    else:
        rows = run(options.seed)
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
