"""The naive splitter before a cluster: what every judge must catch."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

from support.free_ports import free_port
from support.postgres_cluster import PostgresCluster
from support.server_process import ServerProcess


class NaiveSplitter(ServerProcess):
    kind = "naive-splitter"

    def __init__(self, cluster: PostgresCluster) -> None:
        super().__init__(free_port(), cluster.directory)
        self._ports = [cluster.primary.port, *(node.port for node in cluster.replicas)]

    def command(self) -> list[str]:
        program = pathlib.Path(__file__).with_name("naive_splitter.py")
        return [sys.executable, str(program), str(self.port), *map(str, self._ports)]

    def parameters(self, **changes: Any) -> dict[str, Any]:
        # The superuser is trusted by the servers: the splitter has no password to give.
        return super().parameters(user="postgres") | changes
