"""Builds with a sanitizer: how to recognise one, what to ask of it, how its reports look, and that none is overlooked."""

from __future__ import annotations

import functools
import pathlib
import re

# Whatever ends the process with a report, be it a sanitizer or an assertion of the standard library.
_REPORT = re.compile(
    r"(ERROR|WARNING|SUMMARY): \w+Sanitizer|\w+Sanitizer has encountered|: runtime error: |: Assertion '.*' failed"
)

# Every report ends the process, or is found in its log; 99 is no exit code of the proxy's own. Leaks are looked for at an
# orderly end. ThreadSanitizer goes on, since one run may have more than one thing to tell.
OPTIONS = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
    ":check_initialization_order=1:strict_init_order=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=0:second_deadlock_stack=1:history_size=4",
}

_reports: list[str] = []


@functools.cache
def sanitizer_of(program: pathlib.Path) -> str:
    """`address`, `thread`, or nothing: what the program was built with."""
    content = program.read_bytes()
    for name, symbol in (("address", b"__asan_init"), ("thread", b"__tsan_init")):
        if symbol in content:
            return name
    return ""


def reports_in(text: str) -> list[str]:
    """The first lines of reports in a log or an output."""
    return [line for line in text.splitlines() if _REPORT.search(line)]


def assert_none_in(text: str, who: str) -> None:
    """Raises if there is a report in the text, and has the whole run fail, even if the test was expected to."""
    found = reports_in(text)
    if not found:
        return
    _reports.append(f"{who}: {found[0].strip()}")
    lines = text.splitlines()
    first = lines.index(found[0])
    raise AssertionError(f"a sanitizer's report on {who}:\n" + "\n".join(lines[max(0, first - 5) : first + 150]))


# Hooks of pytest: a conftest.py that imports them has them.


def pytest_sessionfinish(session, exitstatus) -> None:
    if _reports and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter) -> None:
    for report in _reports:
        terminalreporter.write_line(f"SANITIZER {report}", red=True)
