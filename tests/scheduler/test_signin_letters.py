"""Sign-in links by e-mail, against a real mail server."""

import asyncio
import email
import email.policy
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from tests.scheduler.gateway_support import Pool, open_pool
from tests.scheduler.people_support import Browser, add_person, open_people, signed_in
from tests.waiting import eventually

from entraide.errors import EntraideError
from entraide_scheduler.config import SmtpConfig, load_config
from entraide_scheduler.gateway import Settings
from entraide_scheduler.gateway.signin import SmtpMailer
from entraide_scheduler.nats.tls import ensure_files, make_server_context
from entraide_scheduler.people import LETTERS_PER_PERSON_MAX, LETTERS_WINDOW_S, OPERATOR, People


class Letters:
    """What a mail server received."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return "554 5.7.1 refused by policy"
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.received.append(cast("EmailMessage", parsed))
        return "250 OK"


@asynccontextmanager
async def mail_server(letters: Letters, **options: Any) -> AsyncIterator[int]:
    """Starts a mail server on loopback; yields its port."""
    context = options.pop("ssl_context", None)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(letters, loop=loop, **options), "127.0.0.1", 0, ssl=context
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def letters() -> Letters:
    return Letters()


def config(port: int, **fields: Any) -> SmtpConfig:
    wish = {"security": "none", "port": port, **fields}
    return SmtpConfig("127.0.0.1", "parc@example.coop", **wish)


def link_in(letter: EmailMessage) -> str:
    """Returns the token of the link in a letter."""
    text = letter.get_content()
    return next(word for word in text.split() if "/#/entrer/" in word).rpartition("/")[2]


async def test_a_person_asks_for_a_link_and_signs_in_with_it(
    tmp_path: Path, letters: Letters
) -> None:
    """The letter is in the person's language; the same reply goes to who is nobody."""
    async with mail_server(letters) as port:
        settings = Settings(drain_s=0.0, pool="Parc du Nord", smtp=config(port))
        async with open_pool(tmp_path, settings=settings) as pool:
            people = await open_people(pool)
            await add_person(people, name="Zoé Côté", email="zoe@example.coop", lang="fr")
            gone = await add_person(people, email="gone@example.coop")
            await people.disable(OPERATOR, gone.person)
            browser = Browser(pool)
            addresses = ("nobody@example.coop", "gone@example.coop", " Zoe@Example.coop", "x" * 400)
            replies = [
                await browser.call("POST", "/v1/signin/email", {"email": each})
                for each in addresses
            ]
            await eventually(lambda: letters.received)
            letter = letters.received[0]
            entered = await browser.sign_in(link_in(letter))

            assert {(202, b'{"accepted":true}')} == {(each.status, each.body) for each in replies}
            assert 1 == len(letters.received)
            assert "Connexion à Parc du Nord" == letter["Subject"]
            assert "zoe@example.coop" == letter["To"].addresses[0].addr_spec
            assert "auto-generated" == letter["Auto-Submitted"]
            assert "24\u00a0heures" in letter.get_content() or "24 heures" in letter.get_content()
            assert 200 == entered.status
            ways = (await browser.call("GET", "/v1/signin")).json
            assert ways["email"] is True


async def test_letters_are_limited_by_person_and_by_address(
    tmp_path: Path, letters: Letters
) -> None:
    """Of five requests three letters are sent; then the address itself must wait."""
    async with mail_server(letters) as port:
        settings = Settings(drain_s=0.0, smtp=config(port))
        async with open_pool(tmp_path, settings=settings) as pool:
            people = await open_people(pool)
            await add_person(people, email="a@example.coop")
            statuses = [await ask_for_letter(pool) for _ in range(6)]
            await eventually(lambda: len(letters.received) == LETTERS_PER_PERSON_MAX)
            await pool.gateway.signin.letters.stop()

            assert [202] * 5 + [429] == statuses
            assert LETTERS_PER_PERSON_MAX == len(letters.received)


async def test_letters_to_a_person_are_counted_for_all_gateways(tmp_path: Path) -> None:
    """Another gateway, or the same one after a restart, makes no more of them; later one does."""
    async with open_pool(tmp_path) as pool:
        people, now = await open_people(pool), [time.time()]
        row = await add_person(people, email="a@example.coop")
        gateways = [People(people._store, lambda _: None, lambda: now[0]) for _ in range(2)]
        made = [await gateways[n % 2].make_letter(row, row.email) for n in range(5)]
        now[0] += LETTERS_WINDOW_S + 1.0
        later = await gateways[0].make_letter(row, row.email)

    assert LETTERS_PER_PERSON_MAX == len(made) - made.count(None)
    assert later is not None


async def ask_for_letter(pool: Pool) -> int:
    answer = await Browser(pool).call("POST", "/v1/signin/email", {"email": "a@example.coop"})
    return answer.status


async def test_an_admin_has_a_link_sent_and_hears_if_it_was_not(
    tmp_path: Path, letters: Letters
) -> None:
    """The mail server takes the first letter and refuses the second."""
    async with mail_server(letters) as port:
        settings = Settings(drain_s=0.0, smtp=config(port))
        async with open_pool(tmp_path, settings=settings) as pool:
            people = await open_people(pool)
            row = await add_person(people, email="a@example.coop")
            admin = await signed_in(pool, people, await add_person(people, role="operator"))
            path = f"/v1/people/{row.person}/link"
            sent = await admin.call("POST", path, {"email": True})
            letters.refuses = True
            refused = await admin.call("POST", path, {"email": True})

            assert (201, True) == (sent.status, sent.json["emailed"])
            assert sent.json["link"].endswith(link_in(letters.received[0]))
            assert (502, "email_failed") == (refused.status, refused.code)
            assert "refused by policy" in refused.json["error"]["message"]


# The server does not know that it is inside of TLS.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_letter_goes_encrypted_to_a_server_that_is_who_it_says(
    tmp_path: Path, letters: Letters, security: str
) -> None:
    """With the server's CA and the password it arrives; with another CA nothing is sent."""
    files = ensure_files(tmp_path / "tls", ("127.0.0.1",))
    context = make_server_context(files)
    password = tmp_path / "password"
    password.write_text("hush\n")
    options: dict[str, Any] = {
        "authenticator": lambda *given: AuthResult(
            success=given[-1].password == b"hush", handled=True
        ),
        "auth_required": True,
    }
    if security == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}
    else:
        options |= {"tls_context": context, "require_starttls": True}
    async with open_pool(tmp_path) as pool:
        people = await open_people(pool)
        row = await add_person(people, email="a@example.coop")
        made = await people.make_link(OPERATOR, row.person)
        async with mail_server(letters, **options) as port:
            fields = {"security": security, "user": "parc", "password_file": str(password)}
            known = SmtpMailer(config(port, ca_file=str(files.ca), **fields), "Parc")
            unknown = SmtpMailer(config(port, **fields), "Parc")
            await known.send_link(made, "https://x/#/entrer/abc", "en")
            with pytest.raises(EntraideError, match="email_failed"):
                await unknown.send_link(made, "https://x/#/entrer/abc", "en")

    assert 1 == len(letters.received)
    assert "Sign in to Parc" == letters.received[0]["Subject"]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('[smtp]\nhost = "mail.example.coop"\nfrom = "nobody"', "from"),
        ('[smtp]\nhost = "mail.example.coop"\nfrom = "a@b.coop"\nsecurity = "none"', "security"),
        ('[smtp]\nhost = "mail.example.coop"\nfrom = "a@b.coop"\nuser = "x"', "password_file"),
        ('[smtp]\nhost = ""\nfrom = "a@b.coop"', "host"),
        ('[oidc]\nissuer = "http://id.example.coop"\nclient_id = "x"', "issuer"),
        ('[oidc]\nissuer = "https://id.example.coop"\nclient_id = ""', "client_id"),
    ],
)
def test_wrong_settings_are_refused_at_the_start(tmp_path: Path, table: str, fault: str) -> None:
    """The error names the setting."""
    path = tmp_path / "scheduler.toml"
    path.write_text(f'dir = "{tmp_path}"\n{table}\n[[coops]]\ncoop = "alpha"\n')
    with pytest.raises(EntraideError) as refused:
        load_config(path)

    assert "config_refused" == refused.value.code
    assert fault in str(refused.value.values["key"])
