"""`sts master-key`: what seals every private key in the database, and how to change it."""

import sys
from collections.abc import Callable

import click

from sts.assemble import utc_now
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option, yes_option
from sts.cli.output import print_json, print_table, warn
from sts.core.credentials import instant
from sts.core.errors import OperatorError
from sts.operations import master_key as operation
from sts.operations.master_key import MasterKeyState
from sts.operations.master_key_rotation import Phase, Progress, Rotator, rotate

_PHASES = {Phase.SEALING: "sealed anew", Phase.VERIFYING: "read back"}


@click.group(
    "master-key",
    epilog=examples("sts master-key status", "sts master-key rotate", "sts master-key discard-previous --yes"),
)
def master_key() -> None:
    """The master key: it seals every private key, symmetric key and secret in the database.

    It is the file keys/master.key (or STS_MASTER_KEY_FILE). Rotate it when somebody may have seen it, when somebody
    leaves who could have, and as often as your rules ask. No certificate, key or token changes by that.
    """


@master_key.command(epilog=examples("sts master-key status", "sts master-key status --json"))
@json_option
def status(as_json: bool) -> None:
    """Show which master keys there are, and how far a rotation is.

    Exit status 1 when something needs a person: a rotation that nobody is at, or a database that is sealed under the
    previous master key because it is a copy from before the rotation.
    """
    state = operation.state(open_home(utc_now()))
    if as_json:
        print_json(state)
    else:
        _print_state(state)
    warn(state.needs)
    if state.needs:
        sys.exit(1)


@master_key.command("rotate", epilog=examples("sts master-key rotate", "sts master-key rotate --json"))
@json_option
def rotate_(as_json: bool) -> None:
    """Seal everything anew under another master key, beside the running service.

    A new key is made in keys/master.key.next (or `sts master-key prepare` made it). Every secret is sealed anew under
    it, a few at a time, and read back. Then it becomes keys/master.key, and the key before it is kept as
    keys/master.key.previous: copies of the database from before open only under that one.

    The service goes on meanwhile and needs no restart. Tokens, certificates, keys and fingerprints stay as they are.
    If the command is killed, the service finishes the rotation, or the command run again. Secrets that do not open
    are named, exit status 1, and both keys stay until they were deleted or replaced.

    Afterwards: back up the new keys/master.key apart from the database.
    """
    done = rotate(Rotator(open_home(utc_now()), utc_now, _progress()))
    if as_json:
        print_json(done)
        return
    who = "another process sealed" if done.by_another else "sealed"
    click.echo(f"{who} {done.secrets} secrets under the master key {done.master_key}, now {done.file}")
    click.echo(f"the one before, {done.replaced}, is {done.previous_file}: copies of the database from before need it")
    click.echo("next: back up the new one apart from the database")


@master_key.command(epilog=examples("sts master-key prepare"))
@json_option
def prepare(as_json: bool) -> None:
    """Make the next master key and change nothing else, where several machines use one database.

    Copy keys/master.key.next to the same place on each of them, mode 0600, then run `sts master-key rotate` on one.
    Each gives its files their names when the rotation is done.
    """
    state = operation.prepare(open_home(utc_now()), utc_now())
    if as_json:
        print_json(state)
    else:
        click.echo(f"the next master key, {state.next}, waits in {state.file}.next; then: sts master-key rotate")


@master_key.command("discard-previous", epilog=examples("sts master-key discard-previous --yes"))
@yes_option
@json_option
def discard_previous(yes: bool, as_json: bool) -> None:
    """Remove keys/master.key.previous: copies of the database from its time will never open again.

    Refused while the database itself holds anything that needs it.
    """
    installation = open_home(utc_now())
    if not yes:
        if not sys.stdin.isatty():
            raise OperatorError("copies of the database from before the rotation will never open again: say --yes")
        click.confirm("Copies of the database from before the rotation will never open again. Go on?", abort=True)
    discarded = operation.discard_previous(installation, utc_now())
    if as_json:
        print_json({"discarded": discarded})
    else:
        click.echo(f"discarded the previous master key, {discarded}")


def _progress() -> Callable[[Progress], None]:
    """Tell how far it is on the standard error stream, a line for every tenth."""
    told: set[tuple[Phase, int]] = set()

    def tell(progress: Progress) -> None:
        if progress.phase is Phase.WAITING:
            click.echo("another process is at it; waiting for it", err=True)
            return
        tenth = 10 if progress.total == 0 else progress.done * 10 // progress.total
        if (progress.phase, tenth) not in told:
            told.add((progress.phase, tenth))
            click.echo(f"{progress.done} of {progress.total} secrets {_PHASES[progress.phase]}", err=True)

    return tell


def _print_state(state: MasterKeyState) -> None:
    keys = ((state.file, state.present), (f"{state.file}.next", state.next), (f"{state.file}.previous", state.previous))
    rows = [(file, key, "seals the database" if key == state.database else "") for file, key in keys if key]
    print_table(("FILE", "ID", ""), rows)
    click.echo(f"\n{state.secrets} secrets are sealed in the database")
    if state.rotation is not None:
        at_it = "a process is at it" if state.rotation.is_running else "no process is at it"
        began = instant(state.rotation.began_at)
        click.echo(
            f"a rotation began at {began}: {state.rotation.sealed} of {state.rotation.secrets} secrets are under"
            f" {state.rotation.to or 'the new master key, which is not made yet'}; {at_it}"
        )
