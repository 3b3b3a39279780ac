"""What the kernel says of a process: processor time, resident memory, system calls."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

# What only waits for work, or tells another thread of it: not counted as work on a transaction.
WAITING = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "futex", "nanosleep",
           "clock_nanosleep", "restart_syscall", "io_uring_enter"}


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads. /proc/<pid>/stat counts it in ticks of 10 ms; schedstat is finer, but an
    ended thread's time is only in the former."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        if total:
            return total / 1e9
    except (OSError, IndexError):
        pass
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM and its own (private pages; the binary's code does not count)."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(int(amount) for amount in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE)) * 1024


def parse_strace(summary: str) -> dict[str, int]:
    """strace -c's table ("% time, seconds, usecs/call, calls, [errors,] syscall") as name -> calls."""
    calls = {}
    for line in summary.splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] not in ("total", "syscall"):
            calls[fields[-1]] = int(fields[3])
    return calls


class SystemCalls:
    """Counts the system calls of all threads of `pid` during the block, by strace: the process runs several times
    slower meanwhile, so nothing else may be measured in the same pass."""

    def __init__(self, pid: int, directory: pathlib.Path) -> None:
        self._pid = pid
        self._file = directory / "strace.txt"
        self.calls: dict[str, int] = {}

    @staticmethod
    def available() -> bool:
        return shutil.which("strace") is not None

    def __enter__(self) -> "SystemCalls":
        self._file.unlink(missing_ok=True)
        self._strace = subprocess.Popen(
            ["strace", "-f", "-c", "-S", "calls", "-o", str(self._file), "-p", str(self._pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self._file.parent)
        end = time.monotonic() + 5
        while not self._attached() and time.monotonic() < end:
            if self._strace.poll() is not None:
                raise RuntimeError(f"strace: {self._strace.stderr.read().decode()}")
            time.sleep(0.02)
        return self

    def _attached(self) -> bool:
        for task in os.listdir(f"/proc/{self._pid}/task"):
            status = pathlib.Path(f"/proc/{self._pid}/task/{task}/status").read_text(encoding="ascii")
            if "TracerPid:\t0\n" in status:
                return False
        return True

    def __exit__(self, *_: object) -> None:
        self._strace.send_signal(signal.SIGINT)
        self._strace.wait(timeout=10)
        self._strace.stderr.close()
        self.calls = parse_strace(self._file.read_text(encoding="ascii"))

    def per(self, transactions: int, waiting: bool) -> float:
        """Calls per transaction: those that only wait, or all others."""
        return sum(count for name, count in self.calls.items() if (name in WAITING) == waiting) / transactions

    def named(self, transactions: int, least: float = 0.02) -> str:
        """The calls by name and number per transaction, the most frequent first."""
        shares = sorted(((count / transactions, name) for name, count in self.calls.items()), reverse=True)
        return ", ".join(f"{share:.2f} {name}" for share, name in shares if share >= least)
