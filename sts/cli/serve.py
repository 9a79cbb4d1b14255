"""`sts serve`: runs the service under granian."""

import os
import socket
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import urlsplit

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.log import LogLevels

from sts.assemble import open_installation, utc_now
from sts.cli.opening import operator
from sts.cli.options import examples
from sts.cli.output import warn
from sts.core.errors import OperatorError, StoreUnavailable
from sts.operations.power_failure import SERVED_AS, end, new_instance
from sts.settings import Settings, is_loopback
from sts.store.database import Database

STOP_LIMIT: Final = 5  # seconds for the requests under way when the service is told to end
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000
_APPLICATION: Final = "sts.web.wsgi:application"
_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # where the workers' counters meet; read as they start
_LOG_STREAM: Final = {"formatter": "generic", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
_LOG: Final[dict[str, Any]] = {"handlers": {"console": _LOG_STREAM, "access": _LOG_STREAM}}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the service listens."""

    host: str
    port: int
    certificate: Path | None = None  # PEM, the chain too
    key: Path | None = None  # PEM

    @property
    def default_threads(self) -> int:
        """One thread a worker is the fastest; without a proxy in front, slow clients must not stop the others."""
        return 1 if self.certificate is None else 16

    @property
    def url(self) -> str:
        """The address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}"


class _Listening(TypedDict):
    host: str | None
    port: int | None
    tls_certificate: str | None
    tls_key: str | None


@click.command(
    epilog=examples(
        "sts serve",
        "STS_BASE_URL=https://sts.example sts serve --host 0.0.0.0 --port 443 "
        "--tls-certificate sts.pem --tls-key sts.key",
    )
)
@click.option("--host", metavar="ADDRESS", help="Where to listen; by default the loopback host of STS_BASE_URL.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="By default that of STS_BASE_URL, or 8000.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="Processes; by default one for each core.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    help="For each worker; by default 1, and 16 with --tls-certificate, where no proxy holds back slow clients.",
)
@click.option("--tls-certificate", metavar="FILE", help="PEM: the server's certificate and its chain.")
@click.option("--tls-key", metavar="FILE", help="PEM: the private key of it.")
def serve(workers: int | None, threads: int | None, **given: Unpack[_Listening]) -> None:
    """Run the service until Ctrl-C or SIGTERM; requests under way are answered first.

    Behind a proxy that ends TLS, name the proxy in STS_TRUSTED_PROXIES. A client that sends half a request holds a
    thread until it hangs up: let strangers in through a proxy that buffers requests.

    Settings are environment variables: STS_HOME, STS_BASE_URL, STS_DATABASE_URL, STS_MASTER_KEY_FILE, STS_MARK_FILE,
    STS_TRUSTED_PROXIES, STS_CLIENT_CERTIFICATE_HEADER, STS_EXTRA_ROOTS, STS_START_PAGE, STS_WORKERS, STS_LOG_FORMAT,
    STS_METADATA_MAX_AGE, STS_ROLLOVER_LIFETIME, STS_ROLLOVER_LEAD, STS_ROLLOVER_TURN, STS_ROLLOVER_KEY_TYPE,
    STS_ROLLOVER_AUTOMATIC.
    """
    if (given["tls_certificate"] is None) != (given["tls_key"] is None):
        raise click.UsageError("--tls-certificate and --tls-key belong together")
    settings = Settings.from_environ(os.environ)
    _prepare(settings)
    endpoint = _endpoint(settings, given)
    server = _server(endpoint, workers or settings.workers, threads or endpoint.default_threads)
    if settings.is_plain_http:
        warn((f"{settings.base_url} is plain http: passwords and tokens cross it in the clear, for this machine only",))
    click.echo(f"listening at {endpoint.url}; Ctrl-C ends it", err=True)
    with TemporaryDirectory(prefix="sts-metrics-") as folder:
        os.environ.setdefault(_METRICS_FOLDER, folder)
        _serve(server, settings)


def _serve(server: Any, settings: Settings) -> None:
    """Serve to the end; only if no worker is left, whatever ended them, is it an end in order (ADR 16)."""
    os.environ[SERVED_AS] = instance = new_instance()
    _schedule_as_batch()
    try:
        server.serve()
    except SystemExit:
        if not server.interrupt_signal:  # otherwise a worker that was told to end while it started, which is no fault
            raise
    finally:
        if _is_childless():
            _end(settings, instance)


def _schedule_as_batch() -> None:
    """Have the threads of the workers, which inherit it, not interrupt each other (ADR 22); elsewhere it costs more."""
    if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with suppress(PermissionError):  # where the system lets nobody choose
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _is_childless() -> bool:
    """Whether all processes that this one started have ended, in the words of the system."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return True
    return False


def _end(settings: Settings, instance: str) -> None:
    database = Database(settings.database_url)
    try:
        end(database, instance)
    except StoreUnavailable as error:
        warn((f"it cannot be noted that the service ended in order, which a reboot will take for a crash: {error}",))
    finally:
        database.close()


def _endpoint(settings: Settings, given: _Listening) -> Endpoint:
    default = default_endpoint(settings.base_url)
    certificate, key = given["tls_certificate"], given["tls_key"]
    files = (Path(certificate), Path(key)) if certificate and key else (None, None)
    return Endpoint(given["host"] or default.host, given["port"] or default.port, *files)


def default_endpoint(base_url: str) -> Endpoint:
    """Where to listen unless somebody says otherwise: at the base URL if that is this machine."""
    parts = urlsplit(base_url)
    if parts.hostname is None or not is_loopback(parts.hostname):
        return Endpoint(DEFAULT_HOST, DEFAULT_PORT)
    return Endpoint(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


def _prepare(settings: Settings) -> None:
    """Migrate and check here, so that a fault stops the start with one sentence instead of one from each worker."""
    open_installation(settings, operator(), utc_now()).database.close()


def _server(endpoint: Endpoint, workers: int, threads: int) -> Any:
    try:
        return Granian(
            target=_APPLICATION,
            address=_free_address(endpoint),
            port=endpoint.port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=threads,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            log_dictconfig=_LOG,
            ssl_cert=endpoint.certificate,
            ssl_key=endpoint.key,
            ssl_protocol_min=SSLProtocols.tls12,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_LIMIT,
        )
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"the TLS certificate or its key cannot be used: {error.strerror or error}") from error


def _free_address(endpoint: Endpoint) -> str:
    """The address of the host's name, once it is known that nothing else listens there; raises OperatorError.

    The server itself would share the port with another server and get every other request.
    """
    try:
        family, *_, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise OperatorError(
            f"{endpoint.url} is not free to listen at: {error.strerror}; another one: --host, --port"
        ) from error
    return str(address[0])
