"""One process under valgrind's callgrind, and the instructions that its threads executed between two points."""

from __future__ import annotations

import re
import subprocess
import time

from support.server_process import ServerProcess


def parse_totals(dump: str) -> tuple[int, int] | None:
    """Thread number and instructions of one of callgrind's files; None while it is not written to its end."""
    total = re.search(r"^totals: (\d+)", dump, re.MULTILINE)
    thread = re.search(r"^thread: (\d+)", dump, re.MULTILINE)
    return (int(thread[1]) if thread else 1, int(total[1])) if total else None


class Callgrind:
    """Starts `server` under callgrind; nothing is counted before begin()."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._directory = server.directory
        self._output = f"callgrind.{server.kind}"
        command = server.command()
        wrapper = ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no", "-q",
                   f"--callgrind-out-file={self._directory / self._output}"]
        server.command = lambda: wrapper + command  # type: ignore[method-assign]
        server.start(seconds=60)

    def _control(self, *arguments: str) -> None:
        assert self._server.process is not None
        # As the same user: valgrind listens to no other.
        done = subprocess.run(["callgrind_control", *arguments, str(self._server.process.pid)], cwd=self._directory,
                              capture_output=True, text=True, timeout=60, check=False, **self._server.popen_options())
        if done.returncode or "not running" in done.stdout + done.stderr:
            raise RuntimeError(f"callgrind_control {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def begin(self) -> None:
        self._control("--instr=on")

    def reset(self) -> None:
        """Forgets what was counted so far."""
        self._control("--zero")

    def take(self) -> dict[int, int]:
        """Thread number -> instructions since the last reset or take."""
        for old in self._directory.glob(f"{self._output}.*"):
            old.unlink()
        self._control("--dump")
        end = time.monotonic() + 10
        while True:
            counts = self._read()
            if counts or time.monotonic() > end:
                return counts
            time.sleep(0.1)

    def profile(self, thread: int, lines: int = 30) -> str:
        """The functions that the thread spent its instructions in between the last reset and the last take."""
        for file in self._directory.glob(f"{self._output}.*"):
            found = parse_totals(file.read_text(encoding="utf-8", errors="replace"))
            if found and found[0] == thread:
                done = subprocess.run(["callgrind_annotate", "--auto=no", str(file)], capture_output=True, text=True,
                                      timeout=120, check=False)
                functions = done.stdout.partition("file:function")[2].splitlines()
                return "\n".join([line[:160] for line in functions if line.strip()[:1].isdigit()][:lines])
        return ""

    def _read(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for file in self._directory.glob(f"{self._output}.*"):
            found = parse_totals(file.read_text(encoding="utf-8", errors="replace"))
            if found:
                counts[found[0]] = counts.get(found[0], 0) + found[1]
        return counts
