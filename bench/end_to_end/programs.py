"""Where the programs are, and whether they are there."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # the cluster, the ports and the watchdog of the tests serve us too


def tidemark() -> pathlib.Path | None:
    """The binary to measure; it must be an optimised build, so the debug preset's is not looked for."""
    chosen = os.environ.get("TIDEMARK")
    candidates = [pathlib.Path(chosen)] if chosen else [
        ROOT / "build" / "release" / "proxy" / "tidemark", ROOT / "build" / "proxy" / "tidemark"]
    return next((path.resolve() for path in candidates if os.access(path, os.X_OK)), None)


def pgbouncer() -> str | None:
    return os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


def haproxy() -> str | None:
    return os.environ.get("HAPROXY") or shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/bin")


def version(program: str, *arguments: str) -> tuple[int, ...]:
    """The first dotted number that the program prints, as (1, 18, 0)."""
    output = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(?:\.\d+)+", output.stdout + output.stderr)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
