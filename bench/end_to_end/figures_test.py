#!/usr/bin/python3
"""What the benchmarks read out of other programs' output, and how they make figures of it."""

import contextlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

import instructions
from callgrind import parse_totals
from load import parse_pgbench, percentile
from process import SystemCalls, parse_strace
from table import Results, one_decimal

STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.29    0.100000           6     16016           sendto
 38.00    0.060000           3     16100        40 recvfrom
  0.71    0.001000           1      1200           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.161000           4     33316        40 total
"""
PGBENCH = """pgbench (15.20 (Debian 15.20-0+deb12u1))
transaction type: <builtin: select only>
number of transactions actually processed: 8000
number of failed transactions: 0 (0.000%)
latency average = 0.352 ms
initial connection time = 12.1 ms
tps = 45432.123456 (without initial connection time)
"""


class ParsingTest(unittest.TestCase):
    def test_counts_of_strace_with_and_without_errors(self):
        self.assertEqual(parse_strace(STRACE), {"sendto": 16016, "recvfrom": 16100, "epoll_wait": 1200})

    def test_waiting_is_counted_apart(self):
        counted = SystemCalls(1, pathlib.Path("."))
        counted.calls = parse_strace(STRACE)
        self.assertAlmostEqual(counted.per(8000, waiting=False), 4.0145)
        self.assertAlmostEqual(counted.per(8000, waiting=True), 0.15)
        self.assertEqual(counted.named(8000), "2.01 recvfrom, 2.00 sendto, 0.15 epoll_wait")

    def test_pgbench(self):
        self.assertEqual(parse_pgbench(PGBENCH), (8000, 45432.123456))
        with self.assertRaises(RuntimeError):
            parse_pgbench("pgbench: error: connection failed")

    def test_callgrind_names_the_thread(self):
        self.assertEqual(parse_totals("version: 1\nthread: 3\nevents: Ir\n0 5\ntotals: 1234\n"), (3, 1234))
        self.assertEqual(parse_totals("version: 1\ntotals: 9\n"), (1, 9))
        self.assertIsNone(parse_totals("version: 1\nthread: 3\n"))


class FiguresTest(unittest.TestCase):
    def test_percentile(self):
        values = list(range(100))
        self.assertEqual((percentile(values, 0.5), percentile(values, 0.99)), (50, 99))
        self.assertEqual(percentile([7], 0.99), 7)
        self.assertIsNone(percentile([], 0.5))

    def test_a_ratio_is_taken_within_each_round(self):
        results = Results(["A", "B"], "A")
        for ours, theirs in ((10, 20), (100, 200), (30, 20)):
            results.add("cpu", "A", theirs)
            results.add("cpu", "B", ours)
        self.assertEqual(results.median("cpu", "B"), 30)
        self.assertEqual(results.ratio("cpu", "B"), 0.5)
        self.assertIsNone(results.ratio("cpu", "A"))

    def test_the_table_shows_a_dash_for_what_was_not_measured(self):
        results = Results(["direct", "A", "B"], "A")
        results.add("cpu", "A", 10.0)
        results.add("cpu", "B", 5.0)
        rows = results.markdown([("cpu", "CPU", one_decimal), ("never", "never", one_decimal)]).splitlines()
        self.assertEqual([[cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], rows[2])],
                         [["", "direct", "A", "B"], ["CPU", "–", "10.0", "5.0 (0.50 x)"]])
        self.assertEqual(len(rows), 3)


class CheckTest(unittest.TestCase):
    def verdict(self, stored: str | None, figures: dict[str, float]) -> int:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()):
            baseline = pathlib.Path(folder) / "baseline"
            if stored is not None:
                baseline.write_text(stored, encoding="ascii")
            with mock.patch.object(instructions, "BASELINE", baseline):
                return instructions.check(figures)

    def test_growth_by_a_tenth_is_allowed_and_more_is_not(self):
        stored = "# comment\nsimple 4000\nprepared 6000\n"
        self.assertEqual(self.verdict(stored, {"simple": 4400, "prepared": 3000}), 0)
        self.assertEqual(self.verdict(stored, {"simple": 4401, "prepared": 6000}), 1)
        self.assertEqual(self.verdict(stored, {"simple": 4000, "prepared": 6601}), 1)

    def test_nothing_stored_is_a_failure(self):
        self.assertEqual(self.verdict(None, {"simple": 1, "prepared": 1}), 1)
        self.assertEqual(self.verdict("simple 4000\n", {"simple": 1, "prepared": 1}), 1)


if __name__ == "__main__":
    unittest.main()
