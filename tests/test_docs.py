"""The documents for people, held against the code: codes, commands, keys, settings, links, examples."""

import inspect
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from sts import settings
from sts.cli.main import main
from sts.core import errors
from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.errors import StsError
from sts.core.exchange import TokenDescriptor
from sts.core.model import Claim, KeyType
from sts.core.p_sha1 import p_sha1
from sts.crypto.certificates import Purpose, generate
from sts.crypto.signer import SoftwareSigner
from sts.operations.configuration.document import plain, read_document
from sts.operations.configuration.faults import Faults
from sts.operations.configuration.schema import SCHEMA
from sts.protocols.refusals import refusal
from sts.protocols.wstrust import errors as trust_errors
from sts.protocols.wstrust.faults import fault
from sts.tokens import saml20, swt
from sts.web.doors import DOORS
from sts.web.metadata_thread import MetadataMetrics
from sts.web.metrics import Metrics
from sts.web.rollover_thread import RolloverMetrics
from sts.web.rotation_thread import RotationMetrics

PAGES_BY_KIND = ("sign-in", "documents", "enrolment", "operators")  # the addresses that are no token door
ROOT = Path(__file__).resolve().parent.parent
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *(
        page
        for folder in ("docs", "deploy", "keys", "metadata", "benchmarks")
        for page in (ROOT / folder).rglob("*.md")
    ),
]
OPERATORS = (ROOT / "docs/operators.md").read_text(encoding="utf-8")
INTEGRATORS = (ROOT / "docs/integrators.md").read_text(encoding="utf-8")
WSTRUST = (ROOT / "docs/wstrust.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
CAUSES = [cause for _, cause in inspect.getmembers(errors, inspect.isclass) if issubclass(cause, StsError)]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\S+/)?sts [^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
DOOR_ROW = re.compile(r"^\| ACS\d+ \| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PROGRAM = re.compile(r"(?:\S*/)?sts")


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it."""

    page: str
    line: str
    is_whole: bool  # from a block to paste, not from a sentence

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [body for found, body in FENCE.findall(text) if found == language]


def shown_commands() -> Iterator[Shown]:
    """Every `sts ...` command of the guides."""
    for page in GUIDES:
        text = page.read_text(encoding="utf-8")
        for block in blocks(text, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                yield from (Shown(page.name, command, True) for command in commands_of(line))
        for command in INLINE.findall(FENCE.sub("", text)):
            yield Shown(page.name, command, False)


def commands_of(line: str) -> Iterator[str]:
    """The `sts` commands of one line of a shell, without variables before and redirections after them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set("|&;<>"):
            while words and "=" in words[0] and not words[0].startswith("-"):
                words.pop(0)
            if words and PROGRAM.fullmatch(words[0]):
                yield shlex.join(["sts", *words[1:]])
            words = []
        else:
            words.append(word)


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The click command that the words name, and the words that are left for it."""
    found: click.Command = main
    context = click.Context(found)
    while isinstance(found, click.Group) and words and not words[0].startswith(("-", ".")):
        inner = found.get_command(context, words[0])
        assert inner is not None, f"`{found.name}` has no command `{words[0]}`"
        found, words = inner, words[1:]
    return found, words


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def schema_keys(schema: Any) -> Iterator[str]:
    """Every key that a configuration file may have."""
    if isinstance(schema, dict):
        for name, inner in (schema.get("properties") or {}).items():
            yield name
            yield from schema_keys(inner)
        yield from schema_keys(schema.get("items"))


def snippets() -> dict[str, Any]:
    """What the Python of the integrators' guide defines; the one that fetches keys as it loads is left out."""
    names: dict[str, Any] = {}
    for block in blocks(INTEGRATORS, "python"):
        if "PyJWKClient" not in block:
            exec(compile(block, "docs/integrators.md", "exec"), names)
    return names


def descriptor(now: datetime, audience: str) -> TokenDescriptor:
    """A token for the worker."""
    issuer = "https://sts.example/contoso/"
    said = ((NAME_IDENTIFIER, "worker"), (ROLE, "approver"), (IDENTITY_PROVIDER, issuer))
    return TokenDescriptor(
        id="0" * 32,
        issuer=issuer,
        audience=audience,
        issued_at=now,
        not_before=now.replace(microsecond=0),
        expires_at=now.replace(microsecond=0) + timedelta(minutes=10),
        claims=tuple(Claim(claim_type, value, "LOCAL AUTHORITY") for claim_type, value in said),
        authenticated_at=now,
    )


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_every_cause_is_in_the_catalogue_with_its_code(cause: type[StsError]) -> None:
    assert f"`{cause.__name__}`" in ERRORS
    assert cause.code in ERRORS


def test_every_code_of_the_catalogue_is_one_of_ours() -> None:
    assert set(re.findall(r"ACS\d+", ERRORS)) == {cause.code for cause in CAUSES}


@pytest.mark.parametrize("row", DOOR_ROW.findall(ERRORS), ids=lambda row: row[0])
def test_the_catalogue_says_what_the_doors_answer(row: tuple[str, str, str, str]) -> None:
    name, *cells = row
    cause: type[StsError] = getattr(errors, name)
    assert f"| {cause.code} | `{name}` |" in ERRORS
    known = refusal(cause.__new__(cause))
    answers = (
        f"{known.status}",
        f"{known.status} `{known.acs_error}`",
        f"{known.rfc6749_status} `{known.rfc6749_error}`",
    )
    assert [cell for cell, answer in zip(cells, answers, strict=True) if cell not in (answer, "-")] == []


@pytest.mark.parametrize("shown", [*shown_commands()], ids=str)
def test_every_command_shown_exists_with_its_options(shown: Shown) -> None:
    words = shlex.split(shown.line)[1:]
    command, rest = command_of(words)
    options = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help", "--version"}
    assert [word for word in rest if word.startswith("--") and word not in options] == []
    if shown.is_whole:
        command.make_context(command.name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            headings = HEADING.findall(FENCE.sub("", file.read_text(encoding="utf-8")))
            assert anchor in {slug(heading) for heading in headings}, target


@pytest.mark.parametrize("key", sorted(set(schema_keys(SCHEMA))))
def test_every_key_of_a_configuration_file_is_explained(key: str) -> None:
    assert re.search(rf"`(?:rules\[\]\.)?{re.escape(key)}`", OPERATORS)


def test_every_setting_is_explained() -> None:
    used = set(re.findall(r"\bSTS_[A-Z_]+\b", inspect.getsource(settings)))
    assert used - set(re.findall(r"`(STS_[A-Z_]+)`", OPERATORS)) == set()


def served_metrics() -> set[str]:
    """The name of every metric, as Prometheus reads it."""
    metrics = Metrics()
    RolloverMetrics(metrics.registry)
    RotationMetrics(metrics.registry)
    MetadataMetrics(metrics.registry)
    return {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.registry.collect()
    }


def test_every_metric_that_is_served_is_in_the_guide_and_no_other() -> None:
    shown = set(re.findall(r"^\| `(sts_[a-z_]+)` \|", OPERATORS, re.MULTILINE))
    assert shown == served_metrics()


def test_every_door_of_the_metrics_is_in_the_guide() -> None:
    (row,) = re.findall(r"^\| `sts_requests_total` \|.*`door` \(([^)]*)\)", OPERATORS, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", row)) == {*(door.name for door in DOORS.values()), *PAGES_BY_KIND}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_configuration_shown_has_the_shape_of_one(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "yaml"):
        node = read_document(block.encode(), Faults())
        assert node is not None
        jsonschema.validate(plain(node), SCHEMA)


@pytest.mark.parametrize("block", [block for page in GUIDES for block in blocks(page.read_text("utf-8"), "json")])
def test_every_json_shown_is_json(block: str) -> None:
    assert [json.loads(line) for line in block.splitlines()]


def test_every_fault_of_ws_trust_is_in_its_table_and_no_other() -> None:
    causes = {*CAUSES, *(cause for _, cause in inspect.getmembers(trust_errors, inspect.isclass))}
    found = {fault(cause.__new__(cause)) for cause in causes if issubclass(cause, StsError)}
    shown = re.findall(r"^\| (\w+) \| `(\w+):(\w+)` \|", WSTRUST, re.MULTILINE)
    assert sorted(shown) == sorted((one.code.value, one.space.value, one.name) for one in found)


def test_the_proof_key_of_the_guide_is_ours() -> None:
    names: dict[str, Any] = {}
    (block,) = [block for block in blocks(WSTRUST, "python") if "def p_sha1" in block]
    exec(compile(block, "docs/wstrust.md", "exec"), names)
    for size in (16, 20, 32, 64):
        assert names["p_sha1"](b"client", b"service", size) == p_sha1(b"client", b"service", size)


def test_the_swt_of_the_guide_verifies_ours_and_no_other() -> None:
    verify, key, now = snippets()["verify_swt"], bytes(range(32)), datetime.now(UTC)
    audience = "https://queue.example/"
    token = swt.write(descriptor(now, audience), SoftwareSigner.from_symmetric(key, "key")).decode()
    issuer = "https://sts.example/contoso/"
    assert verify(token, key, issuer, audience)[ROLE] == "approver"
    for changed in (token.replace("approver", "reader"), token.partition("&HMACSHA256")[0]):
        with pytest.raises(ValueError, match="not signed"):
            verify(changed, key, issuer, audience)
    with pytest.raises(ValueError, match="another"):
        verify(token, key, issuer, "https://other.example/")


def test_the_assertion_of_the_guide_is_read_by_us() -> None:
    now = datetime.now(UTC)
    seen = swt.view(snippets()["self_issued"]("worker", bytes(32), "https://sts.example/contoso/").encode())
    assert (seen.issuer, seen.audience) == ("worker", "https://sts.example/contoso/")
    assert seen.expires_at is not None
    assert timedelta() < seen.expires_at - now <= timedelta(minutes=5)


def test_the_saml_of_the_guide_verifies_ours_and_no_other() -> None:
    guide, now, audience = snippets(), datetime.now(UTC), "https://portal.example/"
    key, der = generate("CN=ours", KeyType.RSA2048, now, now + timedelta(days=1), Purpose.SIGNING)
    token = saml20.write(descriptor(now, audience), SoftwareSigner.from_private_key(key, der))
    trusted, issuer = guide["signing_certificates"](metadata_of(token)), "https://sts.example/contoso/"
    assert guide["verify_saml20"](token, trusted, issuer, audience)[ROLE] == ["approver"]
    with pytest.raises(ValueError, match="no trusted certificate"):
        guide["verify_saml20"](token.replace(b"approver", b"reader"), trusted, issuer, audience)
    with pytest.raises(ValueError, match="another"):
        guide["verify_saml20"](token, trusted, issuer, "https://other.example/")


def metadata_of(token: bytes) -> bytes:
    """Metadata with the certificate of a token as its only one."""
    found = re.search(rb"<X509Certificate>([^<]+)</X509Certificate>", token)
    assert found is not None
    return (
        b'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
        b'<KeyDescriptor use="signing"><ds:X509Certificate>%b</ds:X509Certificate></KeyDescriptor></EntityDescriptor>'
        % found.group(1)
    )
