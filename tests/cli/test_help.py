"""Every command teaches: what it does, an example to copy, the same words for the same options."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sts.cli.main import main
from tests.cli.console import Console

WITHOUT_JSON = {"serve", "export", "schema"}  # they print no result, or a document


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = {" ".join(path): command for path, command in commands(main)}
VERBS = {name: command for name, command in ALL.items() if not isinstance(command, click.Group)}


@pytest.fixture
def nowhere(tmp_path: Path) -> Console:
    return Console(tmp_path / "nothing")


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example_and_needs_no_home_for_it(name: str, nowhere: Console) -> None:
    text = nowhere.ok(*name.split(), "--help")
    assert len(text.splitlines()) > 5
    (examples,) = re.findall(r"Examples:\n((?:  .+\n?)+)", text)
    assert f"sts {name}" in examples
    assert not nowhere.home.exists()


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_is_for(name: str) -> None:
    assert ALL[name].help
    options = [each for each in ALL[name].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", [name for name in VERBS if name not in WITHOUT_JSON])
def test_every_verb_has_json(name: str) -> None:
    assert "as_json" in [parameter.name for parameter in VERBS[name].params]


def test_the_command_line_is_the_one_of_the_design() -> None:
    states = ("list", "make-primary", "revoke", "delete", "generate", "import")
    assert set(VERBS) == {
        *("serve", "apply", "export", "schema"),
        *("namespace list", "namespace create", "namespace delete"),
        *(f"certificate {verb}" for verb in (*states, "download")),
        *(f"key {verb}" for verb in (*states, "export")),
        *(f"ca-certificate {verb}" for verb in ("list", "generate", "make-primary", "revoke", "delete")),
        *(f"ca-certificate {verb}" for verb in ("download", "download-chain", "download-proof")),
        *(f"trusted-ca {verb}" for verb in ("list", "add", "verification-code", "verify", "replace", "remove")),
        *(
            "metadata show",
            "metadata export",
            "metadata import",
            "metadata list",
            "token inspect",
            "audit list",
            "audit verify",
        ),
        *(f"rollover {verb}" for verb in ("status", "plan", "run", "simulate", "resume", "accept-restore")),
        *(f"master-key {verb}" for verb in ("status", "prepare", "rotate", "discard-previous")),
    }


def test_the_version_is_told(nowhere: Console) -> None:
    assert re.fullmatch(r"sts [0-9]+\.[0-9]+\.[0-9]+\n", nowhere.ok("--version"))


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "certificate nonsense",
        "certificate list",
        "certificate make-primary --namespace contoso",
        "certificate make-primary --namespace contoso --index 1 --thumbprint " + "0" * 40,
        "certificate make-primary --namespace contoso --index 0",
        "certificate make-primary --namespace contoso --index x",
        "certificate make-primary --namespace contoso --thumbprint xyz",
        "certificate make-primary --namespace contoso --index 1 --at tomorrow",
        "certificate make-primary --namespace contoso --index 1 --at 2026-01-01",
        "certificate make-primary --namespace contoso --index 1 --at 2026-01-01T00:00:00",
        "certificate generate --namespace contoso --use tenant-ca",
        "certificate generate --namespace contoso --key-type rsa1024",
        "certificate generate --namespace contoso --lifetime 2",
        "certificate revoke --namespace contoso",
        "certificate delete --namespace contoso",
        "certificate download --namespace contoso",
        "ca-certificate list",
        "ca-certificate list --namespace contoso --root",
        "ca-certificate generate --lifetime 1y",
        "ca-certificate generate --namespace contoso --key-type rsa1024",
        "ca-certificate revoke --namespace contoso",
        "ca-certificate delete --namespace contoso --index 1 --thumbprint " + "0" * 40,
        "ca-certificate make-primary --namespace contoso --index 1 --at tomorrow",
        "key list --namespace contoso --use decryption",
        "key import orders.key --namespace contoso",
        "key import orders.key --namespace contoso --not-before 2026-01-01T00:00:00Z",
        "key export --namespace contoso",
        "key export --namespace contoso --show --destination key",
        "apply",
        "namespace create",
        "audit list --limit 0",
        "rollover plan --namespace contoso",
        "rollover plan --until 2020-01-01T00:00:00Z",
        "rollover simulate --for 10",
        "rollover simulate --for 100y --from 9950-01-01T00:00:00Z",
        "rollover resume --ring root-ca",
        "serve --port 65536",
        "serve --tls-key key.pem",
    ],
)
def test_wrong_usage_ends_with_2_and_touches_nothing(line: str, nowhere: Console) -> None:
    result = nowhere.run(*line.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert not nowhere.home.exists()
