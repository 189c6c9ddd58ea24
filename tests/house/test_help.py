"""One rule chooses the language of `make help`, of the `entraide` command and of its parts."""

import ast
import os
import subprocess

import pytest
from tests.house.source import ROOT, modules, nodes

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
        ({"ENTRAIDE_LANG": "en", "LC_ALL": "fr_CA.UTF-8"}, "en"),
    ],
)
def test_the_targets_are_listed_in_the_language_of_the_locale(
    locale: dict[str, str], lang: str
) -> None:
    """English where the locale is English, French everywhere else; every target has both."""
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    listing = subprocess.run(
        ["make", "help"], cwd=ROOT, env=environ | locale, check=True, capture_output=True, text=True
    ).stdout

    assert lang == lang_of_environment(locale)
    assert {"fr": "Énumérer les cibles.", "en": "List the targets."}[lang] in listing
    assert {"demo", "run", "test", "check"} <= {line.split()[0] for line in listing.splitlines()}


def test_one_module_reads_the_language_of_the_environment() -> None:
    """No other module names the variables, so that none has an order of its own."""
    readers = {
        module
        for module, path in modules().items()
        for node in nodes(path)
        if isinstance(node, ast.Constant) and node.value in VARIABLES
    }

    assert {"entraide.language"} == readers
