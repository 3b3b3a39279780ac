"""Replicas that fall behind and catch up while sessions read, over and over."""

from __future__ import annotations

import random
import threading
from typing import Callable

from support.postgres_cluster import PostgresCluster
from support.postgres_node import PostgresNode

# What a replica does next: show commits at once, late, much too late, or not at all.
_MOODS: tuple[Callable[[PostgresNode], None], ...] = (
    lambda node: node.set_apply_delay(0),
    lambda node: node.set_apply_delay(20),
    lambda node: node.set_apply_delay(300),
    lambda node: node.pause_replay(),
)


class Unsettled:
    """`with Unsettled(nodes, seed):` one replica after the other changes its mood; the first shows commits at once.

    Waits for nothing but the servers themselves. `changes`: how many there were.
    """

    def __init__(self, cluster: PostgresCluster, seed: int = 1) -> None:
        self.changes = 0
        self._replicas = cluster.replicas[1:]
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="unsettled", daemon=True)

    def __enter__(self) -> "Unsettled":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(0.1):
                node = self._random.choice(self._replicas)
                node.resume_replay()
                self._random.choice(_MOODS)(node)
                self.changes += 1
        except BaseException as error:  # told to the test
            self._failure = error
