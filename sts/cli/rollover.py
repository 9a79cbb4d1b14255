"""`sts rollover`: credentials that look after themselves, and what they need a person for."""

import sys
import time
from datetime import datetime, timedelta
from typing import Final

import click

from sts.assemble import utc_now
from sts.cli.ending import ending_in_order
from sts.cli.files import write_public
from sts.cli.opening import open_home
from sts.cli.options import Instant, Span, examples, json_option
from sts.cli.output import print_json, print_table, printable, warn
from sts.cli.simulations import print_simulation
from sts.core.credentials import instant
from sts.core.errors import NotFound
from sts.core.rollover import RingName
from sts.core.spans import LONGEST
from sts.operations import namespaces, ring_status, simulation, timeline, watch
from sts.operations import rollover as operation
from sts.operations.installation import Installation
from sts.operations.ring_status import RingRow, RolloverStatus
from sts.operations.rollover import Done, Run
from sts.operations.simulation import Simulation

NEEDS_PERSON: Final = 1  # exit status
_ALL = click.option("--namespace", metavar="NS", help="Only this namespace; by default all.")
_ONE = click.option("--namespace", metavar="NS", help="The namespace; may be left out where there is only one.")


@click.group(
    "rollover",
    epilog=examples(
        "sts rollover status",
        "sts rollover plan --namespace contoso --until 2030-01-01T00:00:00Z",
        "sts rollover simulate --namespace contoso --for 10y --svg contoso.svg",
        "sts rollover resume --namespace contoso --ring signing",
    ),
)
def rollover() -> None:
    """Certificates that are replaced by themselves: look, look ahead, act, let go on.

    A certificate lives for two years. 90 days before its end the next one is made and published; 45 days before its
    end the next one becomes active and the old one retires; then the old one expires and its key is destroyed. Shorter
    lives scale these spans. `sts serve` does all of it; none of these commands has to be run for it.

    Rings of a namespace: signing, decryption and tenant-ca (automatic, where the certificate was made here),
    signing-keys (manual: partners must be handed symmetric keys). Whoever makes a credential primary by hand holds its
    ring: it waits until `sts rollover resume`.

    Exit status: 0 all is well, 1 something needs a person.
    """


@rollover.command(epilog=examples("sts rollover status", "sts rollover status --namespace contoso --json"))
@_ALL
@json_option
def status(namespace: str | None, as_json: bool) -> None:
    """Show every ring, what it does next and when, and what needs a person (then the exit status is 1).

    What needs a person: a ring that is held or stuck, a credential that ends and is not replaced by itself, a
    certificate of a partner that ends, a clock or a database that cannot be believed, a mark of the newest change that
    cannot be written, a change of the master key that was left unfinished. Nothing is changed.
    """
    now = utc_now()
    found = ring_status.status(open_home(now), namespace, now)
    if as_json:
        print_json(_status_value(found))
    else:
        print_table(
            ("NAMESPACE", "RING", "MODE", "PRIMARY", "VALID TO", "NEXT", "WHEN"), (_cells(row) for row in found.rings)
        )
    _tell_fault(found.fault)
    warn(map(str, found.warnings))
    sys.exit(NEEDS_PERSON if found.needs_person else 0)


def _status_value(found: RolloverStatus) -> dict[str, object]:
    return {
        "rings": found.rings,
        "warnings": found.warnings,
        "fault": found.fault,
        "needs_person": found.needs_person,
    }


def _cells(row: RingRow) -> tuple[object, ...]:
    mode = row.mode if row.held_since is None else f"{row.mode} since {instant(row.held_since)}"
    return row.namespace, row.ring, mode, row.primary, row.not_after, row.next_step, row.next_step_at


def _tell_fault(fault: str | None) -> None:
    if fault is not None:
        click.echo(f"nothing is done by itself now: {printable(fault)}", err=True)


@rollover.command(epilog=examples("sts rollover plan --namespace contoso --until 2030-01-01T00:00:00Z"))
@_ONE
@click.option("--until", required=True, type=Instant(), metavar="T", help="Such as 2030-01-01T00:00:00Z.")
@json_option
def plan(namespace: str | None, until: datetime, as_json: bool) -> None:
    """Print what will happen until an instant if nobody does anything: each event, and how the metadata changes.

    It is played through on a copy; nothing is changed. Exit status 1: nothing or not everything of it will happen by
    itself, because something needs a person now (see `sts rollover status`), or a step of it fails.
    """
    now = utc_now()
    if until <= now:
        raise click.UsageError("--until lies in the past; to look back, see `sts audit list`")
    if until > now + LONGEST:
        raise click.UsageError("--until lies more than 100 years ahead")
    installation = open_home(now)
    name = _chosen(installation, namespace)
    played = _play(installation, name, simulation.Span(now.replace(microsecond=0), until))
    print_simulation(played, as_json=as_json)
    present = ring_status.status(installation, name, now)
    _tell_fault(present.fault)
    sys.exit(NEEDS_PERSON if present.needs_person or played.failed else 0)


@rollover.command(
    epilog=examples(
        "sts rollover simulate --namespace contoso --for 10y",
        "sts rollover simulate --namespace contoso --for 6y --from 2027-01-01T00:00:00Z --svg contoso.svg --json",
    )
)
@_ONE
@click.option("--for", "span", type=Span(), default="10y", show_default=True, metavar="SPAN", help="Such as 90d, 10y.")
@click.option("--from", "start", type=Instant(), metavar="T", help="Where the clock starts; by default now.")
@click.option("--svg", "picture", metavar="FILE", help="Draw the timeline of the certificates into this file.")
@json_option
def simulate(
    namespace: str | None, span: timedelta, start: datetime | None, picture: str | None, as_json: bool
) -> None:
    """Let the clock run on a copy of a namespace and print each event and how the metadata changes.

    What runs is what `sts serve` runs, with real keys, in a temporary folder; the installation stays as it is. Events:
    published, promoted, retired (another one was promoted), expired, destroyed (its private key). Exit status 1: a
    step fails, such as one that needs a key that does not open; the other rings go on.
    """
    now = utc_now()
    moving = _span(now, start, span)
    installation = open_home(now)
    played = _play(installation, _chosen(installation, namespace), moving)
    print_simulation(played, as_json=as_json)
    if picture is not None:
        write_public(picture, timeline.draw(played).encode())
        click.echo(f"wrote the timeline to {picture}", err=True)
    sys.exit(NEEDS_PERSON if played.failed else 0)


def _span(now: datetime, start: datetime | None, length: timedelta) -> simulation.Span:
    begin = (start or now).replace(microsecond=0)
    if abs(begin - now) > LONGEST:
        raise click.UsageError("--from lies more than 100 years from now")
    return simulation.Span(begin, begin + length)


def _chosen(installation: Installation, namespace: str | None) -> str:
    """The namespace that is meant; raises UsageError where it must be named, NotFound where there is none."""
    if namespace is not None:
        return namespace
    names = [each.name for each in namespaces.list_all(installation)]
    if not names:
        raise NotFound("there is no namespace yet: make one with `sts apply` or `sts namespace create`")
    if len(names) > 1:
        raise click.UsageError(f"name one of {len(names)} namespaces with --namespace, such as {names[0]}")
    return names[0]


def _play(installation: Installation, namespace: str, span: simulation.Span) -> Simulation:
    """Simulate, with a bar on a terminal that shows how far the clock has come."""
    seconds = max(1, int((span.end - span.start).total_seconds()))
    reached = span.start
    shown = click.progressbar(length=seconds, label="simulating", file=sys.stderr, hidden=not sys.stderr.isatty())
    with shown as bar, ending_in_order() as insist:

        def progress(now: datetime) -> None:
            nonlocal reached
            insist()
            bar.update(int((now - reached).total_seconds()))
            reached = now

        return simulation.simulate(installation, namespace, span, progress)


@rollover.command(epilog=examples("sts rollover run", "sts rollover run --namespace contoso --json"))
@_ALL
@json_option
def run(namespace: str | None, as_json: bool) -> None:
    """Do at once what is due: publish, promote, destroy. `sts serve` does the same every minute.

    Any number of processes may run at once; each step happens once. Where the last look at the clock is long ago, a
    second look must agree with this one first: that takes 30 seconds. While the clock or the database cannot be
    believed nothing is done, and the exit status is 1. So it is when a step fails; the other rings are looked after.
    """
    installation = open_home(utc_now())
    outcome = operation.run(installation, utc_now(), namespace)
    if outcome.again_at is not None:
        wait = (outcome.again_at - utc_now()).total_seconds()
        click.echo(f"the last look at the clock is long ago: a second look in {max(0, wait):.0f} s", err=True)
        time.sleep(max(0, wait) + 1)
        outcome = operation.run(installation, utc_now(), namespace)
    _tell_run(outcome, as_json=as_json)
    sys.exit(0 if outcome.fault is None and not outcome.failed else NEEDS_PERSON)


def _tell_run(outcome: Run, *, as_json: bool) -> None:
    if as_json:
        done = [_done_value(each) for each in outcome.done]
        print_json({"done": done, "failed": outcome.failed, "fault": outcome.fault})
    elif outcome.fault is None:
        for each in outcome.done or (() if outcome.failed else ("nothing is due",)):
            click.echo(printable(str(each)))
    _tell_fault(outcome.fault)
    warn(f"{each}: late, look at `sts rollover status`" for each in outcome.done if each.urgent)
    warn(map(str, outcome.failed))
    warn(() if outcome.warning is None else (outcome.warning,))
    if outcome.is_cut:
        warn(("the database went away: the other rings were not looked at",))


def _done_value(done: Done) -> dict[str, object]:
    return {
        "at": done.at,
        "namespace": done.namespace,
        "ring": done.ring,
        "step": done.kind,
        "thumbprint": done.credential.thumbprint,
        "primary_from": done.credential.primary_from,
        "urgent": done.urgent,
    }


@rollover.command(
    epilog=examples(
        "sts rollover resume --namespace contoso", "sts rollover resume --namespace contoso --ring decryption"
    )
)
@_ONE
@click.option("--ring", type=click.Choice(list(map(str, RingName))), help="Only this ring; by default all held ones.")
@json_option
def resume(namespace: str | None, ring: str | None, as_json: bool) -> None:
    """Let held rings go on by themselves.

    A ring is held when somebody makes one of its credentials primary by hand, so that nothing undoes it. What came due
    meanwhile is done within a minute by `sts serve`, or at once by `sts rollover run`.
    """
    now = utc_now()
    installation = open_home(now)
    name = _chosen(installation, namespace)
    wanted = tuple(RingName) if ring is None else (RingName(ring),)
    resumed = [each for each in wanted if operation.resume(installation, name, each, now)]
    if as_json:
        print_json([{"namespace": name, "ring": each} for each in resumed])
    elif not resumed:
        click.echo("not held" if ring else f"no ring of {name} is held")
    for each in () if as_json else resumed:
        click.echo(f"{name} {each}: goes on by itself")


@rollover.command("accept-restore", epilog=examples("sts rollover accept-restore"))
@click.option("--namespace", metavar="NS", help="Changes nothing: the database is accepted as a whole.")
@json_option
def accept_restore(namespace: str | None, as_json: bool) -> None:
    """Take the database as it is: after it was restored from an older copy, or the clock was set back.

    Until then tokens are issued, and nothing is made, promoted or destroyed: what was done after the copy was made is
    not known any more. Look first: `sts certificate list` for certificates that partners know and the copy does not.

    Tokens and assertions that were issued before a restore was noticed are refused, accepted or not: which of them
    were used before is not known either. Those that do not say when they were issued are refused for a day.
    """
    now = utc_now()
    was_in_doubt = watch.accept_restore(open_home(now), now)
    if as_json:
        print_json({"was_in_doubt": was_in_doubt})
    else:
        click.echo("accepted; rollover goes on" if was_in_doubt else "the database and the clock were not in doubt")
