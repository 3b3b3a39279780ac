"""What a client sees differently through the proxy, and must: by name, with the reason.

mask(lines) takes the difference, and nothing else, out of a trace. A script that is listed must differ before masking,
and be the same afterwards; what is not masked is compared as ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable

Mask = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Difference:
    name: str
    reason: str
    mask: Mask
    scripts: tuple[str, ...]
    sometimes: bool = False  # only on some of the server connections that a script may meet


def _without_source(lines: list[str]) -> list[str]:
    return [re.sub(r"^(\w < ErrorResponse .*?) \| F=.*", r"\1", line) for line in lines]


def _code_of_fatal(lines: list[str]) -> list[str]:
    return [re.sub(r"^(\w < ErrorResponse S=FATAL \| V=FATAL \| C=\w+) .*", r"\1", line) for line in lines]


def _up_to_malformed(lines: list[str]) -> list[str]:
    """What comes before the answer to a message that cannot be read, and that answer's SQLSTATE."""
    for place, line in enumerate(lines):
        if " < ErrorResponse " in line and "| C=08P01 |" in line:
            return [*lines[:place], "malformed: 08P01"]
    return lines


def _up_to_error(lines: list[str]) -> list[str]:
    """Up to the first error, and what a second client sees."""
    first = next((place for place, line in enumerate(lines) if " < ErrorResponse " in line), len(lines))
    return lines[:first] + [line for line in lines[first:] if line.startswith("b ")]


def _up_to_refusal(lines: list[str]) -> list[str]:
    """Up to the statement that a standby refuses; else the login alone."""
    locks = [place for place, line in enumerate(lines) if " > Query lock table" in line]
    return lines[: locks[0] + 1] if locks else lines[:1]


def _without(pattern: str) -> Mask:
    """Leaves out what matches."""
    return lambda lines: [line for line in lines if not re.match(r"\w < " + pattern, line)]


def _without_answers(pattern: str) -> Mask:
    """Leaves out what is answered to such messages, up to ReadyForQuery."""

    def mask(lines: list[str]) -> list[str]:
        kept = []
        leaving_out = False
        for line in lines:
            if line[2] == ">":
                leaving_out = re.match(r"\w > " + pattern, line) is not None
            if not leaving_out or line[2] == ">" or " < ReadyForQuery" in line:
                kept.append(line)
        return kept

    return mask


_SOURCE = "An error that Tidemark makes itself has no place in PostgreSQL's source: no fields F, L and R, or those of a message of its own."
_SHARED = (
    "A client is connected to Tidemark, whose connections to servers have served others. The protocol's version and the"
    " cancel key are Tidemark's, which speaks 3.2 with longer keys whatever the servers speak. What was prepared by Parse"
    " is shared under names of Tidemark's: pg_prepared_statements shows those, and SQL's EXECUTE, or a DEALLOCATE among"
    " several statements of one Query, does not find the client's."
)

DIFFERENCES = [
    Difference(
        "source",
        _SOURCE,
        _without_source,
        (
            "startup: client_encoding that is unknown",
            "startup: a setting that is unknown",
            "startup: a setting with a bad value",
            "startup: a setting that only a superuser may give",
            "startup: a setting that needs a server start",
            "startup: options: what no client may give",
            "startup: options: nonsense",
            "startup: options: a bad switch",
            "startup: options: without a value",
            "startup: options: a bad switch behind others",
            "startup: options: a switch with a bad argument",
            "startup: options: a switch without its argument",
            "startup: options: words that are no switches",
            "startup: options: a bad name of one's own",
            "startup: options: no name at all",
            "startup: options: switches that a client may not give",
            "startup: options: a switch of a superuser",
            "startup: options: several switches in one word",
            "startup: options: a bad switch and a wrong password",
            "transactions: idle for too long",
            "transactions: idle for too long, set at startup",
            "transactions: idle in a READ ONLY transaction for too long",
            "startup: a database that is not there",
            "startup: a user that is not there",
            "startup: a wrong password",
            "startup: an empty password",
            "startup: a database named like the user, by default",
            "startup: no user",
            "startup: an empty user",
            "startup: several unknown options of the protocol",
            "startup: encryption is refused, and then done without",
            "startup: a query before the password",
            "startup: channel binding without TLS",
            "startup: a name of a database that is too long",
        ),
    ),
    Difference(
        "source",
        _SOURCE,
        _without_source,
        ("transactions: a failed transaction: Parse, Describe and Bind",),
        sometimes=True,
    ),
    Difference(
        "own words",
        "What no client library sends is refused with PostgreSQL's SQLSTATE and severity, but in words that fit what was read.",
        _code_of_fatal,
        (
            "startup: protocol 4.0",
            "protocol: an unknown message",
            "protocol: a message of type zero",
            "protocol: a password out of place",
            "protocol: a startup packet out of place",
            "protocol: an HTTP request in a session",
            "startup: replication with a bad value",
            "startup: a startup packet without its last zero",
            "startup: a startup packet with half a parameter",
            "startup: an unknown SASL mechanism",
            "startup: SASL data that is none",
            "startup: a SASL response without a body",
            "protocol: an unknown message of type a",
            "protocol: an unknown message of type A",
            "protocol: an unknown message of type t",
            "protocol: an unknown message of type G",
            "protocol: an unknown message of type N",
            "protocol: an unknown message of type R",
            "protocol: an unknown message of type V",
            "protocol: an unknown message of type W",
            "protocol: an unknown message of type Y",
            "protocol: an unknown message of type Z",
            "protocol: an unknown message in a pipeline",
        ),
    ),
    Difference(
        "malformed",
        "A message that cannot be read ends the connection (FATAL 08P01; PostgreSQL: often ERROR): what it was to change in the"
        " session, a statement's name for example, cannot be known.",
        _up_to_malformed,
        (
            "copy: in: another message among the data",
            "copy: in: Parse among the data",
            "protocol: a Query without its zero",
            "protocol: a Query with bytes behind its zero",
            "protocol: a Query without a body",
            "protocol: a Parse without a query",
            "protocol: a Parse without its count",
            "protocol: a Parse with a count that is too high",
            "protocol: a Parse with a negative count",
            "protocol: a Parse with bytes behind it",
            "protocol: a Describe of neither",
            "protocol: a Describe without a name",
            "protocol: a Close of neither",
            "protocol: a Close without a name",
            "protocol: malformed, within a transaction",
            "protocol: malformed, within a pipeline",
            "protocol: a Bind without anything",
            "protocol: a Sync with a body",
            "protocol: a Flush with a body",
            "protocol: malformed, behind a Flush",
            "protocol: malformed, behind a Sync of the same packet",
            "protocol: malformed, behind a DEALLOCATE",
            "protocol: malformed, behind a held BEGIN",
            "protocol: malformed, in a failed transaction",
            "protocol: a Sync with a body, while errors are skipped",
            "protocol: a Sync with a body, behind a statement",
        ),
    ),
    Difference(
        "last words",
        "Where PostgreSQL closes without a word, or writes in the format of protocol 2, Tidemark says in an ErrorResponse"
        " why it closes; and a client that has sent Terminate is told nothing more.",
        _without(r"ErrorResponse (S=FATAL .*\| C=(08P01|0A000) |S=ERROR .* during COPY )"),
        (
            "copy: in: Terminate among the data",
            "protocol: a length that is too small",
            "protocol: a length of zero",
            "protocol: a negative length",
            "protocol: a length beyond any limit",
            "protocol: a Sync that is too long for its kind",
            "protocol: a message of type C that is too long for its kind",
            "protocol: a message of type D that is too long for its kind",
            "protocol: a message of type E that is too long for its kind",
            "protocol: a message of type H that is too long for its kind",
            "protocol: a message of type X that is too long for its kind",
            "startup: protocol 2.0",
            "startup: protocol 1.0",
            "startup: a startup packet that is too short",
            "startup: a startup packet that is too long",
            "startup: a startup packet of negative length",
            "startup: an HTTP request",
            "startup: TLS is asked for twice",
            "startup: a cancel request that is too short",
        ),
    ),
    Difference(
        "one server",
        "What one server does by itself is not done for a client of a cluster: replication is not streamed, and a READ ONLY"
        " transaction, which a replica runs from its first read on, is refused what standbys refuse (locks that writers take).",
        _up_to_refusal,
        (
            "transactions: READ ONLY: a lock that writers take, behind a read",
            "startup: logical replication connection",
            "startup: physical replication connection",
            "startup: replication without the right to",
        ),
    ),
    Difference(
        "survival",
        "The end of a server is not the end of the client: its transaction fails with 40001, and the session goes on.",
        _up_to_error,
        (
            "protocol: a server process is ended by an administrator, in a transaction",
        ),
    ),
    Difference(
        "shared servers",
        _SHARED,
        _without(r"(NegotiateProtocolVersion |BackendKeyData |DataRow |CommandComplete SELECT )"),
        (
            "prepared statements: pg_prepared_statements",
            "startup: protocol 3.1",
            "startup: protocol 3.2",
            "startup: protocol 3.9",
            "startup: an unknown option with version 3.9",
        ),
    ),
    Difference(
        "shared servers",
        _SHARED,
        _without(r"(DataRow |CommandComplete SELECT )"),
        ("prepared statements: pg_prepared_statements of one who has none",),
        sometimes=True,
    ),
    Difference(
        "shared servers",
        _SHARED,
        _without(r"(ErrorResponse .*C=26000 |BindComplete|RowDescription |DataRow |CommandComplete (SELECT|DEALLOCATE))"),
        (
            "prepared statements: Parse, run by EXECUTE",
            "prepared statements: DEALLOCATE among several statements",
        ),
    ),
    Difference(
        "sequence state",
        "What lastval and currval answer belongs to one server connection: outside of the transaction that called nextval,"
        " Tidemark refuses a session that has written rather than answers from somebody else's.",
        _without_answers(r"Query select (currval|lastval)\("),
        (
            "settings: DISCARD SEQUENCES",
            "settings: currval and lastval stay with the session",
            "settings: currval before nextval",
        ),
    ),
    Difference(
        "healed plan",
        "A prepared statement whose result has changed its columns is prepared anew outside transactions, where PostgreSQL"
        " fails with 0A000.",
        _without("(ErrorResponse .*C=0A000 |BindComplete|RowDescription |DataRow |CommandComplete SELECT )"),
        (
            "prepared statements: a column is added",
            "prepared statements: a column is added by another client",
        ),
    ),
]


def of(script: str) -> list[Difference]:
    return [difference for difference in DIFFERENCES if script in difference.scripts]


def masked(lines: list[str], differences: list[Difference]) -> list[str]:
    for difference in differences:
        lines = difference.mask(lines)
    return lines
