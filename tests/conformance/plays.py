"""Plays scripts where they are to be played: at PostgreSQL, through the proxy, and among hostile neighbours."""

from __future__ import annotations

import importlib
import pathlib

import dsl
import hostile
from dsl import On, Script
from player import Player
from stage import PASSWORDS, Stage
from support.postgres_cluster import PostgresCluster
from support.proxy_process import ProxyProcess
from support.wire import ConnectionClosed


def all_scripts() -> list[Script]:
    """Every script of every file in scripts/, which must all be there under names of their own."""
    for path in sorted((pathlib.Path(__file__).parent / "scripts").glob("*.py")):
        importlib.import_module(f"scripts.{path.stem}")
    return [script for area in dsl.AREAS.values() for script in area.scripts.values()]


class Plays:
    def __init__(self, cluster: PostgresCluster, stage: Stage) -> None:
        self.cluster, self.stage = cluster, stage
        self._proxies: dict[str, ProxyProcess] = {}
        self._expected: dict[str, list[str]] = {}
        self._churn: hostile.Churn | None = None

    def close(self) -> None:
        if self._churn is not None:
            self._churn.close()
        for proxy in self._proxies.values():
            proxy.close()

    def expected(self, script: Script) -> list[str]:
        """What PostgreSQL answers."""
        if script.id not in self._expected:
            self._expected[script.id] = self.at_postgresql(script)
        return self._expected[script.id]

    def at_postgresql(self, script: Script) -> list[str]:
        self.stage.reset()
        lines = Player(self.stage, "127.0.0.1", self.cluster.primary.port).play(script)
        return self._ended(lines)

    def through_proxy(self, script: Script) -> list[str]:
        proxy = self._proxy("usual", self.cluster.addresses, {})
        self.stage.reset()
        lines = Player(self.stage, proxy.host, proxy.port).play(script)
        return self._ended(lines, proxy)

    def among_hostile(self, script: Script) -> list[str]:
        proxy = self._proxy("hostile", self.cluster.addresses[:2], hostile.SETTINGS)
        self.stage.reset()
        if self._churn is None:
            self._churn = hostile.Churn(proxy.host, proxy.port, PASSWORDS["app"], self.stage.database)
        try:
            self._churn.begin(script.id, alone=not any(isinstance(step, On) for step in script.steps))
            lines = Player(self.stage, proxy.host, proxy.port, self._churn.step).play(script)
            self._churn.end()
        except (ConnectionClosed, OSError) as error:
            self._churn.close()
            self._churn = None
            lines = [f"! another client of the pool: {error!r}"]
        return self._ended(lines, proxy)

    def _ended(self, lines: list[str], proxy: ProxyProcess | None = None) -> list[str]:
        if proxy is not None:
            if not proxy.running():
                return [*lines, "! the proxy has ended by itself\n" + proxy.log_tail()]
            proxy.check_sanitizers()
        left = self.stage.quiet()
        return [*lines, "! " + left] if left else lines

    def _proxy(self, name: str, nodes: list[str], settings: dict) -> ProxyProcess:
        proxy = self._proxies.get(name)
        if proxy is None:
            proxy = ProxyProcess(nodes, settings, users=PASSWORDS, directory=self.cluster.directory)
            self._proxies[name] = proxy
        if not proxy.running():
            proxy.start()
        return proxy
