"""`sts` on a machine whose run is called what the file BOOT_ID_FILE says."""

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

from sts.cli.main import main
from sts.settings import Settings

_FROM_ENVIRON = Settings.from_environ


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the environment, with the run of another machine."""
    return replace(_FROM_ENVIRON(environ), boot_id_file=Path(os.environ["BOOT_ID_FILE"]))


def leave_a_process() -> None:
    """Have a process that nobody tells to end."""
    if os.fork() == 0:
        signal.pause()


if __name__ == "__main__":
    if "LEFT_BEHIND" in os.environ:
        leave_a_process()
    with mock.patch.object(Settings, "from_environ", settings):
        main()
