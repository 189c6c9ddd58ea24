"""``entraide policy``: shows, checks, compares, tries and changes the policy of a pool."""

import getpass
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options
from entraide.errors import EntraideError, error_for

if TYPE_CHECKING:
    from entraide.client.admin import AdminClient
    from entraide_scheduler.policy_versions.documents import PolicyDocument

SUFFIXES = (".toml", ".json")
JOURNAL_NAME = "pool.journal"
POLICY_NAME = "policy.toml"


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands, in one language."""
    policy = typer.Typer(help=i18n.text("help-policy", lang), no_args_is_help=True)
    _register_show(policy, lang)
    _register_check(policy, lang)
    _register_diff(policy, lang)
    _register_try(policy, lang)
    _register_apply(policy, lang)
    _register_history(policy, lang)
    _register_rollback(policy, lang)
    app.add_typer(policy, name="policy")


def _register_show(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-show", lang))
    def show(
        version: Annotated[
            str, typer.Argument(metavar="[VERSION]", help=i18n.text("arg-policy-version", lang))
        ] = "",
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide_scheduler.policy_versions import cli_output

        with _admin(state, lang) as admin:
            shown_version = _get_version(admin, version)
        cli_output.print_version(shown_version, lang, as_json=json)


def _register_check(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-check", lang))
    def check(
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help=i18n.text("arg-policy-file", lang))
        ],
        *,
        base: Annotated[
            str, typer.Option("--base", metavar="V", help=i18n.text("opt-policy-base", lang))
        ] = "",
        offline: Annotated[
            bool, typer.Option("--offline", help=i18n.text("opt-policy-offline", lang))
        ] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2
        from entraide_scheduler.policy_versions import cli_output, documents

        document = documents.read_file(file)
        faults = [documents.fault_line(fault, lang) for fault in document.faults]
        answer = admin_pb2.PolicyCheck()
        if not offline and document.policy is not None and not faults:
            request = admin_pb2.CheckPolicyRequest(document=_encode(document), base_version=base)
            with _admin(state, lang) as admin:
                answer = admin.call("CheckPolicy", request)
            faults.extend(answer.faults)
        cli_output.print_check(file, faults, answer, lang, as_json=json)
        raise typer.Exit(1 if faults else 0)


def _register_diff(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-diff", lang))
    def diff(
        new: Annotated[
            str, typer.Argument(metavar="FILE|VERSION", help=i18n.text("arg-policy-new", lang))
        ],
        old: Annotated[
            str, typer.Argument(metavar="[OLD]", help=i18n.text("arg-policy-old", lang))
        ] = "",
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide_scheduler.policy_versions import cli_output
        from entraide_scheduler.policy_versions.differences import find_changes

        with _admin(state, lang) as admin:
            after = _read(new, admin, lang)
            before = _read(old, admin, lang)
        assert before.policy is not None
        assert after.policy is not None
        changes = find_changes(before.policy, after.policy)
        cli_output.print_changes(changes, before.policy, after.policy, lang, as_json=json)


def _register_try(app: typer.Typer, lang: str) -> None:
    @app.command("try", help=i18n.text("help-policy-try", lang))
    def try_(
        new: Annotated[
            str, typer.Argument(metavar="FILE|VERSION", help=i18n.text("arg-policy-new", lang))
        ],
        *,
        days: Annotated[
            float, typer.Option("--days", min=0.0, help=i18n.text("opt-policy-days", lang))
        ] = 0.0,
        journal: Annotated[
            Path | None,
            typer.Option("--journal", metavar="FILE", help=i18n.text("opt-policy-journal", lang)),
        ] = None,
        out: Annotated[
            Path | None, typer.Option("--out", metavar="DIR", help=i18n.text("opt-try-out", lang))
        ] = None,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.cli.app import run_command
        from entraide_scheduler.policy_versions import cli_output

        folder = out or Path(tempfile.mkdtemp(prefix="entraide-policy-"))
        folder.mkdir(parents=True, exist_ok=True)
        proposed = folder / POLICY_NAME
        with ExitStack() as stack:
            is_offline = journal is not None and Path(new).is_file()
            admin = None if is_offline else stack.enter_context(_admin(state, lang))
            proposed.write_bytes(_encode(_read(new, admin, lang)))
            if journal is None:
                assert admin is not None
                journal = _export_journal(admin, folder / JOURNAL_NAME, days)
        replay = ["sim", "replay", str(journal), "--policy", str(proposed), "--out", str(folder)]
        status = run_command([*replay, "--json"] if json else replay, lang)
        if status == 0 and not json:
            cli_output.print_coverage(folder / "replay.json", days, lang)
        raise typer.Exit(status)


def _register_apply(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-apply", lang))
    def apply(
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help=i18n.text("arg-policy-file", lang))
        ],
        *,
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))],
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        base: Annotated[
            str, typer.Option("--base", metavar="V", help=i18n.text("opt-policy-base", lang))
        ] = "",
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help=i18n.text("opt-policy-overwrite", lang))
        ] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.ApplyPolicyRequest(
            document=_encode(_read_file(file, lang)),
            base_version=base,
            overwrite=overwrite,
            author=author or getpass.getuser(),
            reason=reason,
        )
        _change("ApplyPolicy", request, state, lang, as_json=json)


def _register_history(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-history", lang))
    def history(
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2
        from entraide_scheduler.policy_versions import cli_output

        with _admin(state, lang) as admin:
            listed = admin.call("ListPolicies", admin_pb2.ListPoliciesRequest())
        cli_output.print_history(listed, lang, as_json=json)


def _register_rollback(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-policy-rollback", lang))
    def rollback(
        version: Annotated[
            str, typer.Argument(metavar="VERSION", help=i18n.text("arg-policy-version", lang))
        ],
        *,
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))],
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.RollBackPolicyRequest(
            version=version, author=author or getpass.getuser(), reason=reason
        )
        _change("RollBackPolicy", request, state, lang, as_json=json)


def _change(name: str, request: Any, state: Path | None, lang: str, *, as_json: bool) -> None:
    """Changes the policy in force by one call, and prints the new version."""
    from entraide_scheduler.policy_versions import cli_output

    with _admin(state, lang) as admin:
        version = admin.call(name, request)
    cli_output.print_applied(version, lang, as_json=as_json)


def _admin(state: Path | None, lang: str) -> Any:
    """Opens the operator's client of the pool that the command is about."""
    from entraide.cli.pool_access import find_pool

    return find_pool(state, lang).admin()


def _get_version(admin: "AdminClient", version: str) -> Any:
    from entraide.v1 import admin_pb2

    return admin.call("GetPolicy", admin_pb2.GetPolicyRequest(version=version))


def _read(name: str, admin: "AdminClient | None", lang: str) -> "PolicyDocument":
    """Reads a policy without faults: a file, else a version of the pool ("" for the one in force).

    Raises:
        EntraideError: there is no such file or version, or the file has faults.
    """
    from entraide_scheduler.policy_versions import documents

    path = Path(name)
    if name and (path.suffix in SUFFIXES or path.is_file()):
        return _read_file(path, lang)
    assert admin is not None
    return documents.read_document(_get_version(admin, name).document)


def _read_file(path: Path, lang: str) -> "PolicyDocument":
    """Reads a policy file without faults.

    Raises:
        RequestError: ``policy_refused``, with a line for each fault.
    """
    from entraide_scheduler.policy_versions import cli_output, documents

    document = documents.read_file(path)
    if document.faults:
        lines = [documents.fault_line(fault, lang) for fault in document.faults]
        raise error_for("policy_refused", cli_output.faults_text(path, lines, lang))
    return document


def _encode(document: "PolicyDocument") -> bytes:
    """Returns a document for the pool: the policy, and the version that it was made from."""
    from entraide_scheduler.policy_versions import documents

    assert document.policy is not None
    return documents.write_document(document.policy, base=document.base).encode()


def _export_journal(admin: "AdminClient", path: Path, days: float) -> Path:
    """Writes the pool's journal into a file, readable by its owner only."""
    from entraide.v1 import admin_pb2

    path.touch(mode=0o600)
    try:
        with path.open("wb") as file:
            for part in admin.read("ExportJournal", admin_pb2.ExportJournalRequest(days=days)):
                file.write(part.data)
    except EntraideError:
        path.unlink()
        raise
    return path
