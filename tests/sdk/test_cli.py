"""The command line against a real gRPC server: its output for people and for programs."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sdk.conftest import Cli, ServedPool
from tests.sdk.servicer import KEYS

from entraide import __version__, i18n
from entraide.cli import app, pool_access
from entraide.cli.language import choose_language
from entraide.i18n import Lang
from entraide.v1 import admin_pb2


def test_chat_streams_and_ends_with_a_receipt(served: ServedPool, cli: Cli) -> None:
    """The answer comes first, then receipt and place, and nothing is on the error output."""
    result = cli(
        [
            "chat",
            "Bonjour",
            "--state",
            str(served.state),
            "--class",
            "batch",
            "--controlled-by",
            "member",
            "--prefix",
            "off",
        ]
    )
    answer, receipt, place = result.out.splitlines()

    assert (0, "Bonjour à toi", "") == (result.status, answer, result.err)
    assert receipt.startswith("Servi par on-1 en Ontario (coop soleil) · 0,012")
    assert "par le serveur du parc, à un endroit inconnu" in place
    assert "batch" == served.pool.asked[0].options.job_class
    assert "member" == served.pool.asked[0].options.controlled_by
    assert "off" == served.pool.asked[0].options.prefix


def test_chat_says_on_the_error_output_why_the_question_waits(served: ServedPool, cli: Cli) -> None:
    """The pool is asked to say it; the answer stays whole on the output."""
    result = cli(["chat", "Bonjour", "--model", "waiting", "--state", str(served.state)])

    assert ("Bonjour à toi", "Elle attend.") == (result.out.splitlines()[0], result.err.strip())
    assert served.pool.asked[0].options.waiting_events


def test_embed_shows_the_beginning_of_each(served: ServedPool, cli: Cli) -> None:
    """A person sees the length and the first numbers of each text, then the receipt."""
    result = cli(["embed", "a", "b", "--state", str(served.state), "--data-class", "public"])
    *lines, receipt = result.out.splitlines()

    assert ["5 nombres\u00a0: 0.5000 -1.0000 2.0000 3.0000 …"] * 2 == lines
    assert receipt.startswith("Servi par on-1")
    assert "· prêt en 0,4" in receipt
    assert (["a", "b"], "phrases", "public") == (
        list(served.pool.asked[0].inputs),
        served.pool.asked[0].model,
        served.pool.asked[0].options.data_class,
    )


def test_embed_for_programs(served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json there are all numbers; texts come from standard input, one per line."""
    monkeypatch.setattr("sys.stdin", io.StringIO("un\n\ndeux\n"))
    result = cli(["embed", "-", "--json", "--state", str(served.state)])
    answer = json.loads(result.out)

    assert [[0.5, -1.0, 2.0, 3.0, 4.0]] * 2 == answer["vectors"]
    assert ["un", "deux"] == list(served.pool.asked[0].inputs)


def test_embed_wants_a_text(served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty input is refused before the pool is asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    result = cli(["embed", "-", "--state", str(served.state), "--lang", "en"])

    assert 2 == result.status
    assert "There is no text." in result.err
    assert [] == served.pool.asked


def test_chat_for_programs(served: ServedPool, cli: Cli) -> None:
    """With --json there is one object, exact, and nothing else."""
    result = cli(["chat", "Bonjour", "--json", "--state", str(served.state), "--lang", "en"])
    answer = json.loads(result.out)

    assert ["explanation", "finish_reason", "job", "receipt", "text", "usage"] == sorted(answer)
    assert ("Bonjour à toi", 0.012) == (answer["text"], answer["receipt"]["energy_wh"])


def test_chat_reads_standard_input(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hyphen means that the question is read from standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Une longue question"))
    cli(["chat", "-", "--state", str(served.state)])

    assert "Une longue question" == served.pool.asked[0].messages[0].content


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("fr", "Aucun modèle ne s’appelle «\u00a0absent\u00a0». Modèles offerts\u00a0:"),
        ("en", 'No model is called "absent". Models offered: smollm2-135m.'),
    ],
)
def test_a_refusal_is_one_sentence(served: ServedPool, cli: Cli, lang: str, sentence: str) -> None:
    """A refusal is printed on the error output, in the chosen language, with exit status 1."""
    result = cli(["chat", "?", "--model", "absent", "--lang", lang, "--state", str(served.state)])

    assert (1, "") == (result.status, result.out)
    assert result.err.startswith(sentence)
    assert 1 == len(result.err.splitlines())


def test_a_job_of_any_co_op_is_found(served: ServedPool, cli: Cli) -> None:
    """On the pool's own machine a job is shown and explained without saying whose it is."""
    state = str(served.state)
    listing = cli(["jobs", "show", "job-1", "--state", state])
    explained = cli(["jobs", "explain", "job-1", "--state", state])
    facts = json.loads(cli(["jobs", "explain", "job-1", "--json", "--state", state]).out)

    assert listing.out.startswith("job-1 · terminée")
    assert explained.out.startswith("Placée sur on-1 (coop soleil, Ontario).")
    assert "ab-1 (prairie, Alberta) n’a aucune place libre (4 places occupées)" in explained.out
    assert ("placed", 4) == (facts["decision"], facts["excluded"][0]["values"]["slots"])


def test_a_job_of_another_coop_is_unknown_to_a_key(served: ServedPool, cli: Cli) -> None:
    """With --coop only that co-op's key is used."""
    result = cli(["jobs", "show", "job-1", "--coop", "boreale", "--state", str(served.state)])

    assert 1 == result.status
    assert result.err.startswith("Aucune requête de votre coopérative")


def test_jobs_are_listed(served: ServedPool, cli: Cli) -> None:
    """A co-op's jobs are listed in columns, and as JSON."""
    state = ["--coop", "soleil", "--state", str(served.state)]
    headings, line = cli(["jobs", "list", *state]).out.splitlines()
    jobs = json.loads(cli(["jobs", "list", "--json", *state]).out)

    assert ["REQUÊTE", "ÉTAT", "CLASSE", "MODÈLE", "SOUMISE"] == headings.split()
    assert ["job-1", "terminée", "interactive", "smollm2-135m"] == line.split()[:4]
    assert ["job-1"] == [job["job"] for job in jobs]


def test_cancelling_an_ended_job(served: ServedPool, cli: Cli) -> None:
    """What cannot be cancelled any more is said so."""
    result = cli(["jobs", "cancel", "job-1", "--lang", "en", "--state", str(served.state)])

    assert (1, "This job has already ended: there is nothing to cancel.\n") == (
        result.status,
        result.err,
    )


def test_models_are_listed(served: ServedPool, cli: Cli) -> None:
    """The models served are listed in columns, and as JSON."""
    state = ["--state", str(served.state)]

    table = cli(["models", "list", *state]).out
    assert "smollm2-135m" in table
    assert "plongements, plongements seulement" in table
    assert "pénalité de répétition, outils" in table
    assert 8_192 == json.loads(cli(["models", "list", "--json", *state]).out)[0]["context_tokens"]


def test_nodes_are_shown(served: ServedPool, cli: Cli) -> None:
    """The operator sees each machine, why it rests, and every number as a number."""
    state = ["--state", str(served.state)]
    listed = cli(["nodes", "list", *state]).out
    (node,) = json.loads(cli(["nodes", "list", "--json", *state]).out)

    assert "on-1" in listed
    assert "en ligne (pause demandée par le propriétaire)" in listed
    assert (4, 400.0, ["smollm2-135m"]) == (node["slots"], node["surplus_w"], node["models"])
    assert "mac-mini-m4, 40 W (par défaut)" in cli(["nodes", "show", "on-1", *state]).out
    assert re.search("CONTRÔLE +une coopérative membre", cli(["nodes", "show", "on-1", *state]).out)
    assert re.search("DONNÉES +publiques, internes", cli(["nodes", "show", "on-1", *state]).out)
    assert 1 == cli(["nodes", "show", "absent", *state]).status


def test_quarantine_is_shown_with_its_reason(served: ServedPool, cli: Cli) -> None:
    """The lists of nodes and keys say since when and why, in the language of the operator."""
    state = ["--state", str(served.state)]
    quarantine = admin_pb2.Quarantine(reason="event_raised", detail="joined", since=1e9)
    served.admin.quarantine.CopyFrom(quarantine)
    french = cli(["nodes", "list", *state]).out
    english = cli(["--lang", "en", "nodes", "show", "on-1", *state]).out
    (node,) = json.loads(cli(["nodes", "list", "--json", *state]).out)
    served.admin.quarantine.reason = "engines_ended"

    assert "un de ses messages a fait échouer l’ordonnanceur (joined)" in french
    assert "the scheduler failed on one of its messages (joined)" in english
    assert "event_raised" == node["quarantine"]["reason"]
    assert "ses requêtes ont provoqué l’arrêt de moteurs" in cli(["keys", "list", *state]).out
    assert "quarantaine" not in cli(["keys", "clear", "k-1", *state]).out


def test_a_refusal_to_load_is_shown(served: ServedPool, cli: Cli) -> None:
    """The operator sees which machine did not load which model, why and when, in both lists."""
    refusal = admin_pb2.LoadRefusal(model="qwen3-8b", code="disk_full", at=1_772_373_900.0)
    served.admin.load_refusals = [refusal]
    state = ["--state", str(served.state), "--lang", "en"]
    for command in (["nodes", "show", "on-1"], ["models", "list"]):
        line = cli([*command, *state]).out.splitlines()[-1]

        assert line.startswith('on-1 did not load "qwen3-8b" on 2026-03-01')
        assert line.endswith("the disk is full (disk_full).")


def test_coops_change_only_what_is_asked(served: ServedPool, cli: Cli) -> None:
    """Setting a quota keeps the shares and the other quotas; ``none`` lifts one."""
    state = ["--state", str(served.state)]
    cli(["coops", "set", "boreale", "--shares", "2", *state])
    cli(["coops", "set", "boreale", "--quota", "tokens=1000/day", *state])
    after = cli(["coops", "set", "boreale", "--quota", "jobs_in_flight=4", *state]).out
    quotas = {quota.kind: (quota.limit, quota.period) for quota in served.admin.coop.quotas}
    cli(["coops", "set", "boreale", "--quota", "requests=none", *state])

    assert 2.0 == served.admin.coop.shares
    assert {
        "requests": (50, "minute"),
        "tokens": (1_000, "day"),
        "jobs_in_flight": (4, "none"),
    } == quotas
    assert "jetons 0/1\u00a0000 par jour" in after
    assert ["tokens", "jobs_in_flight"] == [quota.kind for quota in served.admin.coop.quotas]


def test_a_coop_is_named(served: ServedPool, cli: Cli) -> None:
    """``--name`` names a co-op, ``--language`` states its language, and other changes keep both."""
    state = ["--state", str(served.state)]
    cli(["coops", "set", "boreale", "--name", "Coop Boréale", "--language", "en", *state])
    cli(["coops", "set", "boreale", "--shares", "2", *state])
    language = served.admin.coop.language
    listed = cli(["coops", "list", *state]).out.splitlines()[1]
    cli(["coops", "set", "boreale", "--name", "", *state])

    assert ["boreale", "Coop", "Boréale", "en", "2"] == listed.split()[:5]
    assert ("", "en") == (served.admin.coop.name, language)


@pytest.mark.parametrize(
    "quota",
    [
        "tokens=1000",
        "tokens=-1/day",
        "jobs_in_flight=4/day",
        "euros=3",
        "tokens=1e3/day",
        "tokens=5/day,project=a,key=b",
    ],
)
def test_a_quota_that_is_none(served: ServedPool, cli: Cli, quota: str) -> None:
    """A quota that is written otherwise is misuse, and nothing is changed."""
    result = cli(["coops", "set", "boreale", "--quota", quota, "--state", str(served.state)])

    assert 2 == result.status
    assert f"«\u00a0{quota}\u00a0» n’est pas un quota" in result.err
    assert 1.0 == served.admin.coop.shares


def test_a_quota_of_a_project_or_a_key_stands_beside_the_others(
    served: ServedPool, cli: Cli
) -> None:
    """Quotas of one kind for the co-op, a project and a key are three; each is lifted alone."""
    state = ["--state", str(served.state)]
    texts = ("carbon_g=40/month", "carbon_g=9/month,project=chat", "carbon_g=5/month,key=k1")
    options = [part for text in texts for part in ("--quota", text)]
    table = cli(["coops", "set", "boreale", *options, *state]).out
    cli(["coops", "set", "boreale", "--quota", "carbon_g=none,project=chat", *state])
    quotas = [(q.limit, q.project, q.key) for q in served.admin.coop.quotas if q.kind == "carbon_g"]

    assert "0/9 par mois (chat)" in table
    assert [(40, "", ""), (5, "", "k1")] == quotas


def test_what_a_coop_lends_changes_alone(served: ServedPool, cli: Cli) -> None:
    """The part, the watt-hours or neither: what is not named stays; ``none`` lifts the limit."""
    state = ["--state", str(served.state)]
    cli(["coops", "set", "boreale", "--lend-part", "0.25", *state])
    part = served.admin.coop.lend
    cli(["coops", "set", "boreale", "--lend-wh", "none", *state])
    lifted = served.admin.coop.lend
    wrong = cli(["coops", "set", "boreale", "--lend-wh", "much", *state])

    assert (0.25, True, 800) == (part.part, part.limited, part.energy_wh_per_day)
    assert (0.25, False) == (lifted.part, lifted.limited)
    assert (2, True) == (wrong.status, "«\u00a0much\u00a0»" in wrong.err)


def test_a_statement_says_what_was_given_to_whom(served: ServedPool, cli: Cli) -> None:
    """What was given, to whom, in the language of the caller; corrections below."""
    state = ["--state", str(served.state)]
    correction = ["--lender", "boreale", "--borrower", "soleil", "--wh", "-0.5"]
    posted = cli(["coops", "correct", "c1", *correction, "--reason", "compteur", *state])
    text = cli(["report", "--coop", "boreale", "--month", "2027-01", *state]).out
    statement = json.loads(cli(["report", "--coop", "boreale", "--json", *state]).out)

    assert "c1" in posted.out
    assert "Relevé de boreale, 2027-01" in text
    assert re.search(r"donné à +Le Soleil +3 +1\u00a0500 +0,25 Wh +0,0012 g +0,008 g", text)
    assert re.search(r"c1 +Le Soleil .* -0,5 Wh +0 g +compteur", text)
    assert "reçu de" not in text
    assert 1_500 == statement["others"][0]["given"]["tokens"]


def test_a_secret_is_shown_once(served: ServedPool, cli: Cli) -> None:
    """A new key's secret alone is on the output; the list of keys never has one."""
    state = ["--state", str(served.state)]

    assert "secret-2\n" == cli(["keys", "create", "--coop", "boreale", *state]).out
    assert "accueil" in cli(["keys", "list", *state]).out
    assert "oui" in cli(["keys", "revoke", "k-1", *state]).out


def test_without_the_operators_key(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's commands ask for the operator's key, and say where it is looked for."""
    monkeypatch.setenv("ENTRAIDE_URL", served.address)
    monkeypatch.setenv("ENTRAIDE_KEY", "key-soleil")
    without = cli(["nodes", "list"])
    monkeypatch.setenv("ENTRAIDE_ADMIN_KEY", "key-admin")

    assert 1 == without.status
    assert "ENTRAIDE_ADMIN_KEY" in without.err
    assert "on-1" in cli(["nodes", "list"]).out
    assert "Bonjour" in cli(["chat", "?"]).out


def test_a_members_key_in_the_environment_leaves_the_operators_commands_alone(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shell with the read-me's export line, the operator's key is that of this machine."""
    monkeypatch.setattr(pool_access, "default_state", lambda: served.state)
    monkeypatch.setenv("ENTRAIDE_URL", served.address)
    monkeypatch.setenv("ENTRAIDE_KEY", next(iter(KEYS)))
    operator = cli(["nodes", "list"])
    member = cli(["jobs", "list"])
    monkeypatch.setattr(pool_access, "default_state", lambda: served.state / "elsewhere")
    stranger = cli(["nodes", "list", "--lang", "en"])

    assert (0, "") == (operator.status, operator.err)
    assert "on-1" in operator.out
    assert 0 == member.status
    assert 1 == stranger.status
    assert "ENTRAIDE_ADMIN_KEY" in stranger.err


def test_no_pool_here(cli: Cli, tmp_path: Path) -> None:
    """Without a pool the sentence says where it was looked for and how to start one."""
    result = cli(["chat", "Bonjour", "--state", str(tmp_path)])

    assert (1, "") == (result.status, result.out)
    assert str(tmp_path) in result.err
    assert "entraide up" in result.err


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_pool_that_is_not_ready(cli: Cli, tmp_path: Path, lang: str) -> None:
    """While a founded pool starts or is stopped, the demonstration is not what starts it."""
    (tmp_path / "pool.toml").touch()
    result = cli(["nodes", "list", "--state", str(tmp_path), "--lang", lang])

    assert 1 == result.status
    assert "entraide up" not in result.err
    assert f"entraide pool run {tmp_path}" in result.err


@pytest.mark.parametrize(("lang", "words"), [("fr", "Commandes"), ("en", "Commands")])
def test_help_speaks_the_language(cli: Cli, lang: str, words: str) -> None:
    """Help is in one language throughout, and lists the shells' commands with our own."""
    result = cli(["--help", "--lang", lang])

    assert 0 == result.status
    assert words in result.out
    assert {"chat", "jobs", "nodes", "coops", "keys", "up", "down", "status", "node", "scheduler",
            "gateway"} <= set(re.findall(r"^  ([a-z]+) ", result.out, re.MULTILINE))  # fmt: skip
    assert "Show this message" not in result.out


HEAVY = ("aiohttp", "cryptography", "google.protobuf", "grpc", "nats", "numpy", "psutil", "rich",
         "sqlalchemy", "structlog", "xllamacpp")  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["node", "join", "--help"],
        ["scheduler", "run", "--help"],
        ["sim", "plan", "--help"],
        ["up", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """What a command works with is imported when it works, not to say how it is called."""
    program = (
        "import sys\n"
        "from entraide.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        f"    print('loaded:', *(m for m in {HEAVY!r} if m in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "loaded:" == done.stdout.splitlines()[-1]


def test_each_command_is_found_by_its_name() -> None:
    """Every entry point registers the command that it is named after, and help is not empty."""
    for name in app.registered_commands():
        command = app.load_command(name, "fr")

        assert name == command.name
        assert i18n.has_message(f"help-{name}")


def test_a_command_without_its_extra_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell is listed whether or not its extra is there; without it, one sentence names it."""

    def absent(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'polars'", name="polars")

    monkeypatch.setattr(app, "load_command", absent)
    result = cli(["sim", "run", "quartier", "--out", "x", "--lang", "en"])

    assert (1, "") == (result.status, result.out)
    assert result.err.strip().endswith(f"'./entraide-{__version__}-py3-none-any.whl[sim]'")


@pytest.mark.parametrize(
    ("arguments", "environ", "lang"),
    [
        ([], {}, "fr"),
        ([], {"LANG": "en_CA.UTF-8"}, "en"),
        ([], {"LANG": "C.UTF-8"}, "fr"),
        ([], {"LC_ALL": "fr_CA.UTF-8", "LANG": "en_CA.UTF-8"}, "fr"),
        ([], {"ENTRAIDE_LANG": "en", "LC_ALL": "fr_CA.UTF-8"}, "en"),
        (["--lang", "fr"], {"ENTRAIDE_LANG": "en"}, "fr"),
        (["--lang", "fr"], {"LANG": "en_CA.UTF-8"}, "fr"),
        (["--lang=en"], {}, "en"),
        (["--lang"], {"LANG": "en_CA.UTF-8"}, "fr"),
    ],
)
def test_the_language_is_chosen(arguments: list[str], environ: dict[str, str], lang: Lang) -> None:
    """``--lang`` decides, then ``ENTRAIDE_LANG``, then the locale, then it is French."""
    assert (lang, ["chat", "?"]) == choose_language(["chat", "?", *arguments], environ)


@pytest.mark.parametrize(
    "command", [["status"], ["pause"], ["leave"], ["run"], ["engine", "attach", "http://x"]]
)
def test_a_machine_that_joined_nothing_is_told_how(
    cli: Cli, tmp_path: Path, command: list[str]
) -> None:
    """Before joining, the node's commands say what to do first, in one sentence."""
    result = cli(["node", *command, "--dir", str(tmp_path), "--lang", "en"])

    assert (1, "") == (result.status, result.out)
    assert "has joined no pool yet" in result.err
    assert 1 == len(result.err.splitlines())
