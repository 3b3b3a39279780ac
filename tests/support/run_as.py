"""Which user PostgreSQL runs as: it refuses root, so root hands over to the package's user `postgres`."""

from __future__ import annotations

import functools
import os
import pathlib
import pwd
from typing import Any


@functools.cache
def server_user() -> pwd.struct_passwd:
    """The user that owns and runs the servers: `postgres` when we are root, else ourselves."""
    if os.getuid() == 0:
        return pwd.getpwnam("postgres")
    return pwd.getpwuid(os.getuid())


def popen_options() -> dict[str, Any]:
    """Arguments of subprocess functions that start a program as server_user()."""
    options: dict[str, Any] = {"env": clean_environment()}
    if os.getuid() == 0:
        user = server_user()
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return options


def clean_environment() -> dict[str, str]:
    """Our environment without anything that libpq or the servers would take as an order."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


@functools.cache
def postgres_bin() -> pathlib.Path:
    """The newest installed PostgreSQL's directory of programs; TIDEMARK_PG_BIN names another."""
    chosen = os.environ.get("TIDEMARK_PG_BIN")
    if chosen:
        return pathlib.Path(chosen)
    versions = [path for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not versions:
        raise RuntimeError("no PostgreSQL server under /usr/lib/postgresql: install the package postgresql")
    newest = max(versions, key=lambda path: float(path.parent.parent.name))
    return newest.parent
