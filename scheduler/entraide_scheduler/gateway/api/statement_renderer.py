"""Statement renderer: a co-op's statement of a month as PDF, one at a time.

In: a statement, and what the store says of its month by project and machine. Out: the document.
"""

import asyncio
import time

from entraide.statements import Statement
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.statement_pdf.content import PageSource, make_page
from entraide_scheduler.statement_pdf.render import render_pdf
from entraide_scheduler.store.store import Store


class StatementRenderer:
    """Renders statements.

    Args:
        store: the pool's store.
        signer: whose public keys the page names.
        pool: name of the pool.
    """

    def __init__(self, store: Store, signer: ReceiptSigner, pool: str) -> None:
        self._store = store
        self._signer = signer
        self._pool = pool
        self._rendering = asyncio.Lock()

    async def render(self, statement: Statement, lang: str) -> bytes:
        """Returns a statement as PDF in a language.

        Raises:
            PoolError: ``pdf_unavailable``.
        """
        start_at, end_at = statement.start_at, statement.end_at
        source = PageSource(
            statement=statement,
            breakdown=await self._store.get_breakdown(
                statement.coop, start_at=start_at, end_at=end_at
            ),
            pool=self._pool,
            keys=(self._signer.public_key, *self._signer.retired_keys),
            is_open=end_at > time.time(),
        )
        async with self._rendering:  # one at a time: a page is tenths of a second of a core
            page = make_page(source, lang)
            return await asyncio.to_thread(render_pdf, page, dated_at=end_at)
