"""`make help` follows the same rule for the language as the `entraide` command."""

import os
import subprocess

import pytest
from tests.house.source import ROOT

from entraide.language import VARIABLES, lang_of_environment

pytestmark = pytest.mark.checkout


@pytest.mark.parametrize(
    ("locale", "lang"),
    [
        ({}, "fr"),
        ({"LANG": "C"}, "fr"),
        ({"LANG": "POSIX"}, "fr"),
        ({"LANG": "C.UTF-8"}, "fr"),
        ({"LANG": "en_CA.UTF-8"}, "en"),
        ({"LC_ALL": "fr_CA.UTF-8", "LANG": "en_CA.UTF-8"}, "fr"),
        ({"LC_MESSAGES": "en", "LANG": "fr_CA.UTF-8"}, "en"),
    ],
)
def test_the_targets_are_listed_in_the_language_of_the_locale(
    locale: dict[str, str], lang: str
) -> None:
    """English where the locale is English, French everywhere else; every target has both."""
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    told = subprocess.run(
        ["make", "help"], cwd=ROOT, env=environ | locale, check=True, capture_output=True, text=True
    ).stdout

    assert lang == lang_of_environment(locale)
    assert {"fr": "Énumère les cibles.", "en": "List the targets."}[lang] in told
    assert {"demo", "run", "test", "check"} <= {line.split()[0] for line in told.splitlines()}
