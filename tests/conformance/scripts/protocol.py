"""Messages that are malformed, unknown or out of place; fastpath calls, large objects, cancels, ends of connections."""

from dsl import *

script = area(__name__)

script("an unknown message", Raw("y", b""), Closes())
for kind in "aAtGNRVWYZ":
    script(f"an unknown message of type {kind}", "select 1", Send(Raw(kind, b"x")), Closes())
script("a message of type zero", Raw("\0", b""), Closes())
script("a length that is too small", "select 1", Send(Raw("Q", b"", length=3)), Closes())
script("a length of zero", Send(Raw("Q", b"", length=0)), Closes())
script("a negative length", Send(Raw("Q", b"", length=-1)), Closes())
script("a length beyond any limit", Send(Raw("Q", b"", length=0x7FFFFFFF)), Closes())
script("a Sync that is too long for its kind", Send(Raw("S", b"", length=20000)), Closes())
script("a Query without its zero", Raw("Q", b"select 1"), "select 2")
script("a Query with bytes behind its zero", Raw("Q", b"select 1\0select 2\0"), "select 3")
script("a Query without a body", Raw("Q", b""), "select 1")
script("a Sync with a body", Raw("S", b"more"), "select 1")
script("a Flush with a body", [Parse("select 1"), Raw("H", b"more")], SYNC)
script("a Terminate with a body", Send(Raw("X", b"more")), Closes())
script("a Parse without a query", [Raw("P", b"s\0"), SYNC], "select 1")
script("a Parse without its count", [Raw("P", b"s\0select 1\0"), SYNC], Again("s"))
script("a Parse with a count that is too high", [Raw("P", b"s\0select 1\0" + struct.pack("!H", 3)), SYNC], Again("s"))
script("a Parse with a negative count", [Raw("P", b"s\0select 1\0" + struct.pack("!h", -1)), SYNC], Again("s"))
script("a Parse with bytes behind it", [Raw("P", b"s\0select 1\0\0\0more"), SYNC], Again("s"))
script("a Bind without anything", [Parse("select 1"), Raw("B", b""), SYNC], "select 1")
script("a Bind without its values", [Parse("select $1::int"), Raw("B", b"\0\0\0\0\0\1"), SYNC], "select 1")
script("a Bind with a value that is cut",
       [Parse("select $1::text"), Raw("B", b"\0\0\0\0\0\1" + struct.pack("!i", 100) + b"x"), SYNC], "select 1")
script("a Bind with a value of negative length",
       [Parse("select $1::text"), Raw("B", b"\0\0\0\0\0\1" + struct.pack("!i", -2) + b"\0\0"), SYNC], "select 1")
script("a Bind with bytes behind it", [Parse("select 1"), Raw("B", b"\0\0\0\0\0\0\0\0more"), SYNC], "select 1")
script("a Describe of neither", [Raw("D", b"Xs\0"), SYNC], "select 1")
script("a Describe without a name", [Raw("D", b"S"), SYNC], [Raw("D", b""), SYNC], "select 1")
script("a Close of neither", [Raw("C", b"Xs\0"), SYNC], "select 1")
script("a Close without a name", [Raw("C", b"S"), SYNC], [Raw("C", b""), SYNC], "select 1")
script("an Execute without its count", [Parse("select 1"), Bind(), Raw("E", b"\0"), SYNC], "select 1")
script("an Execute with a negative count",
       [Parse("select generate_series(1, 3)"), Bind(), Execute(-1), SYNC], "select 1")
script("malformed, within a pipeline",
       [Run("insert into note values (1)")[:-1], Raw("D", b"X\0"), Run("insert into note values (2)")], "table note")
script("malformed, within a transaction", "begin", [Raw("B", b""), SYNC], "select 1", "rollback")
script("malformed, behind a Flush",
       [Parse("insert into note values (1)"), Bind(), Execute(), FLUSH], [Raw("D", b"X\0"), SYNC], B("table note"))
script("malformed, behind an error of the same packet", [Parse("selec"), Raw("B", b""), SYNC], "select 1")
script("malformed, behind an error and a Flush", [Parse("selec"), FLUSH], [Raw("D", b"X\0"), SYNC], "select 1")
script("malformed, behind a Sync of the same packet", [Run("select 1"), Raw("P", b"s\0"), SYNC], "select 1")
script("malformed, behind a DEALLOCATE", [Run("deallocate all")[:-1], Raw("B", b""), SYNC], "select 1")
script("malformed, behind a held BEGIN", "begin read only", [Run("select 1")[:-1], Raw("B", b""), SYNC], "select 1")
script("malformed, in a failed transaction", "begin", "selec", [Parse("rollback"), Raw("B", b""), SYNC], "select 1")
script("a Sync with a body, while errors are skipped", [Parse("selec"), FLUSH], Raw("S", b"more"), "select 1")
script("a Sync with a body, behind a statement", [*Run("select 1")[:-1], Raw("S", b"more")], "select 1")
script("an unknown message in a pipeline", [Run("select 1")[:-1], Raw("y", b"")], Closes())
for kind in "CDEHX":
    script(f"a message of type {kind} that is too long for its kind", "select 1",
           Send(Raw(kind, b"S" + b"x" * 11000)), Closes())
script("half a message, then nothing", Bytes(b"Q\0\0\0\x20select"), HangUp(), login(), "select 1")
script("a message byte by byte",
       *[Bytes(bytes([byte])) for byte in wire.query("select 'slow'")[:-1]], Send([]), Bytes(b"\0"), Await("Z"))
script("a password out of place", Raw("p", b"secret\0"), Closes())
script("a startup packet out of place", Bytes(wire.startup({"user": "app"})), Closes())
script("an HTTP request in a session", Bytes(b"GET / HTTP/1.1\r\n\r\n"), Closes())

script("Terminate", "select 1", TERMINATE)
script("Terminate at once", TERMINATE)
script("Terminate behind a Query in one packet", [Query("insert into note values (1)"), TERMINATE], B("table note"))
script("Terminate behind a long Query",
       [Query("insert into note select pg_sleep(0.05)"), TERMINATE], B("select count(*) from note"))
script("Terminate in a failed transaction", "begin", "selec", TERMINATE)
script("the client vanishes", "select 1", HangUp(), login(), "select 1")
script("the client vanishes with half a pipeline",
       Send([Run("insert into note values (1)")[:-1]]), HangUp(), login(), "table note")
script("a server process is ended by an administrator, in a transaction",
       "begin", "insert into note values ('ending')",
       Outside("select pg_terminate_backend(pid, 5000) from pg_stat_activity where query like '%ending%' and pid <> pg_backend_pid()"),
       "select 1", B("table note"))

script("a fastpath call", FunctionCall(141, struct.pack("!i", 2), struct.pack("!i", 3), formats=(1,)))
script("a fastpath call in text", FunctionCall(141, "6", "7", result=0), FunctionCall(871, "text", result=0))
script("a fastpath call with NULL", FunctionCall(141, None, struct.pack("!i", 3), formats=(1,)))
script("a fastpath call that fails",
       FunctionCall(154, struct.pack("!i", 1), struct.pack("!i", 0), formats=(1,)), "select 1")
script("a fastpath call of what is not there", FunctionCall(999999), "select 1")
script("a fastpath call with too few arguments", FunctionCall(141, struct.pack("!i", 2), formats=(1,)))
script("a fastpath call that is malformed",
       Raw("F", b"\0\0"), "select 1", Raw("F", struct.pack("!IHH", 141, 0, 2)), "select 1")
script("a fastpath call in a transaction",
       "begin", FunctionCall(141, "6", "7", result=0), "selec", FunctionCall(141, "6", "7", result=0), "rollback")
script("a fastpath call in a READ ONLY transaction",
       "begin read only", FunctionCall(141, "6", "7", result=0), "commit")
script("a fastpath call behind an extended message",
       [Parse("select 1"), FunctionCall(141, "6", "7", result=0)], Again(""))
script("fastpath calls in a pipeline",
       [Run("select 1")[:-1], FunctionCall(141, "6", "7", result=0), Run("select 2"), FunctionCall(141, "6", "7", result=0)])
script("a fastpath call that fails in a pipeline",
       [Run("insert into note values (1)")[:-1], FunctionCall(999999), Run("select 2")], "table note")
script("a fastpath call while errors are skipped",
       [Parse("selec"), FunctionCall(141, "6", "7", result=0), SYNC], FunctionCall(141, "6", "7", result=0))
script("a fastpath call of an advisory lock",
       FunctionCall(2880, struct.pack("!q", 5), formats=(1,)), B("select pg_try_advisory_lock(5)"),
       FunctionCall(2885, struct.pack("!q", 5), formats=(1,)),
       B("select pg_try_advisory_lock(5)", "select pg_advisory_unlock(5)"))

script("a large object",
       "select lo_create(90001)", "begin", "select lo_open(90001, 131072 | 262144)", "select lowrite(0, 'hello')",
       "select lo_lseek(0, 1, 0)", "select loread(0, 10)", "select lo_tell(0), lo_close(0)", "commit",
       "select lo_get(90001)", "select lo_unlink(90001)", "select lo_get(90001)")
script("a large object by fastpath",
       "begin", FunctionCall(715, "90002", result=0), FunctionCall(952, "90002", "393216", result=0),
       FunctionCall(955, struct.pack("!i", 0), b"bytes \0\xff", formats=(1,)),
       FunctionCall(956, "0", "2", "0", result=0),
       FunctionCall(954, struct.pack("!i", 0), struct.pack("!i", 100), formats=(1,)),
       FunctionCall(953, "0", result=0), "commit", "select lo_get(90002)")
script("a large object outside a transaction",
       "select lo_from_bytea(90003, 'x')", "select lo_open(90003, 262144)", "select loread(0, 1)",
       "select lo_put(90003, 1, 'yz')", "select lo_get(90003)", "select lo_get(90003, 1, 1)",
       "select lo_truncate(0, 1)")
script("a large object in a READ ONLY transaction",
       "select lo_from_bytea(90004, 'x')", "begin read only", "select lo_open(90004, 262144)", "select loread(0, 9)",
       "commit", "begin read only", "select lo_open(90004, 131072)", "rollback")
script("a large object that is not there",
       "begin", "select lo_open(90999, 262144)", "rollback", "select lo_unlink(90999)",
       "select lo_import('/etc/passwd')", "select lo_export(90999, '/tmp/x')")
script("large objects in the catalog",
       "select lo_from_bytea(90005, 'x')", "select oid, lomowner::regrole from pg_largeobject_metadata",
       "comment on large object 90005 is 'mine'", "alter large object 90005 owner to clerk",
       "grant select on large object 90005 to clerk")

script("a cancel of a statement",
       Send("select pg_sleep(20)"), Running("pg_sleep(20)"), Cancel(), Answers(), "select 1")
script("a cancel in a transaction",
       "begin", Send("select pg_sleep(20)"), Running("pg_sleep(20)"), Cancel(), Answers(), "select 1", "rollback")
script("a cancel in the extended protocol",
       Send(Run("select pg_sleep($1)", "20")), Running("pg_sleep($1)"), Cancel(), Answers(), "select 1")
script("a cancel in the middle of a pipeline",
       Send([Run("insert into note values (1)")[:-1], Run("select pg_sleep(20)")[:-1], Run("select 3"), Run("select 4")]),
       Running("pg_sleep(20)"), Cancel(), Answers(), "table note")
script("a cancel among several statements",
       Send("insert into note values (1); select pg_sleep(20); select 2"), Running("pg_sleep(20)"), Cancel(),
       Answers(), "table note")
script("a cancel of a wait for a lock",
       "begin", "lock table note", B(Send("insert into note values (1)")), Blocked(), Cancel("b"),
       B(Answers(), "select 1"), "commit")
script("a cancel of COPY",
       Send("copy (select pg_sleep(20)) to stdout"), Running("pg_sleep(20)"), Cancel(), Answers(), "select 1")
script("a cancel of a write",
       Send("insert into note select pg_sleep(20)"), Running("pg_sleep(20)"), Cancel(), Answers(), "table note")
script("a cancel when nothing runs", "select 1", Cancel(), "select 2", "select 3")
script("a cancel with a wrong secret",
       Send("select pg_sleep(0.2)"), Running("pg_sleep(0.2)"), Cancel(wrong=True), Answers())
script("a cancel of another client's",
       Send("select pg_sleep(0.2)"), B("select 1"), Running("pg_sleep(0.2)"), Cancel("b"), Answers(), B("select 2"))
script("a cancel in DO that is caught",
       # The postmaster signals the process and its group (signal_child): a slow machine makes two cancels of one.
       Send("do $$ begin begin perform pg_sleep(20); exception when query_canceled then perform pg_sleep(0.1); end;"
            " raise notice 'caught'; exception when query_canceled then raise notice 'caught'; end $$"),
       Running("pg_sleep(20)"), Cancel(), Answers(), "select 1")
script("pg_cancel_backend by an administrator",
       Send("insert into note select pg_sleep(20)"), Running("pg_sleep(20)"),
       Outside("select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(20)%' and pid <> pg_backend_pid()"),
       Answers(), "select 1")
