"""Reads the Prometheus text format."""

from __future__ import annotations

import re
from typing import Iterator

_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            match = _LINE.match(line)
            if match:
                labels = dict(_LABEL.findall(match["labels"] or ""))
                self._samples.append((match["name"], labels, float(match["value"])))

    def samples(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and value of every sample of that name which has at least these labels."""
        for sample, has, value in self._samples:
            if sample == name and labels.items() <= has.items():
                yield has, value

    def sum(self, name: str, **labels: str) -> float:
        """Sum over every sample of that name which has at least these labels; 0 without any."""
        return sum(value for _, value in self.samples(name, **labels))

    def names(self) -> set[str]:
        return {name for name, _, _ in self._samples}
