"""Settings from the environment: read once, checked as a whole, frozen."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from sts.core.errors import InvalidConfiguration
from sts.core.model import KeyType, RingPolicy
from sts.core.ring_defaults import MAX_AGE, PolicyText, RingDefaults, completed, faults_of
from sts.core.rollover import DEFAULT_POLICIES, RingName
from sts.core.spans import parse_span

Network = IPv4Network | IPv6Network
Value = TypeVar("Value")

_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)  # see ADR 9
_TRUTHS: Final = {"true": True, "false": False}
_SPANS: Final = {
    "lifetime": "STS_ROLLOVER_LIFETIME",
    "lead": "STS_ROLLOVER_LEAD",
    "turn": "STS_ROLLOVER_TURN",
}
_LONGEST_MAX_AGE: Final = timedelta(days=7)
_TAKEN_HEADERS: Final = frozenset(
    {"authorization", "content-length", "content-type", "cookie", "host", "x-forwarded-for", "x-forwarded-proto"}
)


class LogFormat(StrEnum):
    """How log records look."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs from one installation to another (design, section 6)."""

    home: Path
    base_url: str  # without trailing slash
    database_url: str
    master_key_file: Path
    mark_file: Path | None = None  # the mark of the newest change; None: beside the master key
    trusted_proxies: tuple[Network, ...] = ()
    extra_roots: Path | None = None
    workers: int = 1
    log_format: LogFormat = LogFormat.JSON
    client_certificate_header: str | None = None  # None: certificates of clients are not read
    start_page: Path | None = None  # HTML; None: a sentence of our own
    ring_defaults: RingDefaults = field(default_factory=RingDefaults)
    boot_id_file: Path = Path("/proc/sys/kernel/random/boot_id")  # Linux writes it, another one each time it starts

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the `STS_...` variables; raises InvalidConfiguration that lists every fault."""
        reading = _Reading(environ)
        home = Path(environ.get("STS_HOME") or ".").expanduser().resolve()
        settings = cls(
            home=home,
            base_url=reading.base_url(),
            database_url=_database_url(environ.get("STS_DATABASE_URL") or "sqlite:///sts.db", home),
            master_key_file=home / (environ.get("STS_MASTER_KEY_FILE") or "keys/master.key"),
            mark_file=reading.mark_file(home),
            trusted_proxies=reading.networks(),
            extra_roots=reading.extra_roots(home),
            workers=reading.workers(),
            log_format=reading.log_format(),
            client_certificate_header=reading.client_certificate_header(),
            start_page=reading.start_page(home),
            ring_defaults=reading.ring_defaults(),
        )
        if reading.faults:
            raise InvalidConfiguration(reading.faults)
        return settings

    @property
    def is_plain_http(self) -> bool:
        """Whether the base URL is http, which only loopback may be."""
        return self.base_url.startswith("http://")


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address of a URL is this machine."""
    if host is None:
        return False
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _database_url(url: str, home: Path) -> str:
    """SQLite paths are relative to the home folder."""
    scheme, separator, path = url.partition(":///")
    if scheme.split("+")[0] != "sqlite" or not separator or path.startswith("/") or path in ("", ":memory:"):
        return url
    return f"{scheme}:///{home / path}"


class _Reading:
    """One pass over the environment that collects faults instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def base_url(self) -> str:
        text = (self.environ.get("STS_BASE_URL") or "http://127.0.0.1:8000").rstrip("/")
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
            self.faults.append(f"STS_BASE_URL: {text!r} is not an address such as https://sts.example")
        elif parts.scheme == "http" and not is_loopback(parts.hostname):
            self.faults.append(
                f"STS_BASE_URL: {text!r} is plain http, which is allowed for a loopback address only; use https"
            )
        elif parts.path:
            self.faults.append(f"STS_BASE_URL: {text!r} has a path; the service wants a host of its own")
        return text

    def networks(self) -> tuple[Network, ...]:
        found: list[Network] = []
        for text in (self.environ.get("STS_TRUSTED_PROXIES") or "").replace(",", " ").split():
            try:
                found.append(ip_network(text))
            except ValueError as error:
                self.faults.append(f"STS_TRUSTED_PROXIES: {text!r} is not an address or network: {error}")
        return tuple(found)

    def mark_file(self, home: Path) -> Path | None:
        text = self.environ.get("STS_MARK_FILE")
        if not text:
            return None
        if not (home / text).parent.is_dir() or (home / text).is_dir():
            self.faults.append(f"STS_MARK_FILE: {text!r} is not the name of a file in a folder that is there")
        return home / text

    def extra_roots(self, home: Path) -> Path | None:
        text = self.environ.get("STS_EXTRA_ROOTS")
        if not text:
            return None
        if not (home / text).is_file():
            self.faults.append(f"STS_EXTRA_ROOTS: there is no file {text!r}; it is a PEM file of private roots")
        return home / text

    def start_page(self, home: Path) -> Path | None:
        text = self.environ.get("STS_START_PAGE")
        if not text:
            return None
        if not (home / text).is_file():
            self.faults.append(f"STS_START_PAGE: there is no file {text!r}; it is the HTML of the page at the root")
        return home / text

    def workers(self) -> int:
        text = self.environ.get("STS_WORKERS") or str(os.cpu_count() or 1)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
            self.faults.append(f"STS_WORKERS: {text!r} is not a number from 1 to 256")
            return 1
        return int(text)

    def log_format(self) -> LogFormat:
        text = self.environ.get("STS_LOG_FORMAT") or LogFormat.JSON
        if text not in tuple(LogFormat):
            self.faults.append(f"STS_LOG_FORMAT: {text!r} is not one of {', '.join(LogFormat)}")
            return LogFormat.JSON
        return LogFormat(text)

    def client_certificate_header(self) -> str | None:
        name = self.environ.get("STS_CLIENT_CERTIFICATE_HEADER")
        if not name:
            return None
        if _HEADER_NAME.fullmatch(name) is None or name.lower() in _TAKEN_HEADERS:
            self.faults.append(
                f"STS_CLIENT_CERTIFICATE_HEADER: {name!r} is not the name of a header for certificates, such as "
                "ClientCert: letters and digits only, for with a dash in it a caller's own Client_Cert, which a proxy "
                "may pass, could not be told from the proxy's Client-Cert"
            )
        elif not self.environ.get("STS_TRUSTED_PROXIES"):
            self.faults.append(
                "STS_CLIENT_CERTIFICATE_HEADER: only a proxy may say who its client is; name it in STS_TRUSTED_PROXIES"
            )
        return name

    def ring_defaults(self) -> RingDefaults:
        """The policies of rings that a configuration file does not speak of; the lifetime is that of certificates."""
        max_age = self._span("STS_METADATA_MAX_AGE") or MAX_AGE
        if max_age > _LONGEST_MAX_AGE:
            self.faults.append("STS_METADATA_MAX_AGE: what is published is kept for 7d at most")
        written = PolicyText(
            **{part: self._span(name) for part, name in _SPANS.items()},
            key_type=self._choice("STS_ROLLOVER_KEY_TYPE", {each.value: each for each in KeyType}),
            automatic=self._choice("STS_ROLLOVER_AUTOMATIC", _TRUTHS),
        )
        policies = {name: completed(_for_ring(written, name), DEFAULT_POLICIES[name]) for name in RingName}
        self._check(policies, max_age)
        return RingDefaults(policies, max_age)

    def _check(self, policies: Mapping[RingName, RingPolicy], max_age: timedelta) -> None:
        """Note each fault once, whichever rings have it."""
        for policy in policies.values():
            for part, sentence in faults_of(policy, max_age):
                fault = f"{_SPANS[part]}: {sentence}"
                if fault not in self.faults:
                    self.faults.append(fault)

    def _span(self, name: str) -> timedelta | None:
        text = self.environ.get(name)
        try:
            return parse_span(text) if text else None
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return None

    def _choice(self, name: str, values: Mapping[str, Value]) -> Value | None:
        text = self.environ.get(name)
        if text and text not in values:
            self.faults.append(f"{name}: {text!r} is not one of {', '.join(values)}")
        return values.get(text) if text else None


def _for_ring(written: PolicyText, name: RingName) -> PolicyText:
    """What of it goes for a ring: keys keep their lifetime and stay manual, decryption keeps to RSA."""
    if name is RingName.SIGNING_KEYS:
        return PolicyText(lead=written.lead, turn=written.turn)
    if name is RingName.DECRYPTION and written.key_type is not None and not written.key_type.startswith("rsa"):
        return replace(written, key_type=None)
    return written
