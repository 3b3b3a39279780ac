"""COPY of every kind: in, out, failing on either side, among other statements, in the extended protocol, in pipelines."""

from dsl import *

script = area(__name__)
IN = "copy note from stdin"

script("out", "copy item to stdout", "copy (select id, name from item order by id desc) to stdout")
script("out: formats",
       "copy item to stdout (format csv, header)",
       "copy item to stdout with csv delimiter ';' quote '''' force quote *",
       "copy item (id, name) to stdout (format binary)", "copy item to stdout (null 'nothing', delimiter '|')")
script("out: nothing", "copy note to stdout", "copy (select) to stdout", "copy (select from item) to stdout")
script("out: an error at once",
       "copy nowhere to stdout", "copy (selec) to stdout", "copy item (nope) to stdout",
       "copy item to stdout (format nope)")
script("out: an error after some rows", "copy (select 1/(3 - g) from generate_series(1, 5) g) to stdout")
script("out: an error after many rows",
       "copy (select 1/(9000 - g) from generate_series(1, 10000) g) to stdout (format binary)")
script("out: of a write", "copy (insert into note values (1) returning v) to stdout", "table note")
script("out: a function that writes",
       "create function w() returns int language sql as 'insert into note values (1) returning 1'",
       "copy (select w()) to stdout", "table note")
script("out: in a transaction",
       "begin", "insert into note values (1)", "copy note to stdout", "rollback", "copy note to stdout")
script("out: in a READ ONLY transaction",
       "begin read only", "copy item to stdout", "copy (select 1) to stdout", "commit")
script("out: in a failed transaction", "begin", "selec", "copy item to stdout", "rollback")
script("out: among several statements",
       "select 1; copy item to stdout; select 2", "copy item to stdout; copy item to stdout")
script("out: among several statements, then an error",
       "copy item to stdout; select 1/0", "insert into note values (1); copy note to stdout; selec")
script("out: in the extended protocol",
       Run("copy item to stdout"), [Parse("copy item to stdout", "s"), DescribeStatement("s"), SYNC], Again("s"),
       Again("s"))
script("out: with a row limit", [Parse("copy item to stdout"), Bind(), Execute(1), SYNC])
script("out: in a pipeline", [Run("select 1")[:-1], Run("copy item to stdout")[:-1], Run("select 2")])
script("out: wide and long", "copy (select repeat('x', 20000), g from generate_series(1, 20) g) to stdout")
script("out: special characters",
       "copy (select E'a\\tb\\nc\\\\d\\r', null, '\\N', '') to stdout",
       "copy (select E'a\"b,c\\nd', null, '') to stdout csv")
script("out: to a file or a program is refused",
       "copy item to '/tmp/x'", "copy item to program 'cat'", "copy item from '/tmp/x'")
script("out: an encoding",
       "copy (select 'ä') to stdout (encoding 'LATIN1')", "set client_encoding = 'LATIN1'",
       "copy (select 'ä') to stdout")
script("out: of a table with a setting that matters",
       "set datestyle = 'German'", "copy (select date '2026-02-01') to stdout")

script("in", IN, [CopyData("a\nb\n"), CopyData("c\n"), COPY_DONE], "select * from note order by v")
script("in: all in one packet", [Query(IN), CopyData("a\nb\n"), COPY_DONE], "table note")
script("in: nothing", IN, COPY_DONE, "table note")
script("in: data split anywhere",
       IN, [CopyData("al"), CopyData("pha\nbe"), CopyData(""), CopyData("ta\n"), CopyData("gamma"), COPY_DONE],
       "table note")
script("in: with the end mark of old", IN, [CopyData("a\n\\.\nb\n"), COPY_DONE], "table note")
script("in: CopyFail", IN, [CopyData("a\n"), CopyFail("I gave up")], "table note", "select 1")
script("in: CopyFail without a text", IN, CopyFail(""), "table note")
script("in: CopyFail at once", [Query(IN), CopyFail("no"), Query("table note")])
script("in: bad data",
       "copy item from stdin", [CopyData("10\tx\t1\n"), CopyData("nope\ty\t2\n"), CopyData("12\tz\t3\n"), COPY_DONE],
       "select count(*) from item")
script("in: bad data, and much behind it",
       "copy item from stdin",
       [CopyData("nope\ty\t2\n"), [CopyData("12\tz\t3\n" * 1000) for _ in range(100)], COPY_DONE],
       "select count(*) from item")
script("in: a key that is taken",
       "copy item from stdin", [CopyData("1\tx\t1\n"), COPY_DONE], "select count(*) from item")
script("in: a constraint", "copy item from stdin", [CopyData("10\tx\t-1\n"), COPY_DONE])
script("in: a deferred constraint",
       "copy line from stdin", [CopyData("1\t99\n"), COPY_DONE], "select count(*) from line")
script("in: missing and additional columns",
       "copy item from stdin", [CopyData("10\tx\n"), COPY_DONE], "copy item from stdin",
       [CopyData("10\tx\t1\t2\n"), COPY_DONE])
script("in: some columns",
       "copy item (name, id) from stdin", [CopyData("x\t10\n"), COPY_DONE], "select * from item where id = 10")
script("in: csv",
       "copy item from stdin (format csv, header)", [CopyData('id,name,price\n10,"a,b",\n11,"c\nd",2\n'), COPY_DONE],
       "select * from item where id > 9 order by id", "copy item from stdin csv", [CopyData('12,"open'), COPY_DONE])
script("in: binary",
       "copy note from stdin (format binary)",
       [CopyData(b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1\0\0\0\1x\xff\xff"), COPY_DONE], "table note")
script("in: binary that is none",
       "copy note from stdin (format binary)", [CopyData("no such thing"), COPY_DONE], "table note")
script("in: WHERE, FREEZE and others",
       "copy item from stdin where id > 10", [CopyData("10\tx\t1\n11\ty\t1\n"), COPY_DONE],
       "copy note from stdin freeze", COPY_DONE, "copy note from stdin (format nope)", "copy nowhere from stdin",
       "copy pg_class from stdin")
script("in: other data types",
       "create table x (a int[], b bytea, c mood, d jsonb)", "copy x from stdin",
       [CopyData("{1,2}\t\\\\x00ff\tok\t{\"a\": 1}\n\\N\t\\N\t\\N\t\\N\n"), COPY_DONE], "table x")
script("in: an encoding",
       "copy note from stdin (encoding 'LATIN1')", [CopyData(b"\xe4\n"), COPY_DONE], IN,
       [CopyData(b"\xe4\n"), COPY_DONE], "table note")
script("in: in a transaction",
       "begin", IN, [CopyData("a\n"), COPY_DONE], "select count(*) from note", "rollback",
       "select count(*) from note")
script("in: in a transaction that fails by it", "begin", IN, CopyFail("no"), "select 1", "rollback")
script("in: in a READ ONLY transaction", "begin read only", IN, "rollback", "select 1")
script("in: in a failed transaction", "begin", "selec", IN, "rollback")
script("in: behind a savepoint",
       "begin", "savepoint s", IN, CopyFail("no"), "rollback to s", IN, [CopyData("a\n"), COPY_DONE], "commit",
       "table note")
script("in: among several statements",
       "insert into note values (1); copy note from stdin; select count(*) from note", [CopyData("a\n"), COPY_DONE])
script("in: twice in one Query",
       "copy note from stdin; copy note from stdin", [CopyData("a\n"), COPY_DONE], [CopyData("b\n"), COPY_DONE],
       "table note")
script("in, then out, in one Query", "copy note from stdin; copy note to stdout", [CopyData("a\n"), COPY_DONE])
script("in: among several statements, failing",
       "insert into note values (1); copy note from stdin; select 2", CopyFail("no"), "table note")
script("in: in the extended protocol",
       [Parse(IN), Bind(), DescribePortal(), Execute(), SYNC], [CopyData("a\n"), COPY_DONE, SYNC], "table note")
script("in: in the extended protocol, with Flush",
       [Parse(IN), Bind(), Execute(), FLUSH], [CopyData("a\n"), COPY_DONE, SYNC], "table note")
script("in: in the extended protocol, all at once",
       [Parse(IN), Bind(), Execute(), CopyData("a\n"), COPY_DONE, SYNC], "table note")
script("in: in the extended protocol, CopyFail",
       [Parse(IN), Bind(), Execute(), SYNC], [CopyFail("no"), SYNC], "table note")
script("in: in the extended protocol, bad data",
       [Parse("copy item from stdin"), Bind(), Execute(), SYNC], [CopyData("nope\n"), COPY_DONE, SYNC], "select 1")
script("in: prepared, and run twice",
       [Parse(IN, "s"), SYNC], [Bind(statement="s"), Execute(), FLUSH], [CopyData("a\n"), COPY_DONE, SYNC],
       [Bind(statement="s"), Execute(), FLUSH], [CopyData("b\n"), COPY_DONE, SYNC], "table note")
script("in: in the middle of a pipeline",
       [Run("insert into note values (1)")[:-1], Parse(IN), Bind(), Execute(), CopyData("a\n"), COPY_DONE, Run("select count(*) from note")])
script("in: a pipeline that fails after it",
       [Parse(IN), Bind(), Execute(), CopyData("a\n"), COPY_DONE, Run("select 1/0")], "table note")
script("in: Flush and Sync among the data",
       IN, [CopyData("a\n"), FLUSH, CopyData("b\n"), SYNC, CopyData("c\n"), COPY_DONE], "table note")
script("in: another message among the data", IN, [CopyData("a\n"), Query("select 1")], Closes())
script("in: Parse among the data", IN, [CopyData("a\n"), Parse("select 1")], Closes())
script("in: CopyDone with a body", IN, [CopyData("a\n"), Raw("c", b"more")], "table note")
script("in: Sync and Flush with a body among the data",
       IN, [CopyData("a\n"), Raw("S", b"more"), Raw("H", b"more"), COPY_DONE], "table note")
script("CopyDone with a body without COPY", [Raw("c", b"more"), Query("select 1")])
script("in: Terminate among the data", IN, [CopyData("a\n"), TERMINATE], B("table note"))
script("in: the client vanishes among the data", IN, CopyData("a\n"), HangUp(), B("table note"))
script("CopyData, CopyDone and CopyFail without COPY",
       CopyData("a\n"), COPY_DONE, CopyFail("no"), "select 1", [CopyData("b"), COPY_DONE, SYNC])
script("in: a trigger that tells",
       "create function tell() returns trigger language plpgsql as $$ begin raise notice 'row %', new.v; return new; end $$",
       "create trigger t before insert on note for each row execute function tell()", IN,
       [CopyData("a\nb\n"), COPY_DONE])
script("in: ten thousand rows",
       IN, [[CopyData("".join(f"{n}-{m}\n" for m in range(500))) for n in range(20)], COPY_DONE],
       "select count(*), min(v), max(v) from note")
script("in: a row of a megabyte", IN, [CopyData("x" * 1_000_000 + "\n"), COPY_DONE], "select length(v) from note")
script("in: a temporary table",
       "create temp table x (v text)", "copy x from stdin", [CopyData("a\n"), COPY_DONE], "copy x to stdout")
script("in: a view, and a partitioned table",
       "create view y as table note", "copy y from stdin", "create table p (v int) partition by list (v)",
       "create table p1 partition of p for values in (1)", "copy p from stdin", [CopyData("1\n"), COPY_DONE],
       "copy p from stdin", [CopyData("2\n"), COPY_DONE], "copy p to stdout")
script("in: cancelled",
       IN, CopyData("a\n"), Running("copy note"), Cancel(), CopyData("b\n"), Answers(), COPY_DONE, "select 1")
script("in after out, of two clients",
       "copy item to stdout", B(IN), "select 1", B([CopyData("a\n"), COPY_DONE]), "table note")
