"""Real web servers from Debian's packages, on loopback, each between the client and a receiver.

Every server forwards requests, and refuses a body at ``/small`` before it has read it. Its idle connections
live 100 ms, or 1 s if it can be told no less.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.wire.peers import LONG_MS

TLS_LINE = "TLS_LINE"


@dataclass(frozen=True)
class Server:
    """How to start one. The configuration is a template over HERE, PORT, BACKEND and CERT."""

    name: str
    package: str
    command: tuple[str, ...]
    config: str
    tls: tuple[str, str]
    """What stands at TLS_LINE without TLS, and with it."""
    reload_signal: signal.Signals | None = None
    reload_command: tuple[str, ...] = ()
    early_status: int = 413
    idle_limit_s: tuple[float, float] = (0.095, 0.105)
    """Between these it closes an idle connection."""

    def binary(self) -> str | None:
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        return shutil.which(self.command[0], path=path)


@dataclass
class Running:
    """A started server."""

    server: Server
    scheme: str
    port: int
    here: Path
    process: asyncio.subprocess.Process

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    async def reload(self) -> None:
        """Have it read its configuration again, as an operator would."""
        if self.server.reload_signal is not None:
            self.process.send_signal(self.server.reload_signal)
        else:
            command = [word.replace("HERE", str(self.here)) for word in self.server.reload_command]
            reload = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
            assert await reload.wait() == 0


NGINX = Server(
    "nginx",
    "nginx",
    ("nginx", "-p", "HERE", "-c", "HERE/server.conf", "-g", "daemon off;"),
    """
user root; # its workers write to HERE
error_log HERE/error.log;
pid HERE/nginx.pid;
worker_processes 2;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path HERE/body; proxy_temp_path HERE/proxy; fastcgi_temp_path HERE/fastcgi;
  uwsgi_temp_path HERE/uwsgi; scgi_temp_path HERE/scgi;
  keepalive_timeout 100ms;
  client_max_body_size 2m;
  limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
  limit_req_status 429;
  server {
    listen 127.0.0.1:PORTTLS_LINE
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 128k;
    location / { proxy_pass http://127.0.0.1:BACKEND; }
    location /small { client_max_body_size 1k; proxy_pass http://127.0.0.1:BACKEND; }
    location /limited {
      limit_req zone=one;
      add_header Retry-After 7 always;
      proxy_pass http://127.0.0.1:BACKEND;
    }
  }
}
""",
    (";", " ssl; ssl_certificate CERT; ssl_certificate_key CERT;"),
    reload_signal=signal.SIGHUP,
)

HAPROXY = Server(
    "haproxy",
    "haproxy",
    ("haproxy", "-W", "-S", "HERE/master.sock", "-f", "HERE/server.conf"),
    """
global
  tune.bufsize 65536
  stats socket HERE/admin.sock expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  timeout http-keep-alive 100ms
frontend front
  bind 127.0.0.1:PORTTLS_LINE
  http-request return status 429 hdr Retry-After 7 if { path /small }
  default_backend receivers
backend receivers
  server one 127.0.0.1:BACKEND
""",
    ("", " ssl crt CERT"),
    reload_signal=signal.SIGUSR2,
    early_status=429,
)

APACHE = Server(
    "apache",
    "apache2",
    ("apache2", "-D", "FOREGROUND", "-f", "HERE/server.conf"),
    "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in ("mpm_event", "authz_core", "alias", "proxy", "proxy_http", "ssl")
    )
    + """
ServerRoot HERE
ServerName localhost
User www-data
Group www-data
PidFile HERE/httpd.pid
ErrorLog HERE/error.log
Mutex file:HERE default
Listen 127.0.0.1:PORT
KeepAliveTimeout 100ms
TLS_LINE
ProxyPass /small !
Redirect 413 /small
ProxyPass / http://127.0.0.1:BACKEND/ enablereuse=off responsefieldsize=65536
""",
    ("", "SSLEngine on\nSSLCertificateFile CERT"),
    reload_signal=signal.SIGUSR1,
)

LIGHTTPD = Server(
    "lighttpd",
    "lighttpd lighttpd-mod-openssl",
    ("lighttpd", "-D", "-f", "HERE/server.conf"),
    """
server.modules = ("mod_proxy", "mod_openssl")
server.document-root = "HERE"
server.errorlog = "HERE/error.log"
server.bind = "127.0.0.1"
server.port = PORT
server.max-keep-alive-idle = 1
server.graceful-shutdown-timeout = 5
TLS_LINE
proxy.server = ("" => (("host" => "127.0.0.1", "port" => "BACKEND")))
$HTTP["url"] =~ "^/small" { server.max-request-size = 1 }
""",
    ("", 'ssl.engine = "enable"\nssl.pemfile = "CERT"'),
    reload_signal=signal.SIGUSR1,
    idle_limit_s=(1.0, 2.0),  # it looks once a second
)

CADDY = Server(
    "caddy",
    "caddy",
    ("caddy", "run", "--adapter", "caddyfile", "--config", "HERE/server.conf"),
    """
{
  admin unix/HERE/admin.sock
  auto_https disable_redirects
  servers {
    timeouts {
      idle 100ms
    }
  }
}
TLS_LINE
  respond /small 413
  reverse_proxy 127.0.0.1:BACKEND
}
""",
    ("http://127.0.0.1:PORT {", "https://127.0.0.1:PORT {\n  tls CERT CERT"),
    reload_command=("caddy", "reload", "--force", "--adapter", "caddyfile", "--config", "HERE/server.conf"),
)

SERVERS = [NGINX, HAPROXY, APACHE, LIGHTTPD, CADDY]


@contextlib.asynccontextmanager
async def running(
    server: Server, here: Path, backend: int, cert: trustme.LeafCert | None
) -> AsyncIterator[Running]:
    """Start a server in front of the receiver at port ``backend``, with TLS if there is a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    if cert is not None:
        cert.private_key_and_cert_chain_pem.write_to_path(str(here / "cert.pem"))
    values = {
        TLS_LINE: server.tls[cert is not None],
        "HERE": str(here),
        "PORT": str(port),
        "BACKEND": str(backend),
        "CERT": str(here / "cert.pem"),
    }
    (here / "server.conf").write_text(_filled(server.config, values))
    binary = server.binary()
    assert binary is not None
    arguments = [word.replace("HERE", str(here)) for word in server.command[1:]]
    with (here / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, *arguments, stdout=output, stderr=output, env={**os.environ, "HOME": str(here)}
        )
    try:
        await _until_listening(port, process, here)
        yield Running(server, "http" if cert is None else "https", port, here, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(name, value)
    return template


async def _until_listening(port: int, process: asyncio.subprocess.Process, here: Path) -> None:
    async with asyncio.timeout(LONG_MS / 1_000):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
    raise AssertionError((here / "output.log").read_text("utf-8", "replace"))
