"""What is loaded where, as the operator reads it."""

import pytest

from entraide.cli.model_placement import plan_lines
from entraide.v1 import admin_pb2

AT = 1_772_373_900.0
NB = "\u00a0"


def plan() -> admin_pb2.ModelPlan:
    """A plan that makes room for a model in demand, adds a replica, and has one loaded model."""
    plan = admin_pb2.ModelPlan(at=AT)
    on_qc = {"node": "qc-1", "coop": "boreale", "zone": "CA-QC"}
    idle = plan.steps.add(load=False, model="qwen3-4b", reason="idle", **on_qc)
    idle.values.update({"for_model": "qwen3-14b", "idle_s": 1_200, "memory_bytes": 4e9})
    load = plan.steps.add(load=True, model="qwen3-14b", reason="waiting", **on_qc)
    load.values.update(
        {"jobs": 3, "load_s": 40, "memory_bytes": 11.5e9, "fetch_bytes": 0, "g_per_kwh": 1.3}
    )
    more = plan.steps.add(
        load=True, model="petit-1b", reason="promise", node="on-1", coop="soleil", zone="CA-ON"
    )
    more.values.update(
        {
            "jobs": 9, "missing_s": 75, "load_s": 300, "memory_bytes": 2e9, "fetch_bytes": 1.5e9,
            "g_per_kwh": 38,
        }
    )  # fmt: skip
    plan.orders.add(
        model="qwen3-4b", state="loaded", reason="waiting", since=AT - 1_800,
        memory_bytes=4_000_000_000, **on_qc,
    )  # fmt: skip
    return plan


TOLD = {
    "fr": [
        (
            f"Décharger «{NB}qwen3-4b{NB}» de qc-1 (coop boreale, Québec). "
            f"Personne ne l’a demandé depuis 20{NB}min, et il fait place à «{NB}qwen3-14b{NB}»."
        ),
        (
            f"Charger «{NB}qwen3-14b{NB}» sur qc-1 (coop boreale, Québec). "
            "3 requêtes l’attendent, et aucune machine qui le sert ne peut les prendre. "
            f"Il prendra 11,5{NB}Go de mémoire et environ 40{NB}s{NB}; l’électricité y émet "
            f"1,3{NB}g{NB}CO2e/kWh."
        ),
        (
            f"Charger «{NB}petit-1b{NB}» sur on-1 (coop soleil, Ontario). "
            f"La promesse n’est plus tenue depuis 75{NB}s{NB}: une machine de plus l’aiderait. "
            f"Il prendra 2{NB}Go de mémoire et environ 5{NB}min, dont 1,5{NB}Go à télécharger{NB}; "
            f"l’électricité y émet 38{NB}g{NB}CO2e/kWh."
        ),
        f"À la demande du parc{NB}:",
        f"  qc-1 (coop boreale, Québec) · qwen3-4b · chargé · il y a 30{NB}min · 4{NB}Go",
    ],
    "en": [
        (
            'Unload "qwen3-4b" from qc-1 (co-op boreale, Quebec). '
            f'Nobody has asked for it for 20{NB}min, and it makes room for "qwen3-14b".'
        ),
        (
            'Load "qwen3-14b" on qc-1 (co-op boreale, Quebec). '
            "3 jobs wait for it, and no machine that serves it can take them. "
            f"It will take 11.5{NB}GB of memory and about 40{NB}s; electricity there emits "
            f"1.3{NB}g{NB}CO2e/kWh."
        ),
        (
            'Load "petit-1b" on on-1 (co-op soleil, Ontario). '
            f"The promise has been missed for 75{NB}s: one more machine would help. "
            f"It will take 2{NB}GB of memory and about 5{NB}min, with 1.5{NB}GB to be fetched; "
            f"electricity there emits 38{NB}g{NB}CO2e/kWh."
        ),
        "At the pool's request:",
        f"  qc-1 (co-op boreale, Quebec) · qwen3-4b · loaded · 30{NB}min ago · 4{NB}GB",
    ],
}


@pytest.mark.parametrize("lang", TOLD)
def test_a_plan_reads_as_approved(lang: str) -> None:
    """Each step is one line with its reason and its cost; then the current orders."""
    assert TOLD[lang] == list(plan_lines(plan(), lang, dry_run=True))


@pytest.mark.parametrize("lang", TOLD)
def test_what_is_placed_is_not_told_as_a_plan(lang: str) -> None:
    """Without a preview only the current orders are shown; an empty preview says so."""
    empty = list(plan_lines(admin_pb2.ModelPlan(), lang, dry_run=True))

    assert TOLD[lang][3:] == list(plan_lines(plan(), lang, dry_run=False))
    assert 1 == len(empty)
    assert empty[0].startswith({"fr": "Rien à charger", "en": "Nothing to load"}[lang])
