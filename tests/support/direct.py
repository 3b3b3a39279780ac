"""A PostgreSQL server itself in the place of the proxy: shows that a test asks for nothing unusual."""

from __future__ import annotations

import pathlib

from .postgres_node import PostgresNode
from .server_process import ServerProcess


class DirectServer(ServerProcess):
    """Looks like a ServerProcess; the server behind it is started and stopped by its cluster."""

    kind = "postgres"

    def __init__(self, node: PostgresNode, directory: pathlib.Path) -> None:
        super().__init__(node.port, directory)

    def start(self, seconds: float = 20.0, query: bool = True) -> None:
        self.wait_answering(seconds)

    def _assert_running(self) -> None:
        pass

    def close(self) -> None:
        pass
