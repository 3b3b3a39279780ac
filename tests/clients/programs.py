"""The test programs that are not Python: what each can do, how it is built, how one part of it is run.

A program is called as `<program> <capability> <table>`, with the way to log in in the environment (PGHOST, PGPORT, PGUSER, PGPASSWORD,
PGDATABASE, PGSSLMODE, …); `<table>` is a name of its own. It ends with 0 if everything was as it should be, and
otherwise says on its standard error what was not. `<program> --list` prints its capabilities.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Callable, Sequence

import pytest

from logins import Login
from support.deadline import PATIENCE
from support.run_as import clean_environment

HERE = pathlib.Path(__file__).resolve().parent


def build_directory() -> pathlib.Path:
    """`clients` in the build whose proxy is tested, else in build/."""
    binary = os.environ.get("TIDEMARK_BINARY")
    return (pathlib.Path(binary).resolve().parents[1] if binary else HERE.parents[1] / "build") / "clients"


def call(arguments: Sequence[object], seconds: float = 300.0, **options: object) -> str:
    """Runs a tool of the build; an error that quotes what it said if it fails or is not there."""
    if shutil.which(str(arguments[0])) is None:
        raise RuntimeError(f"{arguments[0]} is not installed; tests/run installs it")
    done = subprocess.run(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds * PATIENCE, check=False, **options,  # type: ignore[call-overload]
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@dataclass(frozen=True)
class Built:
    """A program that can be run."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, capability: str, login: Login, table: str = "unused", seconds: float = 50.0) -> None:
        """Fails the test with what the program had to say."""
        what = f"{self.name} {capability} ({login.method})"
        try:
            done = self._start([capability, table], login.environment(), seconds)
        except subprocess.TimeoutExpired as expired:
            said = (expired.stdout or b"").decode(errors="replace") + (expired.stderr or b"").decode(errors="replace")
            pytest.fail(f"{what} did not end within {seconds * PATIENCE:g} s\n{said}", pytrace=False)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace")
            pytest.fail(f"{what} ended with {done.returncode}\n{said}", pytrace=False)

    def capabilities(self) -> list[str]:
        return self._start(["--list"], {}, 20.0).stdout.decode().split()

    def _start(self, arguments: list[str], extra: dict[str, str], seconds: float) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *arguments],
            env=clean_environment() | self.environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds * PATIENCE,
            check=False,
        )


@dataclass(frozen=True)
class Program:
    """A program's capabilities beside `connect` and `wrong_password`, which every one has."""

    capabilities: tuple[str, ...]
    build: Callable[[pathlib.Path], Built]
    own_database: bool = False  # what it makes there stays for its next capability


def _digest(sources: Sequence[pathlib.Path]) -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _fresh(stamp: pathlib.Path, *sources: pathlib.Path) -> bool:
    """Whether `stamp` was written for exactly these sources."""
    return stamp.exists() and stamp.read_text(encoding="ascii") == _digest(sources)


def _note(stamp: pathlib.Path, *sources: pathlib.Path) -> None:
    stamp.write_text(_digest(sources), encoding="ascii")


def _libpq(directory: pathlib.Path) -> Built:
    folder, program, stamp = HERE / "libpq", directory / "libpq", directory / "libpq.stamp"
    sources = [folder / "harness.hpp", folder / "client.cpp", folder / "streams.cpp"]
    if not _fresh(stamp, *sources):
        includes = [f"-I{HERE.parents[1]}", "-I" + call(["pg_config", "--includedir"]).strip()]
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
        call(["g++", "-std=c++20", "-O1", *warnings, *includes, *sources[1:], "-o", program, "-lpq"])
        _note(stamp, *sources)
    return Built("libpq", (str(program),))


def _node(source: str) -> Callable[[pathlib.Path], Built]:
    def build(directory: pathlib.Path) -> Built:
        home, wanted = directory / "node", [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
        home.mkdir(exist_ok=True)
        if not _fresh(home / "stamp", *wanted):
            for file in wanted:
                shutil.copy(file, home)
            call(["npm", "ci", "--no-audit", "--no-fund"], cwd=home)
            _note(home / "stamp", *wanted)
        program = HERE / "node" / source
        return Built(program.stem, ("node", str(program)), {"NODE_PATH": str(home / "node_modules")})

    return build


def _go(folder: str) -> Callable[[pathlib.Path], Built]:
    def build(directory: pathlib.Path) -> Built:
        # Debian's packages of Go libraries are sources below /usr/share/gocode; nothing is fetched.
        settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
        environment = clean_environment() | settings | {"GOCACHE": str(directory / "go-cache")}
        program = directory / f"go_{folder}"
        call(["go", "build", "-o", program, "."], cwd=HERE / "go" / folder, env=environment)
        return Built(folder, (str(program),))

    return build


def _jdbc(directory: pathlib.Path) -> Built:
    source, classes, stamp = HERE / "java" / "Client.java", directory / "java", directory / "java.stamp"
    path = ":".join(f"/usr/share/java/{name}.jar" for name in ("postgresql", "HikariCP", "slf4j-api", "slf4j-nop"))
    if not _fresh(stamp, source):
        call(["javac", "-Xlint:all", "-Werror", "-cp", path, "-d", classes, source])
        _note(stamp, source)
    # A program that lives for a second gains nothing from the second compiler.
    return Built("jdbc", ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{classes}:{path}", "Client"))


def _django(directory: pathlib.Path) -> Built:
    del directory  # nothing to build
    program = HERE / "django_client.py"
    return Built("django", ("/usr/bin/python3", str(program)), {"PYTHONDONTWRITEBYTECODE": "1"})


# What every driver of a general kind can do; the README of the tests tells what each word stands for.
_COMMON = (
    "prepared", "transactions", "read_only", "copy", "cancel", "listen", "batch", "arrays", "types", "large",
    "errors", "errors_in_transaction", "settings",
)  # fmt: skip

PROGRAMS: dict[str, Program] = {
    "libpq": Program(
        (*_COMMON, "binary", "single_row", "several_results", "pipeline_errors", "pipeline_full_sockets", "copy_fail",
         "large_object", "notices"),
        _libpq,
    ),
    "node_postgres": Program((*_COMMON, "binary", "cursor", "pool"), _node("node_postgres.js")),
    "postgres_js": Program((*_COMMON, "cursor", "pool"), _node("postgres_js.js")),
    "pgx": Program((*_COMMON, "binary", "simple_protocol", "large_object", "pool"), _go("pgx")),
    "lib_pq": Program((*_COMMON, "binary", "pool"), _go("lib_pq")),
    "jdbc": Program((*_COMMON, "binary", "cursor", "simple_protocol", "large_object", "pool"), _jdbc),
    "django": Program(
        ("migrate", "introspection", "orm", "transactions", "errors", "errors_in_transaction", "iterator", "raw", "requests"),
        _django,
        own_database=True,
    ),
}  # fmt: skip
