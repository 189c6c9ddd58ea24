"""Checkers of evaluations: each accepts ten right forms, and refuses ten near misses."""

from datetime import date

import msgspec
from msgspec import Struct
from tests.cases import ROOT, all_cases

from entraide.decoding import decode_toml
from entraide.evaluation.checkers import (
    Check,
    ChoiceCheck,
    DateCheck,
    NumberCheck,
    PassageCheck,
    TextCheck,
    is_right,
)

MONEY = NumberCheck(1234.5, "$")
COMPOSED, DECOMPOSED = "Montréal", "Montre\u0301al"
PLACE = TextCheck(("Montréal",), ("Québec", "Laval"))
FULL_NAME = TextCheck(("Marie Côté",), ("Marie-Ève Côté",))
MOOD = ChoiceCheck((("positif", "positive"), ("négatif", "négative"), ("neutre",)), 1)
NO = ChoiceCheck((("oui",), ("non",)), 1)
DAY = DateCheck(date(2026, 3, 1))
NEWS = PassageCheck(
    require=(("Coop des Érables",), ("12 500",), ("toit", "toiture")),
    forbid=("biscuits",), words_max=20, words_min=5, sentences_max=1,
)  # fmt: skip
NEWS_EN = PassageCheck(require=(("12,500",), ("roof",)), words_max=20)

# A check, the language, then answers that are right, and answers that nearly are.
CASES: dict[str, tuple[Check, str, tuple[str, ...], tuple[str, ...]]] = {
    "number": (
        MONEY,
        "fr",
        (
            "1234,5",
            "1 234,50 $",
            "1\u202f234,50\u00a0$",
            "1\u00a0234,5",
            "1234.50",
            "**1 234,50 $**",
            "Bien sûr ! Le montant est de 1 234,50 $.",
            "Réponse : 1 234,50 dollars",
            "12 × 100 $ + 34,50 $ donne 1 234,50 $",
            "$1,234.50",
            "1’234,50 $",
            "La coopérative paie 1 234,50 $ en tout. N’hésitez pas à me poser d’autres questions !",
            "<think>3 ou 4, pas 5 ?</think>1 234,50 $",
        ),
        (
            "1 243,50 $",
            "1 234,50 km",
            "12 345",
            "1 234,50 ¢",
            "1 234,50 $ ou 1 244,50 $",
            "1 234,50 $ ou 100 $",
            "Ce n’est pas 1 234,50 $.",
            "-1 234,50 $",
            "",
            "1,234 $",
            "mille deux cents",
            "12 $",
            "Entre 1 200 $ et 1 234,50 $",
            "1 234,5 %",
        ),
    ),
    "number in English": (
        MONEY,
        "en",
        (
            "1,234.50",
            "$1,234.50",
            "1234.5 dollars",
            "Sure! It is $1,234.50.",
            "1 234.50",
            "The co-op pays 1,234.50 in all.",
            "`1234.50`",
            "12 × 100 + 34.50 = 1,234.50",
            "Answer: 1234.50",
            "“$1,234.50”",
        ),
        (
            "1,243.50",
            "1.2345",
            "1,234.50 kg",
            "$1,234.50 or $1,235",
            "not $1,234.50",
            "1,234.05",
            "$12",
            "I don't know",
            "1,234.50%",
            "12,345.0",
        ),
    ),
    "text": (
        PLACE,
        "fr",
        (
            COMPOSED,
            DECOMPOSED,
            "MONTRÉAL",
            "montreal",
            "« Montréal »",
            "**Montréal**.",
            "à Montréal",
            "Bien sûr ! C’est la ville de Montréal.",
            "La réponse est : Montréal",
            "- Montréal",
            "La réunion a lieu à Montréal.\n\nJ’espère que cela vous aide !",
            "l’île de Montréal",
        ),
        (
            "Montréal-Nord",
            "Montréalais",
            "Québec",
            "Montréal ou Québec",
            "pas Montréal",
            "Laval, près de Montréal",
            "Montreuil",
            "",
            "Je ne sais pas.",
            "Mont Réal",
            "Montréal ? Non.",
            "Peut-être Montréal",
            "C’est " + "très " * 30 + "Montréal",
        ),
    ),
    "name": (
        FULL_NAME,
        "fr",
        (
            "Marie Côté",
            "marie cote",
            "Marie Côté.",
            "Mme Marie Côté",
            "« Marie Côté »",
            "MARIE CÔTÉ",
            "C’est Marie Côté qui a écrit.",
            "Réponse : Marie Côté",
            "Marie\u00a0Côté",
            "_Marie Côté_",
        ),
        (
            "Marie-Ève Côté",
            "Marie",
            "Côté",
            "Marie Coté-Roy",
            "Anne-Marie Côté",
            "Marie Costa",
            "Marie Côté et Marie-Ève Côté",
            "Ce n’est pas Marie Côté",
            "Marie Côtés",
            "Mario Côté",
        ),
    ),
    "choice": (
        MOOD,
        "fr",
        (
            "négatif",
            "Négatif.",
            "NÉGATIVE",
            "negatif",
            "« négatif »",
            "L’avis est négatif.",
            "Réponse : négatif",
            "Bien sûr ! Cet avis est plutôt négatif.",
            "**Négatif**",
            "Cet avis, laissé par Zoé, est négatif.",
        ),
        (
            "positif",
            "négatif ou neutre",
            "pas négatif",
            "ni positif ni négatif",
            "négativement",
            "positif, négatif ou neutre",
            "",
            "Je ne peux pas le dire.",
            "neutre",
            "mauvais",
            "positif, et non négatif",
        ),
    ),
    "choice of a no": (
        NO,
        "fr",
        (
            "non",
            "Non.",
            "NON",
            "Non, ce n’est pas ouvert.",
            "« Non »",
            "**non**",
            "Réponse : non",
            "La réponse est non.",
            "Bien sûr : non.",
            "Non, merci.",
        ),
        (
            "oui",
            "Oui.",
            "oui et non",
            "nom",
            "",
            "nonante",
            "Oui, c’est ouvert.",
            "si",
            "ouï non oui",
            "peut-être que non",
        ),
    ),
    "date": (
        DAY,
        "fr",
        (
            "1er mars 2026",
            "le 1er mars 2026",
            "2026-03-01",
            "1 mars 2026",
            "1ᵉʳ mars 2026",
            "La réunion a lieu le dimanche 1er mars 2026.",
            "01/03/2026",
            "**1er mars 2026**",
            "Réponse : 1er mars 2026",
            "Bien sûr ! C’est le 1\u00a0mars\u00a02026.",
            "1ER MARS 2026",
        ),
        (
            "2 mars 2026",
            "1er mai 2026",
            "1er mars 2025",
            "1er mars",
            "2026-01-03",
            "03/01/2026",
            "1er mars ou 2 mars 2026",
            "pas le 1er mars 2026",
            "",
            "mars 2026",
            "11 mars 2026",
            "du 1er mars 2026 au 3 mars 2026",
        ),
    ),
    "date in English": (
        DAY,
        "en",
        (
            "March 1, 2026",
            "1 March 2026",
            "March 1st, 2026",
            "the 1st of March 2026",
            "2026-03-01",
            "03/01/2026",
            "Mar. 1, 2026",
            "It is due on March 1, 2026.",
            "Answer: March 1, 2026",
            "Sunday, March 1, 2026",
        ),
        (
            "March 2, 2026",
            "May 1, 2026",
            "March 1, 2025",
            "March 1",
            "02/03/2026",
            "2026-01-03",
            "not March 1, 2026",
            "March 1 or 2, 2026",
            "March 11, 2026",
            "March 2026",
        ),
    ),
    "passage": (
        NEWS,
        "fr",
        (
            "La Coop des Érables reçoit 12 500 $ de la Ville pour refaire son toit.",
            "La Coop des Érables reçoit 12\u202f500\u00a0$ pour la toiture.",
            "La Coop des Erables recoit 12500 $ pour le toit.",
            "Voici le résumé : La Coop des Érables reçoit 12 500 $ pour son toit.",
            "Bien sûr !\nLa Coop des Érables refera son toit avec 12 500 $ de la Ville.",
            "« La Coop des Érables reçoit 12 500 $ pour son toit. »",
            "**Résumé** La Coop des Érables reçoit 12 500 $ pour son toit.",
            "12 500 $ serviront au toit de la Coop des Érables",
            "Grâce à la Ville, la COOP DES ÉRABLES a 12 500 $ pour un nouveau toit.",
            "La Coop des Érables reçoit 12 500 $ pour son toit. N’hésitez pas à me relancer.",
        ),
        (
            "La Coop des Érables reçoit 12 600 $ pour refaire son toit.",
            "La Coop des Érables reçoit 12 500 $ pour refaire son mur.",
            "La Coop des Chênes reçoit 12 500 $ pour refaire son toit.",
            "La Coop des Érables reçoit 12 500 $. Elle refera son toit.",
            "La Coop des Érables reçoit 12 500 $ pour le toit et des biscuits.",
            "Elle reçoit 12 500 $ pour refaire son toit.",
            "The Coop des Érables has been given 12 500 $ by the city for its toit.",
            "La Coop des Érables reçoit 12 500 $ pour son toit, " + "ce dont on parle " * 4,
            "La Coop des Érables reçoit 112 500 $ pour son toit.",
            "La Coop des Érables reçoit 12 500 $ pour ses toits.",
            "La Coop des Érables reçoit 12 500 $ de 4 voisins pour son toit.",
            "",
        ),
    ),
    "passage in English": (
        NEWS_EN,
        "en",
        (
            "It got 12,500 dollars for the roof.",
            "It got $12,500 for its roof.",
            "$12500 for the roof",
            "Here is the summary: the city pays 12,500 dollars for the roof.",
            "The ROOF costs $12,500.",
            "Sure! The co-op got $12,500 for a roof.",
            "12 500 dollars for the roof",
            "A roof: $12,500",
            "“The roof costs 12,500.”",
            "The roof will cost $12,500. I hope this helps!",
            "Hello! Here is the summary:\n\nThe roof costs $12,500.00.",
            "On the 12th, the roof will cost $12,500.",
        ),
        (
            "It got 1,250 dollars for the roof.",
            "It got 12.500 dollars for the roof.",
            "A roof",
            "$12,500",
            "Il reçoit 12,500 $ pour le roof de la coop.",
            "It got $12,500 for the door.",
            "",
            "It got $125,00 for the roof.",
            "It got $12,500 for rooftops.",
            "the " * 21 + "roof 12,500",
            "It got $12,500 for the roof. It got $12,500 for the roof.",
            "It got $12,500 for the 2 parts of the roof.",
        ),
    ),
}


@all_cases("case", CASES)
def test_a_checker_knows_right_from_nearly(case: str) -> None:
    """Ten right forms at least are accepted, and ten near misses at least are refused."""
    check, language, right, wrong = CASES[case]
    question = "Une caisse coûte 12 × 100 $ et 34,50 $." if language == "fr" else "12 × 100 + 34.50"

    def is_accepted(answer: str) -> bool:
        return is_right(check, answer, question=question, language=language)

    assert len(set(right)) >= 10 <= len(set(wrong))
    assert [] == [answer for answer in right if not is_accepted(answer)]
    assert [] == [answer for answer in wrong if is_accepted(answer)]


class Answers(Struct, forbid_unknown_fields=True):
    """A question of a template, what is asked of its answer, and answers by hand."""

    name: str
    language: str
    question: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    check: Check


class AnswersFile(Struct, forbid_unknown_fields=True):
    """A file of answers."""

    cases: tuple[Answers, ...]


def load_answers() -> tuple[Answers, ...]:
    """The answers that were written before their author read the checkers."""
    text = (ROOT / "tests/data/answers.toml").read_text("utf-8")
    return msgspec.convert(decode_toml(text), AnswersFile).cases


@all_cases("case", load_answers, ids=lambda case: case.name)
def test_a_checker_knows_answers_written_without_it(case: Answers) -> None:
    """Of an office's questions, ten right answers at least are right, and ten near misses wrong."""

    def is_accepted(answer: str) -> bool:
        return is_right(case.check, answer, question=case.question, language=case.language)

    assert len(set(case.right)) >= 10 <= len(set(case.wrong))
    assert [] == [answer for answer in case.right if not is_accepted(answer)]
    assert [] == [answer for answer in case.wrong if is_accepted(answer)]
