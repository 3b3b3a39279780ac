"""A program with a fault, in the proxy's place: whatever its sanitizer says fails the run."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.proxy_only
TESTS = pathlib.Path(__file__).resolve().parents[1]

# Waits for SIGTERM as the proxy does, and then ends well, but for its fault.
PROGRAM = """
#include <csignal>
#include <cstdlib>
#include <thread>
#include <unistd.h>
int shared = 0;
int main(int count, char**) {
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigprocmask(SIG_BLOCK, &end, nullptr);
  FAULT
  if (count > 1) { int number; sigwait(&end, &number); }
  return shared == 12345 ? 1 : 0;
}
"""
FAULTS = {
    "none": ("address,undefined", "", ""),
    "use after free": ("address,undefined", "int* p = new int(1); delete p; shared = *(int* volatile*)&p ? *p : 0;", "AddressSanitizer"),
    "leak": ("address,undefined", "for (int i = 1; i < 9; ++i) { int* volatile p = new int[i]; p = nullptr; }", "LeakSanitizer"),
    "overflow": ("address,undefined", "shared = 2147483600 + count * 100;", "runtime error"),
    "race": ("thread", "std::thread other([] { ++shared; }); ++shared; other.join();", "ThreadSanitizer"),
}

# The test is expected to fail, and the proxy is killed before anybody has looked: the report counts all the same.
TEST = """
import pytest
from support.deadline import wait_until
from support.proxy_process import ProxyProcess

@pytest.mark.xfail(reason="known", strict=False)
def test_killed():
    proxy = ProxyProcess(["127.0.0.1:1"])
    proxy.launch()
    try:
        wait_until(lambda: not proxy.running() or proxy.log(), "a report", 0.2)
    except AssertionError:
        pass  # none: it may come at the end
    proxy.close()
    assert False
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_report_fails_the_run(tmp_path, fault):
    sanitizer, statement, said = FAULTS[fault]
    source, program = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(PROGRAM.replace("FAULT", statement), encoding="ascii")
    subprocess.run(
        ["g++", "-std=c++20", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", source, "-o", program],
        check=True, timeout=300,
    )  # fmt: skip
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(TESTS)!r})\n"
        "from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary\n",
        encoding="ascii",
    )
    (tmp_path / "test_it.py").write_text(TEST, encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"TIDEMARK_BINARY": str(program), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert "1 xfailed" in done.stdout, done.stdout
    assert done.returncode == (1 if said else 0), done.stdout
    assert said in done.stdout
