#!/usr/bin/python3
"""Checks a source tree against the house rules in rules.py: who may include whom, which modules are pure, what lies
at the top level, how long a file may be. Prints one line per offence; exit code 1 if there is any.

    check_includes.py <root of the tree>
"""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rules as house_rules  # noqa: E402

CODE_SUFFIXES = {".cpp", ".hpp"}
FOREIGN_SUFFIXES = {".cc", ".cxx", ".c", ".h", ".hh", ".hxx", ".ipp"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)"|(.*))', re.MULTILINE)
# Comments and literals, in the order in which a C++ compiler would meet them.
TOKEN = re.compile(
    r'(?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")'
    r"|(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*\")"
    r"|(?P<char>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')",
    re.DOTALL,
)


class Offence(NamedTuple):
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def blank(text: str) -> str:
    """As many lines as `text`, and nothing in them."""
    return "\n" * text.count("\n")


def without_comments(source: str) -> str:
    return TOKEN.sub(lambda m: " " + blank(m[0]) if m["comment"] else m[0], source)


def without_comments_and_literals(source: str) -> str:
    return TOKEN.sub(lambda m: " " + blank(m[0]), source)


def line_of(source: str, offset: int) -> int:
    return source.count("\n", 0, offset) + 1


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def files_of(root: Path) -> list[str]:
    """The project's files: what git does not ignore, or, where the tree is no checkout, all but build output."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False)
    if listing.returncode == 0 and (root / ".git").exists():
        names = listing.stdout.decode().split("\0")
        return sorted(name for name in set(names) if name and (root / name).is_file())
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found
                  if path.parts[0] not in {".git", "build"} and "__pycache__" not in path.parts)


class Checker:
    """One run over one tree. `rules` is a module or namespace shaped like rules.py."""

    def __init__(self, root: Path, rules=house_rules):
        self.root = root
        self.rules = rules
        self.files = files_of(root)
        self.known = set(self.files)

    def run(self) -> list[Offence]:
        return sorted([*self.top_level(), *self.lengths(), *self.stale_entries(),
                       *(offence for path in self.files for offence in self.code(path))])

    # --- the tree -------------------------------------------------------------------------------------------------

    def top_level(self) -> Iterator[Offence]:
        folders = {path.split("/", 1)[0] for path in self.files if "/" in path}
        for name in sorted(folders - self.rules.TOP_LEVEL_FOLDERS):
            if not name.startswith("."):
                yield Offence(name, 1, "no such room: a top-level folder needs an entry in the house's plan")
        for name in sorted({path for path in self.files if "/" not in path} - self.rules.TOP_LEVEL_FILES):
            if not name.startswith("."):
                yield Offence(name, 1, "does not belong at the top level")
        for room in self.rules.ROOMS_WITH_BUILD:
            for name in ("CMakeLists.txt", "README.md"):
                if f"{room}/{name}" not in self.known:
                    yield Offence(f"{room}/{name}", 1, "missing: every room has one")

    def lengths(self) -> Iterator[Offence]:
        limit = self.rules.LINE_LIMIT
        for path in self.files:
            if Path(path).suffix not in self.rules.LINE_LIMIT_SUFFIXES or Path(path).name.startswith("."):
                continue
            if matches(path, self.rules.LINE_LIMIT_NOT_CODE):
                continue
            lines = (self.root / path).read_bytes().count(b"\n")
            if lines > limit and path not in self.rules.LONG_FILES:
                yield Offence(path, limit + 1, f"{lines} lines, more than {limit}: split it, or give the reason "
                                               "in rules.py, LONG_FILES")
            if lines <= limit and path in self.rules.LONG_FILES:
                yield Offence(path, 1, "is no longer a long file: take it out of rules.py, LONG_FILES")

    def stale_entries(self) -> Iterator[Offence]:
        """A rule about a file that does not exist protects nothing."""
        for path in self.rules.LONG_FILES:
            if path not in self.known:
                yield Offence(path, 1, "is in rules.py, LONG_FILES, but does not exist")
        for module in sorted(self.rules.PURE_MODULES | set(self.rules.NOT_PURE)):
            if not {f"{module}.hpp", f"{module}.cpp"} & self.known:
                yield Offence(module, 1, "is listed as a module in rules.py, but does not exist")

    # --- one file -------------------------------------------------------------------------------------------------

    def code(self, path: str) -> Iterator[Offence]:
        room = path.split("/", 1)[0]
        if room not in self.rules.OWN_ROOMS:
            return
        suffix = Path(path).suffix
        if suffix in FOREIGN_SUFFIXES:
            yield Offence(path, 1, f"source files end in .cpp or .hpp, not in {suffix}")
        if suffix not in CODE_SUFFIXES and suffix not in FOREIGN_SUFFIXES:
            return
        source = (self.root / path).read_text(encoding="utf-8")
        plain = without_comments(source)
        if suffix == ".hpp" and not re.match(r"\s*#pragma once\b", plain):
            yield Offence(path, 1, "a header begins with #pragma once")
        for found in INCLUDE.finditer(plain):
            line = line_of(plain, found.start())
            angled, quoted, macro = found.groups()
            if macro is not None:
                problem = "an include names its file itself"
            elif quoted is not None:
                problem = self.own_include(room, path, quoted)
            else:
                problem = self.foreign_include(room, path, angled)
            if problem:
                yield Offence(path, line, problem)
        if self.is_pure(room, path):
            yield from self.impurities(path, source)

    def is_pure(self, room: str, path: str) -> bool:
        module = str(Path(path).with_suffix(""))
        return module in self.rules.PURE_MODULES or (
            room in self.rules.PURE_ROOMS and module not in self.rules.NOT_PURE)

    def own_include(self, room: str, path: str, name: str) -> str | None:
        if name.startswith((".", "/")) or "/../" in name or "/" not in name:
            return f'"{name}": our own headers are included by their path from the repository root'
        target = name.split("/", 1)[0]
        if target not in self.rules.OWN_ROOMS:
            return f'"{name}": no room of ours; other people\'s headers are included with <>'
        if not (self.root / name).is_file():
            return f'"{name}": no such file'
        if target != room and target not in self.rules.OWN_ROOMS[room] \
                and name not in self.rules.OWN_HEADERS.get(room, set()):
            return f'"{name}": {room} may not include this of {target}'
        if self.is_pure(room, path) and not self.is_pure(target, name):
            return f'"{name}": a pure module includes pure modules only'
        return None

    def foreign_include(self, room: str, path: str, name: str) -> str | None:
        if name.split("/", 1)[0] in self.rules.OWN_ROOMS and (self.root / name).is_file():
            return f"<{name}>: our own headers are included with quotes"
        if room in ("tests", "bench"):
            return None
        pure = self.is_pure(room, path)
        if "/" not in name and "." not in name:
            if pure and name in self.rules.IMPURE_HEADERS:
                return f"<{name}>: a pure module has no I/O, clock, randomness, lock or thread"
            return None
        for party, (prefixes, allowed) in self.rules.THIRD_PARTY.items():
            if name.startswith(prefixes):
                if pure and party == "boost":
                    return f"<{name}>: a pure module has no I/O"
                return None if matches(path, allowed) else f"<{name}>: {party} is not for this file"
        if self.is_system_header(name):
            if pure or room not in self.rules.SYSTEM_HEADER_ROOMS:
                return f"<{name}>: a header of the operating system is not for this file"
            return None
        return f"<{name}>: an unknown dependency; rules.py, THIRD_PARTY says who may include what"

    @staticmethod
    def is_system_header(name: str) -> bool:
        return name.startswith(("sys/", "netinet/", "arpa/", "net/", "linux/", "asm/", "bits/")) or name in {
            "unistd.h", "fcntl.h", "poll.h", "signal.h", "errno.h", "time.h", "netdb.h", "pthread.h", "sched.h",
            "stdio.h", "stdlib.h", "string.h", "stdint.h", "termios.h", "dirent.h", "pwd.h", "grp.h", "syslog.h",
            "spawn.h", "dlfcn.h", "malloc.h", "endian.h", "getopt.h"}

    def impurities(self, path: str, source: str) -> Iterator[Offence]:
        plain = without_comments_and_literals(source)
        for pattern in self.rules.IMPURE_CALLS:
            for found in re.finditer(pattern, plain):
                yield Offence(path, line_of(plain, found.start()),
                              f"{found[0].strip()}: a pure module is given its time and its randomness, "
                              "and holds no lock")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(Path(arguments[0]).resolve())
    offences = checker.run()
    for offence in offences:
        print(offence)
    if not any(Path(path).suffix in CODE_SUFFIXES for path in checker.files):
        print("no source file found: nothing was checked")
        return 1
    print(f"{len(checker.files)} files checked, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
