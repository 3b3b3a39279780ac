"""One process under valgrind's callgrind, and the instructions that its threads executed between two points."""

from __future__ import annotations

import pathlib
import re
import subprocess
import time

from candidates import Candidate


class Callgrind:
    """Starts `candidate` under callgrind in `directory`; its instructions are counted from the first reset on."""

    def __init__(self, candidate: Candidate, directory: pathlib.Path) -> None:
        self._candidate = candidate
        self._directory = directory
        self._output = f"callgrind.{candidate.name.lower()}"
        wrapper = ("valgrind", "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no", "-q",
                   f"--callgrind-out-file={directory / self._output}")
        candidate.launch(directory, wrapper, seconds=60)

    def _control(self, *arguments: str) -> None:
        assert self._candidate.process is not None
        _, options = self._candidate.command(self._directory)  # the same user: valgrind listens to no other
        done = subprocess.run(["callgrind_control", *arguments, str(self._candidate.process.pid)],
                              cwd=self._directory, capture_output=True, text=True, timeout=60, check=False, **options)
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

    def _read(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for file in self._directory.glob(f"{self._output}.*"):
            text = file.read_text(encoding="utf-8", errors="replace")
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
            thread = re.search(r"^thread: (\d+)", text, re.MULTILINE)
            if total:
                number = int(thread[1]) if thread else 1
                counts[number] = counts.get(number, 0) + int(total[1])
        return counts
