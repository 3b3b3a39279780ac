"""Many logged-in connections that do nothing."""

from __future__ import annotations

import resource

import programs  # noqa: F401  (makes the tests' support package importable)
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE
from support.server_process import ServerProcess
from support.wire import WireClient, query


class IdleClients:
    """`count` connections to `server`, each logged in and having run one query; closed at the end of the block."""

    def __init__(self, server: ServerProcess, count: int) -> None:
        self._server = server
        self._count = count
        self._clients: list[WireClient] = []

    def __enter__(self) -> "IdleClients":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < self._count + 200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(self._count + 200, hard), hard))
        try:
            for _ in range(self._count):
                client = WireClient(self._server.host, self._server.port)
                self._clients.append(client)
                last = client.login(APP_USER, APP_PASSWORD, DATABASE)[-1]
                if last.type != "Z" or any(reply.type == "E" for reply in client.ask(query("select 1"))):
                    raise RuntimeError(f"{self._server.kind} refused an idle client: {last}")
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()

    def __exit__(self, *_: object) -> None:
        self.close()
