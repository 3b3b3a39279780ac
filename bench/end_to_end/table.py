"""The measurements of a run, and the one table that is made of them."""

from __future__ import annotations

import statistics
from typing import Callable


class Results:
    """Values by measure, candidate and round. A ratio is the median over the rounds of the ratio within a round:
    what slows the machine down for a while slows all candidates of that round down."""

    def __init__(self, names: list[str], reference: str) -> None:
        self.names = names
        self.reference = reference
        self._values: dict[str, dict[str, list[float]]] = {}

    def add(self, measure: str, name: str, value: float | None) -> None:
        if value is not None:
            self._values.setdefault(measure, {}).setdefault(name, []).append(value)

    def median(self, measure: str, name: str) -> float | None:
        values = self._values.get(measure, {}).get(name)
        return statistics.median(values) if values else None

    def ratio(self, measure: str, name: str) -> float | None:
        ours = self._values.get(measure, {}).get(name)
        theirs = self._values.get(measure, {}).get(self.reference)
        if not ours or not theirs or name == self.reference:
            return None
        if len(ours) == len(theirs):
            pairs = [mine / other for mine, other in zip(ours, theirs) if other]
            return statistics.median(pairs) if pairs else None
        other = statistics.median(theirs)
        return statistics.median(ours) / other if other else None

    def as_dictionary(self) -> dict:
        return {"reference": self.reference, "rounds": self._values}

    def markdown(self, rows: list[tuple[str, str, Callable[[float], str]]]) -> str:
        """One line per (measure, title, format) that was measured; beside each value its ratio to the reference."""
        lines = [["", *self.names]]
        for measure, title, shown in rows:
            if measure not in self._values:
                continue
            cells = [title]
            for name in self.names:
                value, ratio = self.median(measure, name), self.ratio(measure, name)
                cell = "–" if value is None else shown(value)
                cells.append(cell if ratio is None else f"{cell} ({ratio:.2f} x)")
            lines.append(cells)
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        text = []
        for number, line in enumerate(lines):
            padded = [cell.ljust(width) if column == 0 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))]
            text.append("| " + " | ".join(padded) + " |")
            if number == 0:
                text.append("|" + "|".join("-" * (width + 1) + ("-" if column == 0 else ":")
                                           for column, width in enumerate(widths)) + "|")
        return "\n".join(text)


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def one_decimal(value: float) -> str:
    return f"{value:,.1f}"


def two_decimals(value: float) -> str:
    return f"{value:,.2f}"
