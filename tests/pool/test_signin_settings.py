"""A founded pool's mail server and identity provider, as ``pool.toml`` names them."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from msgspec import structs
from tests.pool.support import HOST, RunningPool, entraide, pool_config, running_pool
from tests.ports import free_port
from tests.scheduler.identity_provider import open_provider
from tests.scheduler.test_signin_letters import Letters, link_in

from entraide.errors import EntraideError
from entraide_scheduler.config import OidcConfig, SmtpConfig
from entraide_scheduler.findings import Finding, Severity, report
from entraide_scheduler.nats.tls import ensure_files, make_server_context
from entraide_scheduler.pool.config import PoolConfig, load_pool_config
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.signin_check import check_signin

pytestmark = pytest.mark.engines  # a founded pool with two gateways

PASSWORD = "gare au secret"
SECRETS = ("smtp-password", "oidc-secret")


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def settings(tmp_path: Path, letters: Letters) -> Iterator[dict[str, Any]]:
    """The settings of a mail server and of an identity provider that answer."""
    files = ensure_files(tmp_path / "mail", (HOST,))
    port = free_port()
    controller = Controller(
        letters, HOST, port, tls_context=make_server_context(files), require_starttls=True,
        authenticator=lambda *given: AuthResult(success=given[-1].password == PASSWORD.encode()),
        auth_required=True,
    )  # fmt: skip
    controller.start()
    (tmp_path / SECRETS[0]).write_text(f"{PASSWORD}\n")
    (tmp_path / SECRETS[1]).write_text("chut\n")
    smtp = SmtpConfig(
        HOST, "parc@example.coop", port, user="parc", password_file=f"../{SECRETS[0]}",
        ca_file="../mail/tls/ca.pem",
    )  # fmt: skip
    try:
        with open_provider() as provider:
            name = {"client_secret_file": f"../{SECRETS[1]}", "name": "Compte de la coop"}
            yield {"smtp": smtp, "oidc": OidcConfig(provider.url, "entraide", **name)}
    finally:
        controller.stop()


def call(pool: RunningPool, port: int, path: str, body: Any = None) -> Any:
    """Sends a request to one of the pool's gateways, as a page does."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"https://localhost:{port}{path}", data)
    context = ssl.create_default_context(cadata=pool.ca)
    with urllib.request.urlopen(asked, timeout=20, context=context) as answer:
        return json.loads(answer.read())


def severities(checks: list[Finding]) -> list[tuple[str, Severity]]:
    return [(each.code.partition("-")[0], each.severity) for each in checks]


def test_a_founded_pool_sends_a_link_that_signs_in(
    tmp_path: Path, settings: dict[str, Any], letters: Letters
) -> None:
    """Scheduler and second gateway have the settings; the secrets stay in their files."""
    with running_pool(tmp_path / "pool", pool_config(gateways=2, **settings)) as pool:
        state = ("--state", str(pool.state))
        entraide("coops", "add", "boreale", "--author", "Test", "--reason", "test", *state)
        words = ("people", "add", "boreale", "Zoé", "--email", "zoe@example.coop", "--send")
        added = entraide(*words, *state)
        ports = pool.config.http.port, pool.config.http.gateway_port
        ways = [call(pool, port, "/v1/signin") for port in ports]
        call(pool, ports[1], "/v1/signin/email", {"email": "zoe@example.coop"})
        doctor = json.loads(entraide("pool", "doctor", str(pool.state), "--json").stdout)
        entered = call(pool, ports[0], "/v1/session", {"token": link_in(letters.received[0])})
        written = "".join(
            path.read_text(errors="replace")
            for path in (*pool.state.glob("*.toml"), *pool.state.glob("logs/*"))
        )

    assert 0 == added.returncode, added.stderr
    assert [(True, "Compte de la coop")] * 2 == [
        (way["email"], way["oidc"]["name"]) for way in ways
    ]
    assert "Zoé" == entered["person"]["name"]
    asked = ("mail-", "provider-")
    assert {"ok"} == {each["level"] for each in doctor["checks"] if each["code"].startswith(asked)}
    assert PASSWORD not in written
    assert SECRETS[0] in written


def test_the_doctor_says_who_does_not_answer(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A wrong password, a silent server, another issuer and a lost file, each with its remedy."""
    state, base = tmp_path / "pool", pool_config(**settings)
    create_pool(state, base)
    config = load_pool_config(state)
    smtp, oidc = config.smtp, config.oidc
    assert smtp is not None
    assert oidc is not None
    (tmp_path / "wrong").write_text("other")

    def check(**changed: Any) -> list[Finding]:
        return check_signin(state, structs.replace(config, **changed))

    wrong = check(smtp=structs.replace(smtp, password_file=str(tmp_path / "wrong")))
    silent = check(
        smtp=structs.replace(smtp, port=1), oidc=structs.replace(oidc, issuer="http://localhost:1")
    )
    other = check(oidc=structs.replace(oidc, issuer=f"{oidc.issuer}/"))
    lost = check(oidc=structs.replace(oidc, client_secret_file=str(tmp_path / "none")))

    fine, warn = Severity.OK, Severity.WARN
    assert [("mail", fine), ("provider", fine)] == severities(check())
    assert [("mail", warn), ("provider", fine)] == severities(wrong)
    assert [("mail", warn), ("provider", warn)] == severities(silent)
    assert [("mail", fine), ("provider", warn)] == severities(other)
    assert [("signin", Severity.FAIL)] == severities(lost)
    assert [] == check(smtp=None, oidc=None)
    for lang in ("fr", "en"):
        for each in (*wrong[:1], *silent, *lost):
            assert report(each, lang).remedy


@pytest.mark.parametrize(("table", "key"), [("smtp", "security"), ("oidc", "issuer")])
def test_a_wrong_setting_is_refused_with_its_key(tmp_path: Path, table: str, key: str) -> None:
    """A letter that would be readable on its way, and a provider without HTTPS."""
    wrong: dict[str, Any] = {
        "smtp": SmtpConfig("mail.example.coop", "parc@example.coop", security="none"),
        "oidc": OidcConfig("http://id.example.coop", "entraide"),
    }
    config: PoolConfig = pool_config(**{table: wrong[table]})
    with pytest.raises(EntraideError) as refused:
        create_pool(tmp_path / "pool", config)

    named = refused.value.values["key"]
    assert ("config_refused", f"{table}.{key}") == (refused.value.code, named)
