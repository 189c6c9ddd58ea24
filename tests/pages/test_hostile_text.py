"""Hostile text in a real browser: whatever a model or a person writes, nothing runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages import documents
from tests.pages.signed_in import UsedPool, finish, used_pool
from tests.pages.support import Visit

from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import CoopTerms, Policy

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

BEACON = "http://beacon.example/seen"
PIECES = 20
HOSTILE = {
    "a script": f"<script>window.ran = 1; fetch('{BEACON}')</script>",
    "a handler": f"<img src=x onerror=\"window.ran = 1; fetch('{BEACON}')\">",
    "a picture": f"![a]({BEACON}.png) ![b][ref]\n\n[ref]: {BEACON}.gif",
    "a picture in HTML": f'<img src="{BEACON}.png"><picture><source srcset="{BEACON}"></picture>',
    "a link that runs": "[ici](javascript:ran=1) [là](data:text/html,<script>ran=1</script>)",
    "a vector picture": "<svg onload='window.ran=1'><use href='data:image/svg+xml,x'/></svg>",
    "a frame": f'<iframe srcdoc="<script>parent.ran=1</script>" src="{BEACON}"></iframe>',
    "a style": f"<style>@import '{BEACON}'; body {{ background: url({BEACON}) }}</style>",
    "a form": f'<form action="{BEACON}"><button>Envoyer</button></form><base href="{BEACON}">',
    "a refresh": f'<meta http-equiv="refresh" content="0; url={BEACON}">',
    "mathematics": "<math><mtext><table><mglyph><style><img src=x onerror=ran=1>",
    "a clobbered name": '<a id="location" name="cookie" href="x">x</a><form id=app>',
    "a fence that breaks out": "```html\n</code></pre><script>ran=1</script>\n```",
    "a table": f"| a |\n|---|\n| <img src={BEACON} onerror=ran=1> ![x]({BEACON}) |",
    "an event in a link": f'[a]({BEACON} "onmouseover=ran=1") <{BEACON}>',
}

# Notes for how long the page was busy at a stretch, milliseconds.
LONGEST_TASK = """
  window.longest = 0;
  new PerformanceObserver(list => {
    for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
  }).observe({entryTypes: ["longtask"]});
"""


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


async def ran(visit: Visit) -> bool:
    """Whether anything that was written has run."""
    return bool(await visit.page.evaluate("'ran' in window"))


def harmless(visit: Visit) -> bool:
    """Whether the browser asked nobody else, and blocked nothing that had to be blocked."""
    return visit.foreign == [] and visit.errors == [] and "beacon" not in " ".join(visit.requested)


async def test_no_answer_runs_or_fetches(used: UsedPool) -> None:
    """Each hostile answer is shown as text or dropped: the browser's requests are the witness."""
    visit = await used.chat()
    for name, text in HOSTILE.items():
        await used.answered(visit, name, *text)
        await visit.page.locator(".answer-text").last.hover()
    elements = await visit.page.evaluate(
        "[...new Set([...document.querySelectorAll('.answer-text *')].map(e => e.localName))]"
    )
    links = await visit.page.evaluate(
        "[...document.querySelectorAll('.answer-text a')].map(e => [e.protocol, e.target, e.rel])"
    )

    assert not await ran(visit)
    assert harmless(visit)
    assert not {"script", "img", "svg", "iframe", "style", "form", "meta", "base"} & set(elements)
    assert {("http:", "_blank", "noopener noreferrer nofollow")} == {tuple(link) for link in links}


async def test_no_question_document_or_name_runs(used: UsedPool) -> None:
    """The same texts written by the person, in a document and in the names of things."""
    visit = await used.chat("<img src=x onerror=ran=1>")
    everything = "\n\n".join(HOSTILE.values())
    await visit.page.set_input_files(
        "#documents",
        [
            {"name": "<img src=x onerror=ran=1>.txt", "mimeType": "text/plain",
             "buffer": everything.encode()},
            {"name": "a.docx", "mimeType": "", "buffer": documents.docx("&lt;script&gt;ran=1")},
            {"name": "a.pdf", "mimeType": "application/pdf", "buffer": documents.pdf("<b>x</b>")},
        ],
    )  # fmt: skip
    await visit.page.locator(".attachments li").nth(2).wait_for()
    run = await used.answered(visit, everything.replace("\n", " "), "Bien")

    assert not await ran(visit)
    assert harmless(visit)
    assert "<script>ran=1" in run.body["messages"][0]["content"]


async def test_marks_that_reorder_letters_are_seen(used: UsedPool) -> None:
    """A right-to-left override does not turn a text round: it is shown by its code."""
    visit = await used.chat()
    await used.answered(visit, "Bonjour", "Voir \u202egnp.exe\u202c et `if \u2066x\u2069`")

    assert (
        "Voir [U+202E]gnp.exe[U+202C] et if [U+2066]x[U+2069]"
        == (await visit.page.inner_text(".answer-text")).strip()
    )


async def test_an_answer_of_a_megabyte_is_read_and_left(used: UsedPool) -> None:
    """The page shows all of a very long answer, and stays usable: the next question is asked."""
    visit = await used.chat()
    await visit.page.evaluate(LONGEST_TASK)
    coops = tuple(CoopTerms(name) for name in ("alpha", "beta", "gamma"))
    policy = Policy("v2", coops)
    policy = replace(policy, limits=replace(policy.limits, output_tokens_default=2_000))
    used.pool.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=policy))
    run = await used.asked(visit, "Tout")
    for piece in range(1, PIECES + 1):  # each once the one before is there: the line has bounds
        run.tokens(*(["**mot** " * 100] * 65))
        await visit.page.wait_for_function(
            "least => document.querySelector('.answer-text')?.textContent.length >= least",
            arg=piece * 25_000,
        )
    finish(run)
    await visit.page.locator(".receipt-line").wait_for()
    await visit.page.fill("#question", "Encore")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".answer .notice.bad").wait_for()  # a prompt that no model holds
    length = await visit.page.evaluate("document.querySelector('.answer-text').textContent.length")
    longest_ms = await visit.page.evaluate("longest")
    print(f"longest task of the page: {longest_ms:.0f} ms")

    assert 1_000_000 <= length
