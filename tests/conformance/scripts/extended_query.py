"""Portals, row limits, formats, errors in each message, Flush, pipelines, implicit transactions."""

from dsl import *

script = area(__name__)
NUMBERS = "select generate_series(1, 5) as n"

script("the usual course", Run("select 1"), Run("select $1::text, $2::int", "x", 5))
script("only Sync", SYNC, SYNC, [SYNC, SYNC, SYNC])
script("only Flush", FLUSH, [FLUSH, FLUSH, SYNC])
script("each message with a Flush",
       [Parse("select 1 as one"), FLUSH], [Bind(), FLUSH], [DescribePortal(), FLUSH], [Execute(), FLUSH], SYNC)
script("each message with a Flush: a write",
       [Parse("insert into note values ($1)"), FLUSH], [Bind("x"), FLUSH], [DescribePortal(), FLUSH],
       [Execute(), FLUSH], "table note", SYNC)
script("each message in a packet of its own", Parse("select 1"), Bind(), DescribePortal(), Execute(), SYNC)
script("a Query without Sync before it", [Parse("select 1"), Bind(), Execute(), Query("select 2")])
script("a Query while errors are skipped", [Parse("selec"), Query("select 2"), SYNC], "select 3")
script("everything is skipped up to Sync",
       [Parse("selec"), Bind(), DescribePortal(), Execute(), CloseStatement("x"), FLUSH, Parse("select 1", "s"), SYNC],
       Again("s"))
script("an error, told by Flush", [Parse("selec"), FLUSH], [Parse("select 1"), FLUSH], SYNC, Run("select 1"))
script("an error in Bind", Run("select $1::int", "x"), Run("select 1"))
script("an error in Execute", Run("select 1/(3 - g) from generate_series(1, 4) g"), Run("select 1"))
script("an error in Describe", [Parse("select 1"), DescribeStatement("nope"), Bind(), Execute(), SYNC])
script("Bind to what is not there", [Bind(statement="nope"), Execute(), SYNC])
script("Execute of what is not there", [Execute(portal="nope"), SYNC], [Execute(), SYNC])
script("without Describe", [Parse("select 1"), Bind(), Execute(), SYNC])
script("without Execute", [Parse("insert into note values (1)"), Bind(), DescribePortal(), SYNC], "table note")
script("Execute twice", [Parse(NUMBERS), Bind(), Execute(), Execute(), SYNC])
script("Execute twice of a write",
       [Parse("insert into note values (1)"), Bind(), Execute(), Execute(), SYNC], "table note")
script("a row limit", [Parse(NUMBERS), Bind(), Execute(2), Execute(2), Execute(2), SYNC])
script("a row limit that is exactly met", [Parse(NUMBERS), Bind(), Execute(5), Execute(5), SYNC])
script("a row limit, then all", [Parse(NUMBERS), Bind(), Execute(2), Execute(), SYNC])
script("a row limit of a write",
       [Parse("insert into note select generate_series(1, 4) returning v"), Bind(), Execute(1), Execute(1), Execute(), SYNC],
       "table note")
script("a row limit of a write without rows",
       [Parse("insert into note select generate_series(1, 4)"), Bind(), Execute(1), SYNC], "table note")
script("a row limit and Flush", [Parse(NUMBERS), Bind(), Execute(2), FLUSH], [Execute(2), FLUSH], [Execute(2), SYNC])
script("a portal ends with Sync", [Parse(NUMBERS), Bind(portal="p"), Execute(2, "p"), SYNC], [Execute(2, "p"), SYNC])
script("a portal lives in a transaction",
       "begin", [Parse(NUMBERS), Bind(portal="p"), Execute(2, "p"), SYNC], "select 1", [Execute(2, "p"), SYNC],
       [DescribePortal("p"), SYNC], [ClosePortal("p"), Execute(2, "p"), SYNC], "rollback")
script("a portal in a READ ONLY transaction",
       "begin read only", [Parse("select id from item order by id"), Bind(portal="p"), Execute(1, "p"), SYNC],
       [Execute(1, "p"), SYNC], "select 1", [Execute(0, "p"), SYNC], "commit", [Execute(1, "p"), SYNC])
script("two portals of one statement",
       "begin",
       [Parse("select generate_series($1::int, 9)", "s"), Bind(1, statement="s", portal="p"), Bind(5, statement="s", portal="q"), SYNC],
       [Execute(2, "p"), Execute(2, "q"), Execute(2, "p"), SYNC], "commit")
script("a portal's name that is taken",
       "begin", [Parse("select 1"), Bind(portal="p"), Bind(portal="p"), SYNC], "rollback")
script("the unnamed portal is replaced", [Parse(NUMBERS), Bind(), Execute(1), Bind(), Execute(1), SYNC])
script("a portal is closed", [Parse("select 1"), Bind(portal="p"), ClosePortal("p"), Execute(portal="p"), SYNC])
script("a portal outlives its statement",
       "begin", [Parse(NUMBERS, "s"), Bind(statement="s", portal="p"), CloseStatement("s"), Execute(2, "p"), SYNC],
       "commit")
script("FETCH from a portal of the protocol",
       "begin", [Parse(NUMBERS), Bind(portal="p"), SYNC], "fetch 2 from p", [Execute(2, "p"), SYNC], "close p",
       [Execute(2, "p"), SYNC], "rollback")
script("Execute of a cursor of SQL",
       "begin", "declare c cursor for select generate_series(1, 5)", [DescribePortal("c"), Execute(2, "c"), SYNC],
       "fetch all from c", "commit")
script("a portal in a failed transaction",
       "begin", [Parse(NUMBERS), Bind(portal="p"), Execute(1, "p"), SYNC], "selec", [Execute(1, "p"), SYNC],
       "rollback")
script("a portal behind a savepoint",
       "begin", "savepoint s", [Parse(NUMBERS), Bind(portal="p"), Execute(1, "p"), SYNC], "rollback to s",
       [Execute(1, "p"), SYNC], "rollback")
script("a portal over a COMMIT in its pipeline",
       [Parse("begin"), Bind(), Execute(), Parse(NUMBERS, "n"), Bind(statement="n", portal="p"), Execute(1, "p"), Parse("commit"), Bind(), Execute(), Execute(1, "p"), SYNC])
script("binary results",
       Run("select 1::int2, 2::int4, 3::int8, 1.5::float8, true, 'x'::text, '\\x00ff'::bytea, 12.34::numeric, date '2026-01-01', array[1, 2], null::int", results=(1,)))
script("binary parameters",
       Run("select $1::int4, $2::bytea, $3::text, $4::float8", struct.pack("!i", 7), b"\0\xff", "x", struct.pack("!d", 1.5), formats=(1,)))
script("mixed formats",
       Run("select $1::int4, $2::text, 3", struct.pack("!i", 7), "x", formats=(1, 0), results=(0, 1, 1)))
script("a wrong number of formats",
       Run("select $1::int4, $2::text", 1, "x", formats=(0, 0, 0)), Run("select 1, 2, 3", results=(1, 0)))
script("a format that does not exist", Run("select 1", results=(7,)), Run("select $1::int", 1, formats=(9,)))
script("a binary value of the wrong length",
       Run("select $1::int4", b"\1\2\3", formats=(1,)), Run("select $1::int4", b"\1\2\3\4\5", formats=(1,)))
script("a binary value that is not UTF-8",
       Run("select $1::text", b"\xff\xfe", formats=(1,)), Run("select $1::text", b"a\0b", formats=(1,)))
script("binary formats of types of one's own",
       Run("select 'ok'::mood, row(1, 'x')::pair, 5::small, array[1, null, 3]", results=(1,)))
script("a type without a binary form",
       Run("select '<a/>'::xml, 'x'::\"char\", '1 day'::interval, 'select'::regproc::oid", results=(1,)),
       Run("select 'item'::aclitem", results=(1,)), Run("select relacl from pg_class where oid = 1259", results=(1,)))
script("a large parameter", Run("select length($1), md5($1)", "x" * 3_000_000))
script("a large value both ways", Run("select $1::text", "y" * 500_000))
script("many rows", Run("select g, md5(g::text) from generate_series(1, 500) g"))
script("no column", Run("select"), Run("select from item"))
script("1,600 columns", Run("select " + ", ".join(str(n) for n in range(1600)), results=(1,)))
script("notices and errors between",
       [Run("select heard('one')")[:-1], Run("select heard('two')")[:-1], Run("select fail('three')")[:-1], Run("select heard('four')")])
script("utility statements",
       Run("create table x (v int)"), Run("insert into x values ($1)", 1), Run("truncate x"), Run("drop table x"),
       Run("vacuum note"), Run("explain (costs off) select 1"), Run("show work_mem"),
       Run("do $$ begin raise notice 'x'; end $$"), Run("call fill(2, 'commit')"), Run("call fill(1, 'none')"))
script("CALL with parameters",
       "create procedure twice(inout a int) language plpgsql as $$ begin a := a * 2; end $$",
       Run("call twice($1)", 4))
script("FETCH in the extended protocol",
       Run("begin"), Run("declare c cursor for select generate_series(1, 5)"), Run("fetch 2 from c"),
       Run("fetch all from c", results=(1,)), Run("close c"), Run("commit"))
script("BEGIN and COMMIT as statements",
       Run("begin"), Run("insert into note values (1)"), Run("select 1/0"), Run("select 1"), Run("commit"),
       Run("table note"))
script("rules that turn one statement into several",
       "create table log (v text)", "create rule r as on insert to note do also select 'also'::text",
       Run("insert into note values ('x')"), "insert into note values ('y')")
script("an INSTEAD rule",
       "create view y as select id from item", "create rule r as on delete to y do instead nothing",
       Run("delete from y"), "delete from y")

script("pipeline: two statements", [Run("select 1")[:-1], Run("select 2")])
script("pipeline: two Syncs", [Run("select 1"), Run("select 2")])
script("pipeline: twenty Syncs", [Run(f"select {n}") for n in range(20)])
script("pipeline: an error between Syncs", [Run("select 1"), Run("select 1/0"), Run("select 3")])
script("pipeline: an error skips up to the next Sync",
       [Run("select 1")[:-1], Run("selec")[:-1], Run("select 3"), Run("select 4")])
script("pipeline: an implicit transaction",
       [Run("insert into note values (1)")[:-1], Run("insert into note values (2)")[:-1], Run("select 1/0")],
       "table note")
script("pipeline: an implicit transaction that commits",
       [Run("insert into note values (1)")[:-1], Run("select count(*) from note")], "table note")
script("pipeline: each Sync commits",
       [Run("insert into note values (1)"), Run("insert into note values (2)"), Run("select 1/0"), Run("insert into note values (3)")],
       "table note")
script("pipeline: BEGIN and COMMIT",
       [Run("begin")[:-1], Run("insert into note values (1)")[:-1], Run("commit")], "table note")
script("pipeline: BEGIN, an error, COMMIT",
       [Run("begin")[:-1], Run("insert into note values (1)")[:-1], Run("select 1/0")[:-1], Run("commit")],
       "select 1", "rollback", "table note")
script("pipeline: BEGIN, an error, Sync, COMMIT",
       [Run("begin"), Run("insert into note values (1)"), Run("select 1/0"), Run("commit")], "table note")
script("pipeline: BEGIN READ ONLY and more",
       [Run("begin read only"), Run("select count(*) from note"), Run("insert into note values (1)"), Run("rollback"), Run("insert into note values (1)")],
       "table note")
script("pipeline: BEGIN behind a statement of the same Sync",
       [Run("insert into note values (1)")[:-1], Run("begin")[:-1], Run("insert into note values (2)")], "rollback",
       "table note")
script("pipeline: COMMIT of an implicit transaction",
       [Run("insert into note values (1)")[:-1], Run("commit")[:-1], Run("insert into note values (2)")[:-1], Run("select 1/0")],
       "table note")
script("pipeline: ROLLBACK of an implicit transaction",
       [Run("insert into note values (1)")[:-1], Run("rollback")[:-1], Run("insert into note values (2)")],
       "table note")
script("pipeline: SAVEPOINT in an implicit transaction",
       [Run("insert into note values (1)")[:-1], Run("savepoint s")], "table note")
script("pipeline: Flush in the middle", [Run("select 1")[:-1], FLUSH], [Run("select 2")[:-1], FLUSH], SYNC)
script("pipeline: a write, Flush, then a read",
       [Run("insert into note values (1)")[:-1], FLUSH], [Run("select count(*) from note")[:-1], FLUSH], SYNC,
       "table note")
script("pipeline: an error after a Flush",
       [Run("insert into note values (1)")[:-1], FLUSH], [Run("select 1/0")[:-1], FLUSH],
       [Run("select 2")[:-1], FLUSH], SYNC, "table note")
script("pipeline: Queries in one packet",
       [Query("select 1"), Query("insert into note values (1)"), Query("selec"), Query("table note")])
script("pipeline: Queries and extended messages",
       [Query("begin"), Run("insert into note values (1)"), Query("savepoint s"), Run("select 1/0"), Query("rollback to s"), Run("table note"), Query("commit"), Query("table note")])
script("pipeline: a named statement is made and used",
       [Parse("select $1::int", "s"), Bind(1, statement="s"), Execute(), Bind(2, statement="s"), Execute(), SYNC, Again("s", 3), CloseStatement("s"), SYNC, Again("s", 4)])
script("pipeline: reads and writes in turn",
       [step for n in range(6) for step in Run(f"insert into note values ({n})") + Run("select count(*) from note")])
script("pipeline: reads and writes in one implicit transaction",
       [[Run(f"insert into note values ({n})")[:-1], Run("select count(*) from note")[:-1]] for n in range(4)] + [SYNC])
script("pipeline: VACUUM",
       [Run("select 1")[:-1], Run("vacuum note")], [Run("vacuum note")[:-1], Run("select 1")],
       [Run("vacuum note"), Run("select 1")])
script("pipeline: CREATE and use",
       [Run("create table x (v int)")[:-1], Run("insert into x values (1)")[:-1], Run("table x")])
script("pipeline: an error in Parse, then Close",
       [Parse("selec", "s"), CloseStatement("s"), SYNC, CloseStatement("s"), SYNC])
script("pipeline: two hundred statements at once",
       [Run(f"select {n}, repeat('x', {n})")[:-1] for n in range(200)] + [SYNC])
script("pipeline: large results", [Run("select repeat('x', 100000) from generate_series(1, 5)") for _ in range(6)])
script("pipeline: large parameters", [Run("select length($1)", "x" * 200000) for _ in range(6)])
script("pipeline: a portal suspended, then another statement",
       [Parse(NUMBERS), Bind(portal="p"), Execute(2, "p"), Parse("select 'between'"), Bind(), Execute(), Execute(2, "p"), SYNC])
script("pipeline: Sync in the middle of a batch of inserts",
       [[Parse("insert into item values ($1, 'x', 1)", "s")], [[Bind(n, statement="s"), Execute()] for n in (10, 11)], SYNC, [[Bind(n, statement="s"), Execute()] for n in (12, 1, 13)], SYNC, [[Bind(n, statement="s"), Execute()] for n in (14, 15)], SYNC],
       "select id from item order by id")
script("pipeline: Terminate at the end", [Run("insert into note values (1)"), TERMINATE], B("table note"))
script("pipeline: a read, without Sync, and Terminate", [Run("select 1")[:-1], TERMINATE])
script("pipeline: a write, without Sync, and Terminate",
       [Run("insert into note values (1)")[:-1], TERMINATE], B("table note"))
script("pipeline: SET, LISTEN and others mixed",
       [Run("set work_mem = '5MB'"), Run("listen x"), Run("notify x"), Run("show work_mem"), Run("unlisten *"), Run("reset work_mem"), Run("show work_mem")])
