"""Adds up JUnit files of ctest and pytest: `tally.py file…` prints "passed failed skipped" and names failures.

A GoogleTest executable is one test to ctest; its own summary in the output says how many it holds.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree


def count(case: ElementTree.Element) -> tuple[int, int, int]:
    output = case.findtext("system-out") or ""
    passed = re.findall(r"\[  PASSED  \] (\d+) tests?\.", output)
    failed = re.findall(r"^ ?(\d+) FAILED TESTS?$", output, re.MULTILINE)
    broken = case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"
    if passed or failed:
        lost = sum(map(int, failed))
        return sum(map(int, passed)), max(lost, int(broken)), 0
    if broken:
        return 0, 1, 0
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        return 0, 0, 1
    return 1, 0, 0


def main() -> None:
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"no results in {path}: {error}", file=sys.stderr)
            totals[1] += 1
            continue
        for case in cases:
            for index, value in enumerate(count(case)):
                totals[index] += value
                if index == 1 and value:
                    print(f"FAILED {case.get('classname', '')} {case.get('name', '')}", file=sys.stderr)
    print(*totals)


if __name__ == "__main__":
    main()
