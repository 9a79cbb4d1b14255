"""What the kernel says of a process and its children: processor time and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/<pid>/stat, as far as it is needed."""

    pid: int
    parent: int
    cpu_seconds: float  # user and system

    @classmethod
    def read(cls, pid: int) -> "Process":
        """The process now; raises OSError when it is gone (proc(5), /proc/pid/stat)."""
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return cls(pid, int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND)


def tree(root: int) -> list[Process]:
    """The process and all its descendants, the root first."""
    everything = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                everything.append(Process.read(int(name)))
            except OSError:  # it ended while we looked
                continue
    found = [process for process in everything if process.pid == root]
    for parent in found:  # grows while it is walked
        found += [process for process in everything if process.parent == parent.pid]
    return found


def cpu_seconds(root: int) -> float:
    """Processor time that the process and its living descendants have used."""
    return sum(process.cpu_seconds for process in tree(root))


def memory(pid: int) -> int:
    """Bytes that the process holds, pages shared with others counted in part (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no Pss for {pid}")
