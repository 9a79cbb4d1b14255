"""`sts rollover`, typed: what is shown, what it exits with, and what it leaves alone."""

import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sts.operations.watch import MARK
from tests.cli.console import PROGRAM, Console
from tests.faults import Launcher

DAY = timedelta(days=1)
EVENT_KEYS = ["at", "ring", "event", "thumbprint", "not_before", "not_after"]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock that the commands read; sleeping sets it ahead."""
    clock = [datetime.now(UTC)]

    def sleep(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    def set_(now: datetime) -> None:
        clock[0] = now

    monkeypatch.setattr("sts.cli.rollover.utc_now", lambda: clock[0])
    monkeypatch.setattr("sts.cli.rollover.time.sleep", sleep)
    return set_


def certificates(console: Console) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.json("certificate", "list", "--namespace", "contoso", "--use", "signing")
    return found


def end(console: Console) -> datetime:
    """When the signing certificate ends."""
    return datetime.fromisoformat(certificates(console)[0]["not_after"])


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def hold(console: Console) -> None:
    """Make another certificate primary by hand."""
    console.ok("certificate", "generate", "--namespace", "contoso", "--key-type", "p256")
    console.ok("certificate", "make-primary", "--namespace", "contoso", "--index", "2")


def test_status_shows_every_ring_and_what_it_does_next(console: Console) -> None:
    lines = console.ok("rollover", "status").splitlines()
    assert lines[0].split() == ["NAMESPACE", "RING", "MODE", "PRIMARY", "VALID", "TO", "NEXT", "WHEN"]
    assert [line.split()[1:3] for line in lines[1:]] == [
        *(["signing", "automatic"], ["decryption", "automatic"], ["tenant-ca", "automatic"]),
        ["signing-keys", "manual"],
    ]
    assert lines[1].split()[-2:] == ["publish", text(end(console) - 90 * DAY)]


def test_status_as_json_tells_rings_warnings_and_whether_a_person_is_needed(console: Console) -> None:
    found = console.json("rollover", "status", "--namespace", "contoso")
    assert list(found) == ["rings", "warnings", "fault", "needs_person"]
    assert (found["warnings"], found["fault"], found["needs_person"]) == ([], None, False)
    assert [row["ring"] for row in found["rings"]] == ["signing", "decryption", "tenant-ca", "signing-keys"]
    assert found["rings"][0]["next_step_at"] == text(end(console) - 90 * DAY)


def test_a_held_ring_needs_a_person_until_it_is_resumed(console: Console) -> None:
    hold(console)
    result = console.run("rollover", "status")
    assert result.exit_code == 1
    assert "held since" in result.stdout
    assert "`sts rollover resume` lets it go on" in result.stderr
    shown = console.run("rollover", "status", "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["needs_person"]) == (1, True)
    assert console.run("rollover", "plan", "--until", text(end(console))).exit_code == 1
    assert console.ok("rollover", "resume", "--namespace", "contoso") == "contoso signing: goes on by itself\n"
    assert console.ok("rollover", "resume") == "no ring of contoso is held\n"
    console.ok("rollover", "status")


def test_one_ring_of_several_is_resumed(console: Console) -> None:
    hold(console)
    assert console.json("rollover", "resume", "--ring", "decryption") == []
    assert console.json("rollover", "resume", "--ring", "signing") == [{"namespace": "contoso", "ring": "signing"}]


def test_simulate_prints_exactly_the_events_as_json_in_order(console: Console) -> None:
    events = console.json("rollover", "simulate", "--namespace", "contoso", "--for", "3y")
    assert {tuple(event) for event in events} == {tuple(EVENT_KEYS)}
    assert {event["ring"] for event in events} == {"signing", "decryption", "tenant-ca"}
    assert {event["event"] for event in events} == {"published", "promoted", "retired", "expired", "destroyed"}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    for event in events:
        assert re.fullmatch(r"[0-9a-f]{40}", event["thumbprint"])
        for key in ("at", "not_before", "not_after"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event[key])


def test_simulate_shows_the_seeds_timeline_and_the_metadata_at_each_step(console: Console) -> None:
    lines = console.ok("rollover", "simulate", "--for", "3y").splitlines()
    over, (first,) = end(console), certificates(console)
    short = first["thumbprint"][:8]
    assert lines[1].startswith(f"metadata at first: signing {short}; decryption ")
    rows = [re.split(r"  +", line) for line in lines[3:]]
    published = next(row for row in rows if row[1:3] == ["signing", "published"])
    promoted = next(row for row in rows if row[1:3] == ["signing", "promoted"])
    assert (published[0], promoted[0]) == (text(over - 90 * DAY), text(over - 45 * DAY))
    new = published[3]
    assert f"{short}, {new}" in " ".join(lines)
    assert f"{new}, {short}" in " ".join(lines)


def test_simulate_starts_where_it_is_told_and_changes_nothing(console: Console) -> None:
    before = certificates(console)
    start = text(end(console) - 60 * DAY)
    events = console.json("rollover", "simulate", "--from", start, "--for", "1d")
    assert {(event["at"], event["event"]) for event in events} == {(start, "published")}
    assert certificates(console) == before
    assert console.json("rollover", "simulate", "--for", "1d") == []
    assert console.ok("rollover", "simulate", "--for", "1d").splitlines()[-1] == "nothing happens"


def test_simulate_says_from_when_a_person_is_needed(console: Console) -> None:
    result = console.run("rollover", "simulate", "--for", "11y")
    assert result.exit_code == 0
    assert re.search(r"from \S+ a person is needed: contoso signing-keys: .* has no successor", result.stderr)


def test_simulate_draws_the_picture(console: Console, tmp_path: Path) -> None:
    picture = tmp_path / "timeline.svg"
    result = console.run("rollover", "simulate", "--for", "6y", "--svg", picture, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)
    assert f"wrote the timeline to {picture}" in result.stderr
    root = ElementTree.fromstring(picture.read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "contoso: credentials from" in picture.read_text()


def test_plan_prints_what_will_happen_until_an_instant(console: Console) -> None:
    until = text(end(console) - 45 * DAY)
    found = console.json("rollover", "plan", "--namespace", "contoso", "--until", until)
    signing = [event for event in found if event["ring"] == "signing"]
    assert [(event["event"], event["at"]) for event in signing] == [
        *(("published", text(end(console) - 90 * DAY)), ("promoted", until), ("retired", until)),
    ]
    assert "signing" in console.ok("rollover", "plan", "--until", until)


def test_run_does_what_is_due_after_a_second_look(console: Console, set_clock: Callable[[datetime], None]) -> None:
    assert console.ok("rollover", "run") == "nothing is due\n"
    set_clock(end(console) - 90 * DAY)
    result = console.run("rollover", "run", "--json")
    assert result.exit_code == 0
    assert "a second look in 30 s" in result.stderr
    done = json.loads(result.stdout)["done"]
    assert [(each["ring"], each["step"], each["urgent"]) for each in done] == [
        *(("signing", "publish", False), ("decryption", "publish", False), ("tenant-ca", "publish", False)),
    ]
    assert [row["status"] for row in certificates(console)] == ["Active", "Inactive"]
    assert done[0]["thumbprint"] == certificates(console)[1]["thumbprint"]


def test_run_for_one_namespace_leaves_the_others_alone(console: Console, set_clock: Callable[[datetime], None]) -> None:
    console.ok("namespace", "create", "fabrikam")
    set_clock(end(console) - 80 * DAY)
    done = console.json("rollover", "run", "--namespace", "fabrikam")["done"]
    assert {each["namespace"] for each in done} == {"fabrikam"}
    assert len(certificates(console)) == 1


def test_a_run_that_comes_late_says_so(console: Console, set_clock: Callable[[datetime], None]) -> None:
    set_clock(end(console) + DAY)
    result = console.run("rollover", "run", "--namespace", "contoso")
    assert result.exit_code == 0
    assert "warning: contoso signing: publish" in result.stderr


def test_a_clock_that_is_behind_holds_every_step_until_it_is_accepted(
    console: Console, set_clock: Callable[[datetime], None]
) -> None:
    now = datetime.now(UTC)
    set_clock(now + 3650 * DAY)
    console.ok("rollover", "run")
    set_clock(now)
    result = console.run("rollover", "run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sts rollover accept-restore" in result.stderr
    assert console.run("rollover", "status").exit_code == 1
    assert console.ok("rollover", "accept-restore") == "accepted; rollover goes on\n"
    assert "rollover.accept-clock" in console.ok("audit", "list")
    assert console.run("rollover", "run").exit_code == 0


def test_a_restored_database_holds_every_step_until_it_is_accepted(console: Console) -> None:
    console.ok("rollover", "run")
    mark = console.home / "keys" / MARK
    number = int(mark.read_text().split()[0])
    mark.write_text(f"{number + 7} {'0' * 64}\n")
    result = console.run("rollover", "run", "--json")
    assert result.exit_code == 1
    assert "restored from a copy" in json.loads(result.stdout)["fault"]
    status = console.run("rollover", "status")
    assert (status.exit_code, "restored from a copy" in status.stderr) == (1, True)
    assert console.run("rollover", "plan", "--until", text(end(console))).exit_code == 1
    assert console.json("rollover", "accept-restore") == {"was_in_doubt": True}
    assert console.json("rollover", "accept-restore") == {"was_in_doubt": False}
    console.ok("rollover", "run")


def test_the_namespace_must_be_named_where_there_are_several(console: Console) -> None:
    console.ok("namespace", "create", "fabrikam")
    result = console.run("rollover", "simulate", "--for", "1d")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--namespace" in result.stderr
    assert len(console.ok("rollover", "status").splitlines()) == 9
    assert len(console.ok("rollover", "status", "--namespace", "fabrikam").splitlines()) == 5


@pytest.mark.parametrize(
    "line",
    [
        "rollover status --namespace nobody",
        "rollover run --namespace nobody",
        "rollover plan --namespace nobody --until 2098-01-01T00:00:00Z",
        "rollover simulate --namespace nobody --for 1d",
        "rollover resume --namespace nobody",
    ],
)
def test_an_unknown_namespace_is_refused(console: Console, line: str) -> None:
    assert "nobody" in console.refused(*line.split())


def test_where_there_is_no_namespace_one_is_told_how_to_make_it(tmp_path: Path) -> None:
    empty = Console(tmp_path / "empty")
    assert "sts apply" in empty.refused("rollover", "simulate", "--for", "1d")
    assert empty.json("rollover", "status")["rings"] == []
    assert empty.ok("rollover", "run") == "nothing is due\n"


def execute(console: Console, statement: str) -> None:
    """Change the database as no command does."""
    with closing(sqlite3.connect(console.home / "sts.db")) as database, database:
        database.execute(statement)


SPOILING = """
CREATE TRIGGER spoil AFTER UPDATE OF sealed ON credential WHEN new.use = 'signing' AND new.sealed <> zeroblob(9)
BEGIN UPDATE credential SET sealed = zeroblob(9) WHERE id = new.id; END
"""


def test_run_goes_on_after_a_ring_that_fails_and_tells_both(
    console: Console, set_clock: Callable[[datetime], None]
) -> None:
    console.ok("namespace", "create", "fabrikam")
    set_clock(end(console) - 80 * DAY)
    execute(console, SPOILING)
    result = console.run("rollover", "run")
    assert result.exit_code == 1
    done = [" ".join(line.split()[:3]) for line in result.stdout.splitlines()]
    assert done == [f"{ns} {ring}: publish" for ns in ("contoso", "fabrikam") for ring in ("decryption", "tenant-ca")]
    assert [line.partition(": a step failed: ")[0] for line in result.stderr.splitlines()[1:]] == [
        "warning: contoso signing",
        "warning: fabrikam signing",
    ]
    result = console.run("rollover", "run", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["done"] == []
    assert [(each["namespace"], each["ring"]) for each in found["failed"]] == [
        ("contoso", "signing"),
        ("fabrikam", "signing"),
    ]
    execute(console, "DROP TRIGGER spoil")
    assert console.ok("rollover", "run").count(" signing: publish ") == 2


@pytest.mark.parametrize("command", [("simulate", "--for", "2y"), ("plan", "--until")])
def test_what_is_played_through_goes_on_after_a_ring_that_fails(console: Console, command: tuple[str, ...]) -> None:
    until = () if command[0] == "simulate" else (text(end(console)),)
    execute(console, "UPDATE credential SET sealed = zeroblob(9) WHERE use = 'root-ca'")
    result = console.run("rollover", *command, *until, "--json")
    assert result.exit_code == 1
    assert {event["ring"] for event in json.loads(result.stdout) if event["event"] == "promoted"} == {
        "signing",
        "decryption",
    }
    failed = rf"warning: from {text(end(console) - 90 * DAY)} on, contoso tenant-ca: a step failed: "
    assert failed in result.stderr


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("plan --until 9999-12-31T23:59:59Z", "--until lies more than 100 years ahead"),
        ("simulate --from 0001-01-01T00:00:00Z --for 1d", "--from lies more than 100 years from now"),
        ("simulate --from 9999-01-01T00:00:00Z --for 1d", "--from lies more than 100 years from now"),
        ("simulate --for 101y", "is more than 100 years"),
    ],
)
def test_what_lies_beyond_a_hundred_years_is_wrong_usage(console: Console, line: str, sentence: str) -> None:
    result = console.run("rollover", *line.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_a_simulation_at_the_edge_of_what_is_allowed_comes_to_an_end(console: Console) -> None:
    past, future = (datetime.now(UTC) + sign * (100 * 365 - 1) * DAY for sign in (-1, 1))
    assert console.json("rollover", "simulate", "--from", text(past), "--for", "1d") == []
    events = console.json("rollover", "simulate", "--from", text(future), "--for", "1d")
    told = [(event["event"], event["ring"], event["at"]) for event in events if event["event"] != "retired"]
    rings = ("signing", "decryption", "tenant-ca")  # all had ended
    assert told == [
        *(("published", ring, text(future)) for ring in rings),
        *(("promoted", ring, text(future + DAY)) for ring in rings),
    ]


def hear_signals() -> None:
    """In the child: a suite that runs in the background, or under nohup, hands down that it ignores them."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_simulation_that_is_told_to_end_removes_its_copy(
    console: Console, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environ = console.environment(TMPDIR=str(folder))
    command = [*PROGRAM, "rollover", "simulate", "--for", "100y"]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=hear_signals
    ) as process:
        while not any(folder.glob("sts-rehearsal-*/sts.db")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (1 if number is signal.SIGINT else 128 + number)
    assert b"Traceback" not in told
    assert list(folder.iterdir()) == []


def test_a_rotation_that_was_left_unfinished_needs_a_person(console: Console, launcher: Launcher) -> None:
    assert launcher.run(console.home, "master-key", "rotate", point="master-key.begun-committed").was_killed
    result = console.run("rollover", "status")
    assert result.exit_code == 1
    assert "warning: master key: a rotation of the master key was left unfinished" in result.stderr
    console.ok("master-key", "rotate")
    console.ok("rollover", "status")


def test_a_mark_that_cannot_be_written_is_a_warning_until_it_is_named_elsewhere(
    console: Console, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    named = {"STS_MARK_FILE": str(elsewhere / "mark")}
    console.ok("rollover", "run", **named)
    assert (elsewhere / "mark").read_text().split()[0].isdigit()
    assert not (console.home / "keys" / MARK).exists()
    (elsewhere / "mark").unlink()
    elsewhere.rmdir()
    assert "STS_MARK_FILE" in console.refused("rollover", "run", **named)
