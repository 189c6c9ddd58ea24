"""Certificates of the HTTP and gRPC servers, read again when their files change.

In: PEM files. Out: a TLS context for HTTP and a key pair for gRPC's next handshakes. Connections
that exist keep their certificate. A pair that cannot be used is logged, and the last one is kept.
"""

import asyncio
import contextlib
from pathlib import Path

import structlog
from cryptography import x509
from msgspec import structs

from entraide.errors import PoolError
from entraide_scheduler.config import HttpConfig, TlsConfig
from entraide_scheduler.nats.tls import TlsFiles, find_tls_files, load_chain, make_server_context

WATCH_S = 2.0

FileSignature = tuple[int, int, int]  # time of change, inode, size


class LiveCertificate:
    """One server's certificate, in the form of its latest files.

    Attributes:
        files: its files.
        context: TLS context of a server of asyncio; a new certificate enters it.
        pair: PEM of the key and of the chain, for gRPC.

    Raises:
        PoolError: ``certificate_unusable``: the files cannot be read, or do not match.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._log = structlog.get_logger("entraide.tls")
        try:
            self.context = make_server_context(files)
            self.pair = self._read_pair()
            self._signature = self._read_signature()
        except OSError as problem:
            raise PoolError(
                "certificate_unusable",
                f"{files.cert}, {files.key}: {problem}",
                values={
                    "cert": str(files.cert),
                    "key": str(files.key),
                    "problem": problem.strerror or str(problem),
                },
            ) from problem

    def refresh(self) -> bool:
        """Reads the files again if they have changed; returns whether a new pair is in use."""
        try:
            signature = self._read_signature()
            if signature == self._signature:
                return False
            self._signature = signature
            make_server_context(self.files)  # a pair that does not match raises here
            pair = self._read_pair()
            load_chain(self.context, self.files)
        except OSError as problem:
            self._log.warning("tls.not_reloaded", cert=str(self.files.cert), problem=str(problem))
            return False
        self.pair = pair
        self._log.info("tls.reloaded", cert=str(self.files.cert))
        return True

    @property
    def ends_at(self) -> float:
        """When the certificate in use expires, seconds since the epoch."""
        return _find_end(self.pair[1])

    def _read_pair(self) -> tuple[bytes, bytes]:
        return self.files.key.read_bytes(), self.files.cert.read_bytes()

    def _read_signature(self) -> tuple[FileSignature, FileSignature]:
        return file_signature(self.files.cert), file_signature(self.files.key)


class ServerCertificates:
    """The certificates of one process: that of HTTP and that of gRPC; None for plain text.

    Raises:
        PoolError: ``certificate_unusable``, or see ``ensure_files``.
    """

    def __init__(self, state: Path, http: HttpConfig, tls: TlsConfig) -> None:
        files = find_tls_files(state, **structs.asdict(tls))
        self.grpc = LiveCertificate(files) if files else None
        self.http = self.grpc
        if http.plain:
            self.http = None
        elif http.cert_file:
            self.http = LiveCertificate(TlsFiles(Path(), Path(http.cert_file), Path(http.key_file)))
        self.ca_pem = files.read_ca() if files else ""
        self._task: asyncio.Task[None] | None = None

    def find_ends(self) -> dict[str, float]:
        """Returns when each certificate expires, seconds since the epoch, by its use."""
        used = {"http": self.http, "grpc": self.grpc}
        ends = {use: live.ends_at for use, live in used.items() if live is not None}
        return ends | ({"ca": _find_end(self.ca_pem.encode("ascii"))} if self.ca_pem else {})

    def watch(self) -> None:
        """Begins to look at the files; ``stop`` ends it."""
        self._task = asyncio.create_task(self._watch(), name="certificates")

    async def stop(self) -> None:
        """Ends the watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        live = {id(each): each for each in (self.http, self.grpc) if each is not None}
        while live:
            await asyncio.sleep(WATCH_S)
            for certificate in live.values():
                certificate.refresh()


def _find_end(pem: bytes) -> float:
    """Returns when a chain's first certificate expires, seconds since the epoch."""
    return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc.timestamp()


def file_signature(path: Path) -> FileSignature:
    """Returns what changes whenever a file is replaced.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size
