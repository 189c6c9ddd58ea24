"""Display names: what people call the parts of a scenario.

Input: the ``title`` keys of a scenario. Output: a title for each kind of part, name and language.
A part without a title is called by its name; a group of machines, by its device and site.
"""

from collections.abc import Mapping
from typing import Any

from entraide import i18n
from entraide_sim.scenario import Scenario, Title

# By kind of part, name and language.
Titles = dict[str, dict[str, dict[str, str]]]

PARTS = {
    "site": "sites",
    "coop": "coops",
    "model": "models",
    "group": "nodes",
    "workload": "workloads",
}
# Values of messages that are the name of a part, and the kind of part.
NAME_VALUES = {
    "site": "site",
    "coop": "coop",
    "model": "model",
    "machines": "group",
    "workload": "workload",
}


def scenario_titles(scenario: Scenario) -> Titles:
    """Returns the titles of a scenario's parts, with those of its alternatives' machines."""
    parts: dict[str, tuple[Any, ...]] = {
        kind: getattr(scenario, field) for kind, field in PARTS.items()
    }
    parts["group"] += scenario.plan.purchases
    for alternative in scenario.alternatives:
        parts["group"] += alternative.nodes
    return {
        kind: {part.name: title_by_language(part.title) for part in listed if part.title}
        for kind, listed in parts.items()
        if any(part.title for part in listed)
    }


def title_by_language(title: Title) -> dict[str, str]:
    """Returns a title by language; a single text is the title in each language."""
    if isinstance(title, str):
        return {str(lang): title for lang in i18n.LANGUAGES}
    return title


def display_name(titles: Mapping[str, Any], kind: str, name: str, lang: str) -> str:
    """Returns what people call a part.

    Args:
        titles: of ``scenario_titles``.
        kind: ``site``, ``coop``, ``model``, ``group`` or ``workload``.
        name: of the part.
        lang: of the reader; another language's title is used where this one has none.
    """
    by_language = titles.get(kind, {}).get(name, {})
    known = (by_language.get(language) for language in (i18n.lang_of(lang), *i18n.LANGUAGES))
    return next((title for title in known if title), name)


def displayed_values(
    titles: Mapping[str, Any], values: Mapping[str, i18n.Value], lang: str
) -> dict[str, i18n.Value]:
    """Returns the values of a message, with the names of parts as people call them."""
    return {
        key: display_name(titles, NAME_VALUES[key], str(value), lang)
        if key in NAME_VALUES
        else value
        for key, value in values.items()
    }
