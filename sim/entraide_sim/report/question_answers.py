"""Question answers: the reader's questions, and their answers in plain sentences.

Do we need anything? What would we buy first, or choose? What does it cost a year, and per person?
What does it emit? How sure is that? What did we leave out? A single run offers no choice, so its
report drops that question. Sentences that a command composed (``ReportInput.answers``) come first.
A replay has questions of its own, and its command composed all answers.
"""

from collections.abc import Iterator

from entraide import i18n
from entraide.i18n import Value, text
from entraide_sim.report import formatting, measures, report_data, summary_text
from entraide_sim.report.context import ADVICE, REPLAY, RUN, ReportInput
from entraide_sim.report.measures import measured_text, money_measure
from entraide_sim.runs import KEPT_ENOUGH, SERVED_ENOUGH, is_enough, summary_value
from entraide_sim.scenario import Money, OfferCost

QUESTIONS = ("need", "choice", "cost", "carbon", "sure", "left_out")
REPLAY_QUESTIONS = ("past", "change", "unknown")
INSUFFICIENT_MAX = 3  # variants named as insufficient

QuestionAnswer = tuple[str, list[str]]


def question_answers(report: ReportInput, lang: str) -> list[QuestionAnswer]:
    """Returns the questions of a report with the sentences that answer each."""
    if report.kind == REPLAY:
        return [
            (text(f"sim-report-question-{question}", lang), list(sentences))
            for question in REPLAY_QUESTIONS
            if (sentences := report.answers[question][i18n.lang_of(lang)])
        ]
    composed = {
        "need": _need_sentences,
        "choice": _choice_sentences,
        "cost": _cost_sentences,
        "carbon": _carbon_sentences,
        "sure": _sure_sentences,
        "left_out": _left_out_sentences,
    }
    answers = []
    for question in QUESTIONS:
        if question == "choice" and report.kind == RUN:
            continue
        ready = report.answers.get(question, {}).get(i18n.lang_of(lang), ())
        sentences = [*ready, *composed[question](report, lang)]
        if sentences:
            title = text(f"sim-report-question-{question}", lang, kind=report.kind)
            answers.append((title, sentences))
    return answers


# Do we need anything?


def _need_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    thresholds: dict[str, Value] = {
        "served": formatting.format_percentage(SERVED_ENOUGH, lang),
        "kept": formatting.format_percentage(KEPT_ENOUGH, lang),
    }
    if "need" not in report.answers:
        if len(report.variants) == 1:
            code = "yes" if is_enough(report.results[0]) else "no"
            yield text("sim-report-need-run", lang, enough=code, **thresholds)
        else:
            yield _variants_need_sentence(report, lang, thresholds)
    if report.kind == ADVICE:
        return
    base = report.variants[0]
    name = summary_text.fleet_name(report, 0, lang)
    yield summary_text.service_sentence(base, report.goals, lang, name)
    if report.lead == 0 and (share := summary_text.share_sentence(base.mean, lang)):
        yield share


def _variants_need_sentence(report: ReportInput, lang: str, values: dict[str, Value]) -> str:
    short = [result for result in report.results if not is_enough(result)]
    named = [summary_text.quoted_name(result, lang) for result in short[:INSUFFICIENT_MAX]]
    return text(
        "sim-report-need-variants",
        lang,
        tried=len(report.results),
        enough=len(report.results) - len(short),
        short=len(short),
        named="yes" if len(short) <= INSUFFICIENT_MAX and named else "no",
        names=formatting.join_list(named, lang),
        **values,
    )


# What would we choose?


def _choice_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    if "choice" not in report.answers:
        yield from summary_text.choice_sentences(report, lang)
    if report.lead != 0 and report.kind != ADVICE:  # advice says what each change does
        yield from summary_text.difference_sentences(report, lang)
        lead, name = report.leader, summary_text.fleet_name(report, report.lead, lang)
        yield summary_text.service_sentence(lead, (), lang, name)
        if share := summary_text.share_sentence(lead.mean, lang):
            yield share


# What does it cost a year, and per person?


def _cost_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    money = report.leader.mean.money
    if money is None:
        yield summary_text.cost_sentence(report.leader.mean, lang)
        if not report_data.has_year(report.leader.mean):
            hours = report_data.demand_hours(report.leader.mean)
            yield text("sim-report-cost-short", lang, span=formatting.format_span(hours, lang))
        return
    yield text(
        "sim-report-cost-year",
        lang,
        **summary_text.name_value(report, lang),
        total=_money_text(report, "total_cad", lang),
        price=formatting.format_money(money.purchase_price_cad, lang),
        bought="yes" if money.purchase_price_cad else "no",
        parts=formatting.join_list(_cost_parts(report, money, lang), lang),
    )
    if money.people is None:
        yield text("sim-report-cost-no_people", lang)
    else:
        each = _money_text(report, "total_cad_per_person", lang)
        yield text("sim-report-cost-person", lang, people=money.people, each=each)
    if money.sunk_capital_cad:
        sunk = formatting.format_money(money.sunk_capital_cad, lang)
        yield text("sim-report-cost-sunk", lang, sunk=sunk)
    yield from _offer_sentences(money, lang)


def _cost_parts(report: ReportInput, money: Money, lang: str) -> Iterator[str]:
    """Yields the parts of a year's cost that are not 0."""
    for name in ("capital", "maintenance", "energy"):
        if getattr(money, f"{name}_cad"):
            values: dict[str, Value] = {"amount": _money_text(report, f"{name}_cad", lang)}
            if name == "energy" and money.idle_energy_cad:
                values["idle"] = _money_text(report, "idle_energy_cad", lang)
            yield text(f"sim-report-cost-part-{name}", lang, **values)


def _money_text(report: ReportInput, field: str, lang: str) -> str:
    return measured_text(report.leader, money_measure(field), formatting.format_money, lang)


def _offer_sentences(money: Money, lang: str) -> Iterator[str]:
    """Yields what the cheapest cloud offer and the cheapest subscription would cost."""
    for kind, offers in (("cloud", money.cloud), ("subscription", money.subscriptions)):
        priced = [offer for offer in offers if offer.cad_per_year is not None]
        if not priced:
            continue
        offer = min(priced, key=lambda offer: offer.cad_per_year or 0.0)
        yield text(
            f"sim-report-cost-{kind}",
            lang,
            offer=offer.name,
            date=formatting.format_day(offer.as_of, lang),
            cost=formatting.format_money(offer.cad_per_year, lang),
            payback=payback_text(money, offer, lang),
            bought="yes" if money.purchase_price_cad else "no",
            paid="no" if offer.payback_years is None else "yes",
            cheaper="yes" if (offer.cad_per_year or 0.0) < money.total_cad else "no",
        )


def payback_text(money: Money, offer: OfferCost, lang: str) -> str:
    """Returns after how long the machines to buy have paid for themselves against an offer."""
    if offer.cad_per_year is None:
        return formatting.DASH
    if not money.purchase_price_cad:
        return text("sim-report-payback-nothing", lang)
    if offer.payback_years is None:
        return text("sim-report-payback-never", lang)
    return formatting.format_years(offer.payback_years, lang)


# What does it emit?


def _carbon_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    yield summary_text.carbon_sentence(report.leader, lang)
    footprint = report.leader.mean.footprint
    if footprint is None:
        return
    yield text(
        "sim-report-carbon-year",
        lang,
        direct=measured_text(
            report.leader, measures.carbon_g_per_year, formatting.format_carbon, lang
        ),
        lifecycle=measured_text(
            report.leader, measures.lifecycle_g_per_year, formatting.format_carbon, lang
        ),
        made="yes" if footprint.embodied_g else "no",
    )


# How sure is that?


def _sure_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    yield text("sim-report-sure-seeds", lang, seeds=report.seed_count)
    yield text("sim-report-sure-model", lang, seeds=report.seed_count)
    assumptions = report_data.merged_assumptions(report.results)
    weak = sum(assumption.basis == "default" for assumption, _ in assumptions)
    if assumptions:
        yield text("sim-report-sure-assumptions", lang, count=len(assumptions), weak=weak)


# What did we leave out?


def _left_out_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    result = report.leader.mean
    yield text("sim-report-left_out-work", lang)
    if result.money is not None and not result.money.maintenance_cad:
        yield text("sim-report-left_out-maintenance", lang)
    yield text("sim-report-left_out-quality", lang)
    if report_data.has_year(result):
        yield text(
            "sim-report-left_out-season",
            lang,
            span=formatting.format_span(report_data.demand_hours(result), lang),
            date=formatting.format_date_of(result.start_at, result.timezone, lang),
        )
    footprint = result.footprint
    if footprint is not None and footprint.uncounted_idle_wh:
        idle = formatting.format_energy(footprint.uncounted_idle_wh, lang)
        counted = formatting.format_energy(summary_value(result.summary, "energy_wh"), lang)
        yield text("sim-report-left_out-idle", lang, idle=idle, counted=counted)
    if footprint is not None and footprint.embodied_unknown:
        yield text("sim-report-left_out-made", lang, machines=footprint.embodied_unknown)
