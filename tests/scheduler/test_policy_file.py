"""The policy file: complete decoding, and errors with file, key, value and remedy."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.scheduler.test_config import written

from entraide import i18n, quality_terms
from entraide.errors import PoolError
from entraide.types import Task
from entraide_scheduler.config import load_config, load_first_policy
from entraide_scheduler.core.policy import find_faults
from entraide_scheduler.core.policy import policy as p
from entraide_scheduler.core.policy.policy_validation import RANGES
from entraide_scheduler.policy_versions.documents import read_document, read_file, write_document

WHOLE = """
version = "2027-01"
jurisdiction = "CA-QC"
controlled_by = "member"
picker = "weighted"

[[coops]]
coop = "boreale"
shares = 2.0
lend = { part = 0.5, energy_wh_per_day = 800 }
quotas = [
  { kind = "carbon_g", limit = 40, period = "month" },
  { kind = "energy_wh", limit = 900, period = "day", project = "chat" },
]

[[classes]]
job_class = "interactive"
rank = 0
ttft_s = 1.0

[[classes]]
job_class = "standard"
rank = 1

[[classes]]
job_class = "batch"
rank = 2
green_hours = true

[charge]
output_weight = 3.0

[timing]
lost_after_s = 20.0

[limits]
attempts = 2

[fair_share]
cap_tokens = 4096
credit = { most = 0.1 }

[carbon]
basis = "lifecycle"

[evidence]
declared_part = 0.5
undocumented_part = 0.0

[deferral]
margin = 0.2

[weights]
per_wh = 0.1

[prefix]
keep_s = 60

[quality]
least = 0.75
exceptions = [
  { least = 0.95, task = "compute" },
  { least = 0.6, task = "compute", language = "en" },
  { least = 0.7, language = "fr" },
]
"""


def refusal(path: Path) -> PoolError:
    with pytest.raises(PoolError) as refused:
        load_config(path)
    return refused.value


def config(folder: Path, policy: str, name: str = "policy.toml") -> Path:
    (folder / name).write_text(policy)
    return written(folder, f'dir = "x"\npolicy_file = "{name}"\n')


def test_every_section_is_read(tmp_path: Path) -> None:
    """A document with all sections becomes the first policy; what is left out is the default."""
    policy = load_first_policy(load_config(config(tmp_path, WHOLE)))
    (boreale,) = policy.coops
    sections = (policy.charge, policy.timing, policy.limits, policy.fair_share, policy.carbon,
                policy.evidence, policy.deferral, policy.weights, policy.quality,
                policy.prefix)  # fmt: skip

    assert ("2027-01", "CA-QC", "member", p.Picker.WEIGHTED) == (
        policy.version,
        policy.jurisdiction,
        policy.controlled_by,
        policy.picker,
    )
    assert p.Lend(0.5, 800) == boreale.lend
    assert p.Quota(p.QuotaKind.ENERGY_WH, 900, p.Period.DAY, project="chat") == boreale.quotas[1]
    assert p.ClassTerms(p.JobClass.BATCH, 2, green_hours=True) == policy.classes[2]
    assert all(section != type(section)() for section in sections)


def test_the_exception_that_says_most_counts(tmp_path: Path) -> None:
    """A task in a language precedes a task, which precedes a language."""
    (tmp_path / "policy.toml").write_text(WHOLE)
    policy = read_file(tmp_path / "policy.toml").policy
    assert policy is not None
    compute, answer = Task.COMPUTE, Task.ANSWER

    assert (0.6, 0.95, 0.7, 0.75) == tuple(
        policy.quality.least_of(task, language)
        for task, language in ((compute, "en"), (compute, "fr"), (answer, "fr"), (answer, "en"))
    )
    assert policy == read_document(write_document(policy).encode()).policy


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    """A policy is the same in either form."""
    toml = tmp_path / "policy.toml"
    toml.write_text(WHOLE)
    json = tmp_path / "policy.json"
    json.write_bytes(msgspec.json.encode(read_file(toml).policy))

    assert read_file(toml).policy is not None
    assert read_file(toml) == read_file(json)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ('version = ""', "version", None),
        ('version = "1"\n[deferral]\nslots_part = 0.0', "deferral.slots_part", 0.0),
        ('version = "1"\n[deferral]\nmargin = 1.0', "deferral.margin", 1.0),
        ('version = "1"\n[evidence]\ndeclared_part = 1.5', "evidence.declared_part", 1.5),
        ('version = "1"\n[evidence]\nundocumented_part = -1', "evidence.undocumented_part", -1.0),
        ('version = "1"\n[limits]\nattempts = 0', "limits.attempts", 0),
        ('version = "1"\n[timing]\nlost_after_s = 1.0', "timing.lost_after_s", 1.0),
        ('version = "1"\n[timing]\nlease_s = inf', "timing.lease_s", "inf"),
        ('version = "1"\n[carbon]\ntolerance = nan', "carbon.tolerance", "nan"),
        ('version = "1"\n[[coops]]\ncoop = "a"\nshares = 0', "coops.a.shares", 0.0),
        ('version = "1"\n[[coops]]\ncoop = "a"\n[[coops]]\ncoop = "a"', "coops", "a"),
        ('version = "1"\n[[coops]]\ncoop = "a"\nlend = {part = 2}', "coops.a.lend.part", 2.0),
        *(
            (f'version = "1"\n[[coops]]\ncoop = "a"\nname = {text}', "coops.a.name", value)
            for text, value in (
                (f'"{"é" * 81}"', "é" * 37 + " […] " + "é" * 18),
                (r'"a\u202eb"', "ab"),
                (r'"a\u200bb"', "a\u200bb"),
                (r'"a\nb"', "a b"),
                ('" a"', " a"),
                ('"B"\n[[coops]]\ncoop = "b"', "B"),
            )
        ),
        (
            (
                'version = "1"\n[[coops]]\ncoop = "a"\nname = "Four"\n'
                '[[coops]]\ncoop = "b"\nname = "FOUR"'
            ),
            "coops.b.name",
            "FOUR",
        ),
        (
            (
                'version = "1"\n[[coops]]\ncoop = "a"\n'
                'quotas = [{kind = "jobs_in_flight", limit = 1, period = "day"}]'
            ),
            "coops.a.quotas.1.period",
            "day",
        ),
        (
            'version = "1"\n[[coops]]\ncoop = "a"\nquotas = [{kind = "energy_wh", limit = 1}]',
            "coops.a.quotas.1.period",
            "energy_wh",
        ),
        (
            (
                'version = "1"\n[[coops]]\ncoop = "a"\nquotas = '
                '[{kind = "requests", limit = 1, period = "day", project = "p", key = "k"}]'
            ),
            "coops.a.quotas.1",
            "p, k",
        ),
        (
            (
                'version = "1"\n[[coops]]\ncoop = "a"\nquotas = '
                '[{kind = "requests", limit = 1, period = "day", project = "p"},'
                ' {kind = "requests", limit = 2, period = "day"},'
                ' {kind = "requests", limit = 3, period = "day", project = "p"}]'
            ),
            "coops.a.quotas",
            "requests, day, p",
        ),
        ('version = "1"\n[[classes]]\njob_class = "batch"\nrank = 0', "classes", "interactive"),
        ('version = "1"\nwieghts = 1', "wieghts", None),
        ('version = "1"\n[fair_share.credit]\nmost = "a lot"', "fair_share.credit.most", "a lot"),
        *(
            (f'version = "1"\n[quality]\n{text}', f"quality.{key}", value)
            for text, key, value in (
                ("least = 1.5", "least", 1.5),
                ("exceptions = [{least = 0.5}]", "exceptions.1.task", None),
                ('exceptions = [{least = 2, task = "answer"}]', "exceptions.1.least", 2.0),
                ('exceptions = [{least = 1, task = "sing"}]', "exceptions.1.task", "sing"),
                ('exceptions = [{least = 1, language = "de"}]', "exceptions.1.language", "de"),
                (
                    'exceptions = [{least = 1, language = "fr"}, {least = 0, language = "fr"}]',
                    "exceptions.2",
                    "fr",
                ),
            )
        ),
        (
            'version = "1"\n[[coops]]\ncoop = "a"\n[[reasoning.coops]]\ncoop = "b"',
            "reasoning.coops.b.coop",
            "b",
        ),
        ("version = ", "policy", None),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    tmp_path: Path, text: str, key: str, value: object
) -> None:
    """The refusal has file, key and value, and a whole sentence in each language."""
    problem = refusal(config(tmp_path, text))
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in i18n.LANGUAGES]

    assert ("policy_refused", key) == (problem.code, problem.values["key"])
    assert value == problem.values.get("value")
    for sentence in sentences:
        assert str(tmp_path / "policy.toml") in sentence
        assert key in sentence
        assert "none" not in sentence
        assert re.search(r": .+: .+", sentence.replace("\u00a0:", ":"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A policy that cannot be read stops the start; no default takes its place."""
    problem = refusal(written(tmp_path, 'dir = "x"\npolicy_file = "nowhere.json"\n'))

    assert "policy_refused" == problem.code
    assert str(tmp_path / "nowhere.json") == problem.values["path"]


def numbers(struct: type[msgspec.Struct]) -> set[str]:
    """The keys of a struct that hold a number."""
    fields = msgspec.structs.fields(struct)
    return {f.name for f in fields if f.type in (int, float, int | None, float | None)}


def test_every_number_has_its_range() -> None:
    """No number of a policy goes unchecked: a new key needs a range."""
    structs = {struct for struct in (*vars(p).values(), *vars(quality_terms).values())
               if isinstance(struct, type)}  # fmt: skip
    policies = {s for s in structs if issubclass(s, msgspec.Struct) and s is not msgspec.Struct}

    assert {s: set(RANGES.get(s, ())) for s in policies} == {s: numbers(s) for s in policies}
    assert () == find_faults(p.Policy(version="1"))


def shown(default: object) -> str:
    """A default as the page writes it."""
    if default is msgspec.NODEFAULT:
        return "required"
    if default == "":
        return '`""`'
    if default == ():
        return "`[]`"
    words = {None: "none", True: "true", False: "false"}
    known = default is None or isinstance(default, bool)
    return f"`{words[default]}`" if known else f"`{default}`"


def keys(struct: type[msgspec.Struct], path: str = "") -> dict[str, str]:
    """Every key below a struct, by its path, with its default as the page writes it."""
    keys_found: dict[str, str] = {}
    for field in msgspec.structs.fields(struct):
        inner = getattr(field.type, "__args__", (field.type,))[0]
        name = f"{path}{field.name}" + ("[]" if inner is not field.type else "")
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            keys_found |= keys(inner, f"{name}.")
        else:
            keys_found[f"{path}{field.name}"] = shown(field.default)
    return keys_found


@pytest.mark.checkout
def test_the_page_names_every_key_and_no_other(tmp_path: Path) -> None:
    """Each key stands on the page with the default that it has, and the example is sound."""
    page = Path("docs/reference/policy.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\| ([^|]+) \|[^|]*\| [^|]+ \|$", page, re.M)
    (tmp_path / "example.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])

    assert keys(p.Policy) == dict(rows)
    assert len(rows) == len(dict(rows))
    assert () == read_file(tmp_path / "example.toml").faults


DIVISORS = {
    "shares": '[[coops]]\ncoop = "a"\nshares = {}',
    "charge.output_weight": "[charge]\noutput_weight = {}",
    "fair_share.credit.half_life_s": "[fair_share.credit]\nhalf_life_s = {}",
    "models.half_life_s": "[models]\nhalf_life_s = {}",
    "timing.lease_s": "[timing]\nlease_s = {}",
    "deferral.slots_part": "[deferral]\nslots_part = {}",
}
FACTORS = {
    "carbon.tolerance": "[carbon]\ntolerance = {}",
    "carbon.headroom": "[carbon]\nheadroom = {}",
    "carbon.late_weight": "[carbon]\nlate_weight = {}",
    "carbon.own_direct_g_per_kwh": "[carbon]\nown_direct_g_per_kwh = {}",
    "charge.input_weight": "[charge]\ninput_weight = {}",
    "deferral.worth": "[deferral]\nworth = {}",
    "weights.per_g": "[weights]\nper_g = {}",
}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(
            (key, text.format(number))
            for key, text in DIVISORS.items()
            for number in (1e-308, 1e11)
        ),
        *((key, text.format(number)) for key, text in FACTORS.items() for number in (1e11, "inf")),
    ],
)
def test_a_number_that_sums_and_quotients_cannot_bear_is_refused(
    tmp_path: Path, key: str, text: str
) -> None:
    """A share of 1e-308 would make what a co-op was served infinite: weights, times, half-lives
    and tolerances have bounds at both ends, and the refusal says which, in both languages."""
    problem = refusal(config(tmp_path, f'version = "1"\n{text}'))
    low, high = problem.values["low"], problem.values["high"]
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in i18n.LANGUAGES]

    assert str(problem.values["key"]).endswith(key)
    assert 0 <= float(low) < float(high) <= 1e10
    assert all(i18n.HOLE not in sentence for sentence in sentences)


def test_the_core_reckons_at_both_ends_of_every_range() -> None:
    """At the bounds a policy comes into force, and what follows from a job are finite numbers."""
    for end in ("low", "high"):
        bounds = RANGES[p.CoopTerms]["shares"], RANGES[p.ChargeWeights]["output_weight"]
        shares, weight = (getattr(bound, end) for bound in bounds)
        policy = p.Policy(
            "1",
            (p.CoopTerms("alpha", shares), p.CoopTerms("beta")),
            charge=p.ChargeWeights(output_weight=weight),
        )

        assert find_faults(policy) == ()
        assert 1e9 * weight / shares < 1e300
