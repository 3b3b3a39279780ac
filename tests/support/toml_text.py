"""Writes the little TOML that configuration files of tests need."""

from __future__ import annotations

import json
from typing import Any, Mapping


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return "[" + ", ".join(_value(item) for item in value) + "]"


def toml_text(tables: Mapping[str, Any], prefix: str = "") -> str:
    """`tables` as TOML. A list of mappings becomes an array of tables; mappings below that, inline tables."""
    plain, nested = [], []
    for key, value in tables.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            nested.append(toml_text(value, name + "."))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                body = "".join(f"{k} = {_value(v)}\n" for k, v in item.items())
                nested.append(f"[[{name}]]\n{body}")
        else:
            plain.append(f"{key} = {_value(value)}\n")
    head = f"[{prefix[:-1]}]\n" if prefix and plain else ""
    return head + "".join(plain) + "".join(nested)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, table by table; a value of None removes the key."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
