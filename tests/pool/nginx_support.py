"""nginx in front of a pool, with the lines that the reference gives to operators."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pool.support import HOST, wait_until

from entraide_scheduler.nats.tls import TlsFiles

CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    log_format upstream "$upstream_addr $request_uri $status";
    access_log {folder}/access.log upstream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    {upstream}
    server {{
        listen {host}:{port} ssl;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
{locations}
    }}
}}
"""
LOCATION = "    location / {"
UPSTREAM = "upstream gateways {"


def documented_block(start: str) -> str:
    """The block of the reference's nginx lines that starts so."""
    page = Path("docs/reference/pool.md").read_text("utf-8")
    blocks = "".join(part.partition("```")[0] for part in page.split("```nginx\n")[1:])
    indent = start[: len(start) - len(start.lstrip())]
    begin = blocks.index(start)
    end = f"\n{indent}}}"
    return blocks[begin : blocks.index(end, begin) + len(end)]


@contextmanager
def running_nginx(
    folder: Path, files: TlsFiles, *, port: int, gateways: tuple[int, ...]
) -> Iterator[Path]:
    """Runs nginx in front of gateways on loopback, and yields its access log.

    Args:
        folder: for its files.
        files: the public certificate.
        port: where it listens.
        gateways: ports of the gateways; the first one is the scheduler's.
    """
    location = documented_block(LOCATION).replace("8443", str(gateways[0]))
    upstream = ""
    if len(gateways) > 1:
        upstream = documented_block(UPSTREAM)
        for documented, actual in zip(("8443", "8451"), gateways, strict=True):
            upstream = upstream.replace(documented, str(actual))
        shared = location.replace(LOCATION, "    location /v1/ {")
        location += "\n" + shared.replace(f"{HOST}:{gateways[0]}", "gateways")
    path = folder / "nginx.conf"
    path.write_text(
        CONFIG.format(
            folder=folder, host=HOST, port=port, cert=files.cert, key=files.key,
            upstream=upstream, locations=location,
        )
    )  # fmt: skip
    command = ["nginx", "-c", str(path), "-p", str(folder), "-e", str(folder / "error.log")]
    nginx = subprocess.Popen(command)
    try:
        wait_until((folder / "nginx.pid").exists, "nginx")
        yield folder / "access.log"
    finally:
        os.kill(nginx.pid, signal.SIGTERM)
        nginx.wait(20)
