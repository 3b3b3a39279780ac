"""One cluster for all scripts; PostgreSQL's own answers are asked for once per script."""

from __future__ import annotations

import pathlib
import sys
from typing import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from plays import Plays  # noqa: E402
from stage import SETTINGS, Stage  # noqa: E402
from support.postgres_cluster import PostgresCluster  # noqa: E402
from support.sanitizers import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401


@pytest.fixture(scope="session")
def plays() -> Iterator[Plays]:
    with PostgresCluster(replicas=2, fsync=False, settings=SETTINGS) as cluster:
        stage = Stage(cluster)
        made = Plays(cluster, stage)
        yield made
        made.close()
        stage.close()
