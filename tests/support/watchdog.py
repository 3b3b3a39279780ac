"""A temporary directory that does not outlive the process that asked for it, however that process ends.

A watchdog process holds the reading end of a pipe. When the pipe closes, because the owner is done, died,
or was killed with -9, it ends every process whose working directory lies inside the temporary directory,
and removes the directory. Whoever starts a server for a test starts it with such a working directory
(PostgreSQL moves into its data directory by itself), so nothing else can be hit.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# Programs whose System V segments outlive them if they are killed, and that SIGQUIT shuts down at once.
_OWN_SHARED_MEMORY = ("postgres", "pgpool")


class OwnedDirectory:
    """A new directory under the system's temporary directory, watched as the module says."""

    def __init__(self, prefix: str = "tidemark-", uid: int | None = None, gid: int | None = None) -> None:
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        # Servers run as another user than root may pass through, and own what lies below.
        self.path.chmod(0o755)
        if uid is not None and gid is not None:
            os.chown(self.path, uid, gid)
        self._watchdog = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal reaches the owner, not the watchdog
        )

    def close(self, seconds: float = 60.0) -> None:
        """Ends what still runs inside the directory and removes it; returns when that is done."""
        assert self._watchdog.stdin is not None
        if not self._watchdog.stdin.closed:
            self._watchdog.stdin.close()
        self._watchdog.wait(timeout=seconds)


def processes_inside(directory: pathlib.Path) -> dict[int, str]:
    """Process id -> program name of every process whose working directory is `directory` or below it."""
    root = str(directory.resolve())
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            cwd = os.readlink(f"/proc/{entry}/cwd").removesuffix(" (deleted)")
            if cwd == root or cwd.startswith(root + "/"):
                with open(f"/proc/{entry}/comm", encoding="utf-8", errors="replace") as comm:
                    found[int(entry)] = comm.read().strip()
        except OSError:
            continue  # gone meanwhile, or not ours to read
    found.pop(os.getpid(), None)
    return found


def _signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def end_processes(directory: pathlib.Path, grace: float = 3.0) -> None:
    """Ends every process inside; postmaster and Pgpool-II get time for an immediate shutdown, to free their memory."""
    inside = processes_inside(directory)
    _signal_all(list(inside), signal.SIGCONT)
    _signal_all([pid for pid, name in inside.items() if name in _OWN_SHARED_MEMORY], signal.SIGQUIT)
    _signal_all([pid for pid, name in inside.items() if name not in _OWN_SHARED_MEMORY], signal.SIGKILL)
    end = time.monotonic() + grace
    while processes_inside(directory) and time.monotonic() < end:
        time.sleep(0.02)
    for _ in range(100):
        left = processes_inside(directory)
        if not left:
            break
        _signal_all(list(left), signal.SIGKILL)
        time.sleep(0.02)


def free_stale_segments(directory: pathlib.Path) -> None:
    """Frees the System V segment that a PostgreSQL killed with -9 left behind (named in postmaster.pid)."""
    for pid_file in directory.glob("*/postmaster.pid"):
        try:
            words = pid_file.read_text(encoding="utf-8").splitlines()[6].split()
            subprocess.run(["ipcrm", "-m", words[1]], check=False, capture_output=True)
        except (OSError, IndexError):
            continue


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    directory = pathlib.Path(sys.argv[1])
    while sys.stdin.buffer.read(1):
        pass
    end_processes(directory)
    free_stale_segments(directory)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
