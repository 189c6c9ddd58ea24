"""Normalisation of answers: two texts that say the same to a reader become equal.

Input: text of a model. Output: text without what a reader overlooks: marks of Markdown, quotes,
the polite sentence around an answer, accents, capitals, and the many spaces, dashes and apostrophes
of Unicode (forms NFKC and NFD, UAX #15).
"""

import re
import unicodedata

THOUGHT_END = "</think>"
_MARKS = re.compile(r"[*_`#>«»“”„\"‹›]|(?<!\w)'|'(?!\w)|\\boxed|[{}]")
_DASHES = re.compile(r"[‐‑‒–—−]")
_APOSTROPHES = re.compile(r"[’‘ʼ]")
_NOT_WORDS = re.compile(r"(?<![a-z0-9])-|-(?![a-z0-9])|[^a-z0-9-]+")
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)|\n+")
# A polite beginning: a line that ends with a colon, a greeting, or words with their sign or in an
# announcement; and a polite end.
_OPENING = re.compile(
    r"^\s*(?:[^:.!?\n]{1,60}:\s*\n|(?:bonjour|hello|hi|ok|okay)\b\s*[.!]+|"
    r"(?:bien s[uû]r|certainement|volontiers|avec plaisir|d'accord|voici|voil[aà]|r[eé]ponse|"
    r"pas de (?:probl[eè]me|souci)|sure|certainly|of course|no problem|absolutely|here is|here's|"
    r"here are|answer)\b(?:\s*[.!,]+|[^:!\n.]{0,80}[:\n]))",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:^|(?<=[.!?\n]))\s*(?:n'h[eé]site[zs]? pas|j'esp[eè]re que (?:cela|ça|ceci)|"
    r"bonne (?:journ[eé]e|soir[eé]e|semaine|fin de semaine)|let me know if|i hope (?:this|that)|"
    r"have a (?:good|nice|great)|feel free to ask|don't hesitate to)\b"
    r"[^\n]*$",
    re.IGNORECASE,
)
REPEATED_WORDS = 4  # least length of a sentence that no answer has twice
OPENINGS_MAX = 3  # polite sentences before an answer


def plain(answer: str) -> str:
    """Returns a text without marks and odd signs; words and numbers stay."""
    text = unicodedata.normalize("NFKC", answer)
    text = _APOSTROPHES.sub("'", _DASHES.sub("-", text))
    return _MARKS.sub("", text).strip()


def without_courtesy(text: str) -> str:
    """Returns a plain text without the polite sentences before and after the answer."""
    for _ in range(OPENINGS_MAX):
        shorter = _OPENING.sub("", text, count=1).strip()
        if shorter == text or not shorter:
            break
        text = shorter
    return _CLOSING.sub("", text).strip() or text


def unaccented(text: str) -> str:
    """Returns a text in small letters without accents; ligatures become two letters."""
    text = text.casefold().replace("œ", "oe").replace("æ", "ae")
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def fold(text: str) -> str:
    """Returns the words of a text, unaccented and one space apart; hyphens inside words stay."""
    text = unaccented(plain(text)).replace("n't", "nt not")  # a denial, and yet no "do not"
    return _SPACES.sub(" ", _NOT_WORDS.sub(" ", text)).strip()


def count_words(text: str) -> int:
    """Returns how many words a text has."""
    return len(_WORD.findall(text))


def count_sentences(text: str) -> int:
    """Returns how many sentences or lines a text has."""
    return len([part for part in _SENTENCE_END.split(text) if count_words(part)])


def repeats_sentence(text: str) -> bool:
    """Tells whether a text has one sentence of some words twice, as one of a model in a loop."""
    said = [fold(part) for part in _SENTENCE_END.split(text) if count_words(part) >= REPEATED_WORDS]
    return len(set(said)) < len(said)


def find_phrase(phrase: str, folded: str) -> re.Match[str] | None:
    """Returns where folded text has a phrase as whole words; a hyphen in it may be a space."""
    words = re.split(r"[ -]", fold(phrase))
    pattern = r"[ -]".join(map(re.escape, words))
    return re.search(rf"(?<![a-z0-9-]){pattern}(?![a-z0-9-])", folded)
