"""Opens the installation that a command works on."""

import os
import pwd
from datetime import datetime

from sts.assemble import open_installation
from sts.operations.installation import Installation
from sts.settings import Settings


def open_home(now: datetime) -> Installation:
    """Prepare STS_HOME and open it; raises InvalidConfiguration, MasterKeyError, StoreUnavailable."""
    return open_installation(Settings.from_environ(os.environ), operator(), now)


def operator() -> str:
    """Who is named in audit records: the account of the operating system, which no variable can change."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:uid-{os.getuid()}"
