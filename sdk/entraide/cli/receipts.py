"""``entraide receipts verify``: says which receipts, or which closed month, a pool signed.

Without asking the pool, if its keys were saved.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool
from entraide.errors import error_for
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.closed_months import VerifiedMonth
    from entraide.receipts import ReceiptKey, VerifiedReceipt

KEYS_MAX_BYTES = 1024 * 1024


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``receipts`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="receipts", help=i18n.text("help-receipts", lang))
    group.callback()(lambda: None)

    @group.command(help=i18n.text("help-receipts-verify", lang))
    def verify(
        file: Annotated[
            str, typer.Argument(metavar="FILE|-", help=i18n.text("arg-receipts-file", lang))
        ],
        *,
        keys: Annotated[
            Path | None,
            typer.Option("--keys", metavar="FILE", help=i18n.text("opt-receipts-keys", lang)),
        ] = None,
        pool: Annotated[
            str, typer.Option("--pool", metavar="URL", help=i18n.text("opt-receipts-pool", lang))
        ] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.receipts import Verdict, verify_document

        if _is_month(file):
            raise typer.Exit(_verify_month(file, keys, pool, state, lang=lang, as_json=json))
        document = _read_document(file, lang)
        published = _read_keys(keys, lang) if keys else _fetch_keys(pool, state, lang)
        verified = verify_document(document, published)
        if not verified:
            raise error_for("receipts_absent", i18n.error("receipts_absent", lang, {"path": file}))
        output.print_json(list(verified)) if json else _print_verdicts(verified, lang)
        if any(each.verdict is not Verdict.GENUINE for each in verified):
            raise typer.Exit(1)


def _is_month(file: str) -> bool:
    """Whether a file begins as a closed month does."""
    from entraide.closed_months import MAGIC

    try:
        with Path(file).open("rb") as opened:
            return file != "-" and opened.read(len(MAGIC)) == MAGIC
    except OSError:  # its reader says why
        return False


def _verify_month(
    file: str, keys: Path | None, pool: str, state: Path | None, *, lang: str, as_json: bool
) -> int:
    """Verifies a closed month and prints the result; returns the exit status."""
    from entraide.closed_months import verify_month
    from entraide.receipts import Verdict

    published = _read_keys(keys, lang) if keys else _fetch_keys(pool, state, lang)
    with Path(file).open("rb") as opened:
        verified = verify_month(opened, published)
    output.print_json(verified) if as_json else _print_month(verified, lang)
    return 0 if verified.verdict is Verdict.GENUINE else 1


def _print_month(verified: "VerifiedMonth", lang: str) -> None:
    from entraide.receipts import Verdict
    from entraide.units import g_from_ug, wh_from_uwh

    head = verified.head
    values: dict[str, i18n.Value] = {"defect": verified.defect.value}
    if head is not None:
        values |= {
            "month": printable(head.month),
            "pool": printable(head.pool),
            "key": printable(head.key),
            "closed": output.format_time(head.closed_at, lang),
        }
    typer.echo(i18n.text(f"month-verified-{verified.verdict}", lang, **values))
    if head is None or verified.verdict is not Verdict.GENUINE:
        return
    sums: dict[str, i18n.Value] = {
        "jobs": sum(each.jobs for each in head.sums),
        "tokens": sum(each.tokens for each in head.sums),
        "energy": i18n.decimal(wh_from_uwh(sum(each.energy_uwh for each in head.sums)), lang),
        "direct": i18n.decimal(g_from_ug(sum(each.carbon_direct_ug for each in head.sums)), lang),
        "root": head.root,
    }
    typer.echo(f"  {i18n.text('month-verified-sums', lang, **sums)}")


def _read_document(file: str, lang: str) -> bytes:
    from entraide.receipts import DOCUMENT_MAX_BYTES

    return _read_bytes(file, DOCUMENT_MAX_BYTES, lang)


def _read_keys(file: Path, lang: str) -> "dict[str, ReceiptKey]":
    import msgspec

    from entraide.receipts import read_keys

    try:
        return read_keys(_read_bytes(str(file), KEYS_MAX_BYTES, lang))
    except msgspec.MsgspecError as problem:
        values = {"path": str(file)}
        sentence = i18n.error("receipt_keys_unreadable", lang, values)
        raise error_for("receipt_keys_unreadable", sentence, values=values) from problem


def _fetch_keys(url: str, state: Path | None, lang: str) -> "dict[str, ReceiptKey]":
    from entraide.client import fetch_receipt_keys

    pool = find_pool(state, lang, url=url)
    if not pool.web:
        values = {"address": pool.url}
        raise error_for("pool_unreachable", i18n.error("pool_unreachable", lang, values))
    return fetch_receipt_keys(pool.web, ca_pem=pool.ca_pem, lang=lang)


def _read_bytes(file: str, max_bytes: int, lang: str) -> bytes:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(max_bytes + 1)
    except OSError as problem:
        values = {"path": file, "detail": problem.strerror or str(problem)}
        raise error_for(
            "file_unreadable", i18n.error("file_unreadable", lang, values), values=values
        ) from problem
    if len(data) > max_bytes:
        values = {"path": file, "detail": f"> {max_bytes // 1024**2} MiB"}
        sentence = i18n.error("file_unreadable", lang, values)
        raise error_for("file_unreadable", sentence, values=values)
    return data


def _print_verdicts(verified: "tuple[VerifiedReceipt, ...]", lang: str) -> None:
    from entraide.receipts import Verdict

    for each in verified:
        place = i18n.text("receipt-verified-line", lang, line=each.line) if each.line else ""
        job = printable(each.receipt.job) if each.receipt else ""
        name = " · ".join(filter(None, (place, job)))
        values: dict[str, i18n.Value] = {
            "name": name or i18n.text("receipt-verified-only", lang),
            "key": printable(each.receipt.key) if each.receipt else "",
            "retired": output.format_time(each.key.until, lang)
            if each.key is not None and each.key.until
            else i18n.ABSENT,
        }
        typer.echo(i18n.text(f"receipt-verified-{each.verdict}", lang, **values))
        if each.receipt is not None and each.verdict is Verdict.GENUINE:
            typer.echo(f"  {printable(i18n.receipt_line(each.receipt, lang))}")
            for line in (i18n.thought_line, i18n.earlier_runs_line, i18n.place_line):
                if sentence := line(each.receipt, lang):
                    typer.echo(f"  {printable(sentence)}")
            for ran in each.receipt.runs or (each.receipt,):
                if ran.node_key:
                    key = {"node": printable(ran.node), "key": printable(ran.node_key)}
                    typer.echo(f"  {i18n.text('receipt-verified-machine', lang, **key)}")
    if len(verified) > 1:
        genuine = sum(each.verdict is Verdict.GENUINE for each in verified)
        counts = {"receipts": len(verified), "genuine": genuine, "false": len(verified) - genuine}
        typer.echo(i18n.text("receipt-verified-sum", lang, **counts))
