"""A PostgreSQL server of our own for one test session, where its programs and psycopg are there."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

import sqlalchemy as sa

PROGRAMS = ("initdb", "pg_ctl", "postgres")


class Server:
    """A running server that listens on a Unix socket in its own folder and trusts whoever reaches it."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        self._databases = 0

    def new_database(self) -> str:
        """The URL of an empty database, collated as a server in Germany might be."""
        self._databases += 1
        name = f"sts{self._databases}"
        administration = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with administration.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://sts@/{name}?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -h '' -c fsync=off -c max_connections=200"
        self.run(
            "pg_ctl",
            "-w",
            "-s",
            "-D",
            str(self.folder / "data"),
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-s", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, user=self._user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=60)


def missing() -> str | None:
    """Why there can be no server here."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg, the extra `postgres`, is not here"
    return None if _programs() else "the programs of PostgreSQL are not here"


@contextmanager
def running() -> Iterator[Server]:
    """A server, gone with all its data at the end."""
    programs = _programs()
    assert programs is not None
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="sts-postgresql-"))
    try:
        if user:
            shutil.chown(folder, user)
        server = Server(folder, programs, user)
        server.run("initdb", "-D", str(folder / "data"), "-U", "sts", "-A", "trust", "-E", "UTF8", "--no-sync")
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    on_path = [str(Path(found).parent) for found in (shutil.which("postgres"),) if found]
    for folder in map(Path, (*on_path, *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True))):
        if all((folder / program).exists() for program in PROGRAMS):
            return folder
    return None
