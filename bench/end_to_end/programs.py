"""Where the programs are, and whether they are there. Importing this makes the tests' support package importable:
its cluster, its processes and its watchdog serve the benchmarks too."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))


def tidemark() -> pathlib.Path | None:
    """What TIDEMARK_BINARY names, else the optimised build; the tests' ProxyProcess will start it."""
    chosen = os.environ.get("TIDEMARK_BINARY")
    places = [pathlib.Path(chosen)] if chosen else [
        ROOT / "build" / "release" / "proxy" / "tidemark", ROOT / "build" / "proxy" / "tidemark"]
    found = next((path.resolve() for path in places if os.access(path, os.X_OK)), None)
    if found:
        os.environ["TIDEMARK_BINARY"] = str(found)
    return found


def build_warning(binary: pathlib.Path) -> str:
    """Why figures of this binary must not be quoted, or nothing: how its build directory was configured."""
    cache = binary.parents[1] / "CMakeCache.txt"
    if not cache.exists():
        return f"how {binary} was built is not known"
    text = cache.read_text(encoding="utf-8", errors="replace")
    kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", text, re.MULTILINE)
    sanitizer = re.search(r"^TIDEMARK_SANITIZE:\w+=(.+)$", text, re.MULTILINE)
    if sanitizer:
        return f"Tidemark was built with -fsanitize={sanitizer[1]}: not for quoting"
    if not kind or kind[1] not in ("Release", "RelWithDebInfo"):
        return f"Tidemark is a build of type '{kind[1] if kind else ''}': not for quoting"
    return ""


def pgbouncer() -> str | None:
    return os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


def haproxy() -> str | None:
    return os.environ.get("HAPROXY") or shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/bin")


def version(program: str, *arguments: str) -> tuple[int, ...]:
    """The first dotted number that the program prints, as (1, 18, 0)."""
    output = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(?:\.\d+)+", output.stdout + output.stderr)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
