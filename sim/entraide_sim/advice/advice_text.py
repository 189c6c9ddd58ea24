"""Advice text: the sentences of advice, in the reader's language.

Machines are named by their device and site, co-ops and sites by their titles; never by a policy's
key or a group's name. A difference that the seeds do not show is said to be not measurable.
"""

import re
from collections.abc import Callable, Iterable

from entraide import i18n
from entraide_sim import catalogue
from entraide_sim.advice.scenario_advice import (
    CARBON_CAD_PER_G,
    YEARLY,
    Advice,
    ChangeEffect,
    change_sign,
    measure,
)
from entraide_sim.advice.scenario_changes import ScenarioChange
from entraide_sim.fleet import displayed_values
from entraide_sim.money import YEAR_H
from entraide_sim.planning import Sensitivity, sensitivity_text
from entraide_sim.report import formatting, has_year
from entraide_sim.runs import KEPT_ENOUGH, is_enough, served_part
from entraide_sim.scenario import NodeGroup, RunResult

G_PER_T = 1e6
REASONS = ("no_effect", "dominated", "promises", "enough", "carbon", "gain")
OWN_MACHINES = "own"  # the unchanged fleet is what the members have, not the first alternative
IN_DESKTOP = " in a desktop"  # in a device's name
DETAILS = re.compile(r" \(|, | \d+ GB")  # begin of the details in a device's name
EXACT_PART = 0.01  # an interval narrower than this part of its mean is left out
FULL_LOAD = 0.5  # of the slots: below, a fleet that is not enough lacks speed, not slots
CHEAPER_MAX = 2  # other ways that are mentioned beside an answer
FORMATS: dict[str, Callable[[float | None, str], str]] = {
    "cad_per_year": formatting.format_dollars,
    "g_per_year": formatting.format_carbon,
    "ttft_s_p95": formatting.format_seconds,
}


class AdviceText:
    """The sentences of one piece of advice in one language.

    Args of the constructor:
        advice: the advice.
        lang: of the reader.
        sensitivity: of the answer to the scenario's question; None if it is unknown.
    """

    def __init__(self, advice: Advice, lang: str, sensitivity: Sensitivity | None = None) -> None:
        self._advice = advice
        self._sensitivity = sensitivity
        self._base = advice.base.mean
        self._lang = lang
        # Less than a day tells nothing of a year: its amounts are those of its hours.
        hours, is_short = self._base.demand_h, not has_year(self._base)
        self._part = hours / YEAR_H if is_short else 1.0
        self._span = {"span": formatting.format_span(hours, lang)} if is_short else {}

    # Answers.

    def answer(self) -> list[str]:
        """Returns whether anything is needed; three sentences for a scenario's question."""
        if not self._advice.alternatives:
            return [self.need()]
        return [self.need(), self._choice(), self._certainty()]

    def need(self) -> str:
        """Returns what the unchanged fleet does, and whether that is enough."""
        return self._text(
            "sim-advice-need",
            enough="yes" if self._advice.is_enough else "no",
            base=self._base_machines(),
            served=formatting.format_percentage(served_part(self._base), self._lang),
            kept=self._kept(self._base),
            wanted=formatting.format_percentage(KEPT_ENOUGH, self._lang),
            ttft=formatting.format_seconds(measure(self._base)["ttft_s_p95"], self._lang),
            load=formatting.format_percentage(load := busiest_load(self._base), self._lang),
            lacks="speed" if not self._advice.is_enough and load < FULL_LOAD else "none",
        )

    def nothing(self) -> str:
        """Returns what the unchanged fleet costs and emits in a year, or in less than a day."""
        measures = measure(self._base)
        cost, carbon = (
            FORMATS[key]((measures[key] or 0.0) * self._part, self._lang) for key in YEARLY
        )
        return self._text(
            "sim-advice-nothing", base=self._base_machines(), cost=cost, carbon=carbon, **self._span
        )

    def effect(self, effect: ChangeEffect) -> str:
        """Returns a change and its effects in a year, with the intervals over the seeds."""
        clauses = [
            self._difference("cost", "cad_per_year", effect),
            self._kept_change(effect),
            self._difference("wait", "ttft_s_p95", effect),
            self._difference("grams", "g_per_year", effect),
        ]
        return self._text(
            "sim-advice-effect",
            change=self.change(effect.change),
            effects=formatting.join_clauses(clauses, self._lang),
        )

    def rejected(self) -> str:
        """Returns how many changes were tried and are not put forward, and why; "" for none."""
        shown = self._advice.recommended
        rejected = [effect.reason for effect in self._advice.effects if effect not in shown]
        if not rejected:
            return ""
        price = formatting.format_money(CARBON_CAD_PER_G * G_PER_T, self._lang)
        reasons = [
            self._text(f"sim-advice-reason-{reason}", count=rejected.count(reason), price=price)
            for reason in REASONS
            if reason in rejected
        ]
        listed = formatting.join_list(reasons, self._lang)
        return self._text("sim-advice-rejected", count=len(rejected), reasons=listed)

    def seeds(self) -> str:
        """Returns how many seeds decided."""
        return self._text("sim-advice-seeds", count=len(self._advice.base.seeds))

    # Parts of sentences.

    def change(self, change: ScenarioChange) -> str:
        """Returns a change in words: ``Acheter un Mac mini M4 (Sherbrooke) pour 1 380 $``."""
        titles = self._base.titles
        names = {key: str(change.values[key]) for key in ("workload",) if key in change.values}
        for key in ("model", "larger"):
            if key in change.values:
                names[key] = str(
                    displayed_values(titles, {"model": change.values[key]}, self._lang)["model"]
                )
        owned = change.code in {"lend_always", "retire"}
        price_cad = float(change.values.get("price_cad", 0.0))
        return self._text(
            f"sim-change-{change.code}",
            **displayed_values(titles, names, self._lang),
            count=sum(group.count for group in change.machines),
            hours=change.values.get("hours", 0),
            machines=self.machines(change.machines, with_owner=owned),
            replaced=self.machines(change.replaced),
            price=formatting.format_money(price_cad, self._lang),
        )

    def machines(self, groups: Iterable[NodeGroup], *, with_owner: bool = False) -> str:
        """Returns machines as a list in a sentence: ``un Mac mini M4 (Sherbrooke)``."""
        texts = []
        for group in groups:
            places = [formatting.part_name(self._base, "site", group.site, self._lang)]
            if with_owner:
                places.insert(0, formatting.owner_text(self._base, group.coop, self._lang))
            texts.append(
                self._text(
                    "sim-advice-machine",
                    count=group.count,
                    device=self._device(catalogue.devices()[group.device].name),
                    place=", ".join(places),
                )
            )
        return formatting.join_list(texts, self._lang)

    def option(self, change: ScenarioChange | None) -> str:
        """Returns an alternative's machines; of the unchanged scenario, what that means."""
        if change is not None:
            return self.machines(change.machines)
        base = self._base_machines()
        return self._text("sim-advice-buy_nothing") if base == OWN_MACHINES else base

    def _base_machines(self) -> str:
        """Returns the first alternative's machines; ``OWN_MACHINES`` if there are none."""
        replaced = next((effect.change.replaced for effect in self._advice.alternatives), ())
        return self.machines(replaced) or OWN_MACHINES

    def _device(self, name: str) -> str:
        """Returns a device's name without its details: ``Mac mini M4``."""
        card, in_desktop, _ = name.partition(IN_DESKTOP)
        if in_desktop:
            return self._text("sim-advice-desktop", card=DETAILS.split(card)[0])
        return DETAILS.split(name)[0]

    def _kept(self, result: RunResult) -> str:
        missed = measure(result)["missed_part"]
        assert missed is not None
        return formatting.format_percentage(1.0 - missed, self._lang)

    def _kept_change(self, effect: ChangeEffect) -> str:
        return self._text(
            "sim-advice-kept",
            kept=self._kept(effect.seeded.mean),
            before=self._kept(self._base),
            sign=_sign_name(effect, "missed_part"),
        )

    def _difference(self, name: str, key: str, effect: ChangeEffect) -> str:
        """Returns a difference with its interval, or that there is none to be measured."""
        difference, show = effect.differences[key], FORMATS[key]
        if difference is None:
            return self._text(f"sim-advice-{name}", sign="none")
        part = self._part if key in YEARLY else 1.0
        bounds = sorted((abs(difference.low), abs(difference.high)))
        mean, low, high = (
            show(value * part, self._lang) for value in (abs(difference.mean), *bounds)
        )
        return self._text(
            f"sim-advice-{name}",
            sign=_sign_name(effect, key),
            mean=mean,
            low=low,
            high=high,
            exact="yes" if bounds[1] - bounds[0] <= EXACT_PART * bounds[1] else "no",
            **self._span,
        )

    def _text(self, code: str, **values: i18n.Value) -> str:
        return i18n.text(code, self._lang, **values)

    # The scenario's question.

    def _choice(self) -> str:
        chosen = self._advice.chosen_alternative
        others = [effect for effect in self._advice.alternatives if effect is not chosen]
        listed = formatting.join_clauses(map(self._alternative, others), self._lang)
        if chosen is not None:
            return self._text("sim-advice-choose", chosen=self._alternative(chosen), others=listed)
        enough = "yes" if self._advice.is_enough else "no"
        return self._text(
            "sim-advice-choose_none", base=self._base_machines(), enough=enough, others=listed
        )

    def _alternative(self, effect: ChangeEffect) -> str:
        """Returns an alternative with its yearly cost, in all and per person, and its promises."""
        values: dict[str, i18n.Value] = {}
        money = effect.seeded.mean.money
        people = money.people if money is not None else None
        cost = effect.differences["cad_per_year"]
        if people and cost is not None:
            each_cad = cost.mean * self._part / people
            values["per_person"] = formatting.format_money(each_cad, self._lang)
        return self._text(
            "sim-advice-alternative",
            machines=self.machines(effect.change.machines),
            price=formatting.format_money(float(effect.change.values["price_cad"]), self._lang),
            kept=self._kept(effect.seeded.mean),
            cost=self._difference("cost", "cad_per_year", effect),
            grams=self._difference("grams", "g_per_year", effect),
            **values,
        )

    def _certainty(self) -> str:
        chosen = self._advice.chosen_alternative or self._advice.alternatives[0]
        missed = chosen.differences["missed_part"]
        assert missed is not None
        values: dict[str, i18n.Value] = {
            "machines": self.machines(chosen.change.machines),
            "count": len(self._advice.base.seeds),
            "sign": _sign_name(chosen, "missed_part"),
        }
        bounds = sorted((abs(missed.low), abs(missed.high)))
        for name, bound in zip(("low", "high"), bounds, strict=True):
            values[name] = i18n.decimal(bound * 100.0, self._lang)
        others = [
            self._text("sim-advice-quoted", change=self.change(effect.change))
            for effect in self._advice.recommended
            if not effect.change.is_alternative and is_enough(effect.seeded.mean)
        ][:CHEAPER_MAX]
        if others:
            values |= {"others": formatting.join_list(others, self._lang), "ways": len(others)}
        if self._sensitivity is not None:
            values |= self._assumptions(self._sensitivity)
        return self._text("sim-advice-sure", **values)

    def _assumptions(self, sensitivity: Sensitivity) -> dict[str, i18n.Value]:
        """Returns the assumptions that would change the answer, and how many were tried."""
        clauses = []
        for row in sensitivity.overturning:
            assert row.change is not None
            assert row.choice is not None
            clauses.append(
                self._text(
                    "sim-advice-overturned",
                    change=sensitivity_text.change_text(row.change, self._lang),
                    answer=sensitivity.candidates[row.choice].names[i18n.lang_of(self._lang)],
                )
            )
        return {
            "tried": len(sensitivity.rows),
            "overturned": len(clauses),
            "changes": formatting.join_list(clauses, self._lang),
        }


def busiest_load(result: RunResult) -> float:
    """Returns the part of the slots in use at the busiest hour, zones weighted by machines."""
    machines: dict[str, int] = {}
    for group in result.fleet:
        machines[group.zone] = machines.get(group.zone, 0) + group.count
    total = sum(machines.values()) or 1
    shares = [
        [part * machines.get(zone.zone, 0) / total for part in zone.utilisation]
        for zone in result.zones
    ]
    return max(map(sum, zip(*shares, strict=True)), default=0.0)


def _sign_name(effect: ChangeEffect, key: str) -> str:
    return ("less", "none", "more")[change_sign(effect.differences[key], key) + 1]
