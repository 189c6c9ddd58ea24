"""Lenders who asked for it are told of their own co-op's machines, and of no other one's."""

from functools import partial
from pathlib import Path
from typing import Any

from msgspec import structs
from tests.scheduler.gateway_support import open_pool
from tests.scheduler.people_support import add_person, open_people, signed_in
from tests.scheduler.test_notifications import MAIL, make_notifier
from tests.scheduler.test_oidc import bind_address
from tests.scheduler.test_signin_letters import Letters, config, mail_server

from entraide import i18n
from entraide_scheduler.findings import KINDS, Finding, finding
from entraide_scheduler.gateway import Settings
from entraide_scheduler.notifications import READERS_MAX, Reader
from entraide_scheduler.notifications.lenders import SHOWN
from entraide_scheduler.people import OPERATOR
from entraide_scheduler.store import people as table

COOPS = {"mac-a": "alpha", "mac-b": "beta", "mac-c": "gamma"}
READERS = [
    Reader("person-a", "alpha", "ada@alpha.coop", "fr"),
    Reader("person-b", "beta", "bob@beta.coop", "en"),
]


def of_machines(code: str, *machines: str, **values: str | int) -> Finding:
    return structs.replace(
        finding(code, **values, nodes=", ".join(machines)), since=1.0, machines=machines
    )


def letters_to(letters: Letters, address: str) -> list[str]:
    own = [each for each in letters.received if address == each["To"].addresses[0].addr_spec]
    return [f"{each['Subject']}\n{each.get_content()}" for each in own]


async def test_each_lender_is_told_once_of_the_own_machines_only(tmp_path: Path) -> None:
    """One finding of the pool about three co-ops' machines: each lender reads of one, in the own
    language, and of its end; who withdraws, and while the store is away, nothing is lost or twice.
    """
    letters, now = Letters(), 1_000_000.0
    frequent = of_machines("alarms-frequent", "mac-a", "mac-b", "mac-c", number=77)
    engine = of_machines("nodes-engine", "mac-a", "mac-b", "mac-c")
    pool_wide = [finding("nodes-none", number=99), finding("key-quarantined", key="key-secret")]
    (tmp_path / "notify.toml").write_text(f"end_after_s = 60\n{MAIL}")
    async with mail_server(letters) as port:

        async def step(*found: Finding, readers: list[Reader] | None) -> None:
            nonlocal now
            now += 70.0
            notifier = make_notifier(
                tmp_path, config(port), [*found], now, coops=COOPS, readers=readers
            )
            await notifier._step()

        await step(engine, frequent, *pool_wide, readers=READERS)
        await step(engine, frequent, *pool_wide, readers=None)  # the store is away
        await step(engine, frequent, *pool_wide, readers=READERS)
        begun = {each.email: letters_to(letters, each.email) for each in READERS}
        for _ in range(3):
            await step(readers=READERS[:1])  # the other one has withdrawn

    ended = letters_to(letters, "ada@alpha.coop")[1:]
    assert [1, 1] == [len(texts) for texts in begun.values()]
    assert [1, 1] == [len(ended), len(letters_to(letters, "bob@beta.coop"))]
    (french,), (english,) = begun.values()
    assert "Le moteur de la machine mac-a s’est arrêté" in french
    assert "The engine of the machine mac-b has stopped" in english
    assert "C’est terminé" in ended[0]
    assert "https://parc.example.coop/#/machine" in french
    for text, own in ((french, "mac-a"), (ended[0], "mac-a"), (english, "mac-b")):
        others = [name for name in COOPS if name != own] + ["77", "99", "key-secret"]
        assert not [word for word in others if word in text]
    assert "mac-c" in letters_to(letters, "op@example.coop")[0]
    stored = (tmp_path / "notify-state.json").read_text()
    assert not [each for each in READERS if each.email in stored]


async def test_a_mailbox_that_refuses_is_named_without_its_address(tmp_path: Path) -> None:
    """The operator's page says that the mail does not arrive, and by the identifier to whom."""
    letters = Letters()
    (tmp_path / "notify.toml").write_text("end_after_s = 60\n")
    async with mail_server(letters) as port:
        letters.refuses = True
        for number in range(3):
            notifier = make_notifier(
                tmp_path, config(port), [of_machines("nodes-engine", "mac-a")],
                1_000_000.0 + 3_600.0 * number, coops=COOPS, readers=READERS,
            )  # fmt: skip
            await notifier._step()

    (fault,) = notifier.findings()
    assert ("notify-failing", "person-a") == (fault.code, fault.values["recipients"])
    assert "ada@alpha.coop" not in str(fault.values)


def test_each_kind_about_machines_has_a_sentence_for_their_lenders() -> None:
    """In both languages; a kind of the registry whose name says that it is about nodes is there."""
    about = {code for code in KINDS if code.startswith(("node-", "nodes-"))} - {"nodes-none"}
    values: dict[str, Any] = dict.fromkeys(("node", "model", "code", "agent", "version"), "x")

    assert about == about & SHOWN.keys()
    for code in SHOWN:
        for lang in ("fr", "en"):
            assert "x" in i18n.text(f"lender-{code}", lang, **values)
            assert i18n.has_message(f"lender-{code}.remedy")


async def test_a_person_asks_for_letters_at_an_address_of_their_own(tmp_path: Path) -> None:
    """Neither without a confirmed address, nor without the role, nor in a new start; and an
    address that somebody else enters later gets none."""

    def bound(path: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"method": "PATCH", "path": path, "body": fields}

    async with mail_server(Letters()) as port:
        settings = Settings(drain_s=0.0, smtp=config(port))
        async with open_pool(tmp_path, settings=settings) as pool:
            people = await open_people(pool)
            row = await add_person(people, email="ada@alpha.coop", role="coop_admin")
            plain = await add_person(people, email="eve@alpha.coop")
            ada, eve = [await signed_in(pool, people, each) for each in (row, plain)]
            wish = bound("/v1/session", {"machine_mail": True})
            codes = [(await ada.call(**wish)).code]
            for each in (row, plain):
                bind = partial(bind_address, person=each.person, email=each.email)
                await pool.store.write(bind)
            pool.gateway.signin.sessions.clear_cache()
            other = await signed_in(pool, people, row)  # a link that the operator made
            codes += [(await eve.call(**wish)).code, (await other.call(**wish)).code]
            offered = (await ada.call("GET", "/v1/session")).json["machine_mail"]
            chosen = (await ada.call(**wish)).json["machine_mail"]
            listed = partial(table.list_machine_readers, most=READERS_MAX)
            (reader,) = await pool.store.read(listed)
            await people.change(OPERATOR, row.person, email="new@elsewhere.coop")
            (moved,) = await pool.store.read(listed)
            refused = (await other.call(**bound("/v1/session", {"machine_mail": False}))).code
            ended = (await ada.call(**bound("/v1/session", {"machine_mail": False}))).status
            left = await pool.store.read(listed)

    assert ["email_unproven", "role_refused", "session_new_start"] == codes
    assert (False, True) == (offered, chosen)
    assert (row.person, True) == (reader.person, reader.may_have_machine_mail)
    assert not moved.may_have_machine_mail
    assert ("session_new_start", 200, ()) == (refused, ended, left)
