"""Prepared statements of the protocol and of SQL: names, types, changes of tables between, DEALLOCATE, DISCARD."""

from dsl import *

script = area(__name__)
ADD = "select $1::int + $2::int as sum"

script("named and run", [Parse(ADD, "s"), DescribeStatement("s"), SYNC], Again("s", 1, 2), Again("s", 3, 4))
script("unnamed and run again", [Parse(ADD), DescribeStatement(), SYNC], Again("", 1, 2), Again("", 3, 4))
script("unnamed is replaced", [Parse("select 1"), SYNC], [Parse("select 2"), SYNC], Again(""))
script("unnamed is lost by a Query", [Parse("select 1"), SYNC], "select 3", Again(""))
script("unnamed that fails to parse", [Parse("select 1"), SYNC], [Parse("selec"), SYNC], Again(""))
script("unnamed is closed", [Parse("select 1"), SYNC], [CloseStatement(), SYNC], Again(""))
script("unnamed that never was", Again(""))
script("unnamed after a failed transaction", "begin", [Parse("select 1"), SYNC], "selec", "rollback", Again(""))
script("unnamed outlives a Parse that is skipped",
       [Parse("select 1"), SYNC], [Execute(0, "nope"), Parse("select 2"), SYNC], Again(""))
script("unnamed outlives a Close that is skipped",
       [Parse("select 1"), SYNC], [Execute(0, "nope"), CloseStatement(), SYNC], Again(""))
script("unnamed outlives a Query that is skipped",
       [Parse("select 1"), Execute(0, "nope"), "select 3"], [SYNC], Again(""))
script("unnamed is that of before the error",
       [Parse("select 1"), Bind(), Parse("select 2"), Execute(0, "nope"), Parse("select 3"), SYNC], Again(""))
script("unnamed that fails to parse, behind others",
       [Parse("select 1"), SYNC], [Parse("select 2", "s"), Parse("selec"), Parse("select 3"), SYNC], Again(""))
script("unnamed outlives an error before it is prepared on another server",
       [Parse("select 1"), SYNC], [Parse("select 2", "s"), SYNC], [Parse("select 3", "s"), Bind(), SYNC], Again(""))
script("unnamed is run again after it has left state",
       [Parse("select pg_advisory_lock($1)"), SYNC], Again("", 1), Again("", 1), "select pg_advisory_unlock_all()")
script("unnamed is described after a statement that leaves state",
       [Parse("prepare p as select 1"), Bind(), Execute(), SYNC], [DescribeStatement(), SYNC], "execute p")
script("unnamed is lost by a Query that needs no server", [Parse("select 1"), SYNC], "deallocate all", Again(""))
script("a Query that needs no server tells nothing of an open transaction's settings",
       "begin", [Parse("set application_name = 'a36'"), Bind(), Execute(), SYNC], "deallocate all", "show application_name",
       "rollback", "show application_name")
script("names are free behind DEALLOCATE ALL in one unit",
       [Parse("select 1", "s"), SYNC],
       [Parse("deallocate all"), Bind(), Execute(), Parse("select 2", "s"), Parse("select 3", "s"), SYNC], Again("s"))
script("names are free behind DEALLOCATE ALL and a Flush",
       [Parse("select 1", "s"), SYNC],
       [Parse("deallocate all"), Bind(), Execute(), FLUSH, Parse("select 2", "s"), SYNC], Again("s"))
script("names are not free behind a DEALLOCATE ALL that is not executed",
       [Parse("select 1", "s"), SYNC], [Parse("deallocate all"), Bind(), Parse("select 2", "s"), SYNC], Again("s"))
script("a name that is taken twice over",
       [Parse("select 1", "a"), SYNC], [Parse("select 1", "b"), SYNC], [Bind(statement="a"), Parse("select 1", "b"), SYNC])
script("a statement that has ended in its own unit",
       [Parse("select 1", "s"), SYNC], [Parse("deallocate all"), Bind(), Execute(), DescribeStatement("s"), SYNC],
       [Parse("select 1", "s"), SYNC], [Parse("deallocate all"), Bind(), Execute(), Bind(statement="s"), SYNC], Again("s"))
script("a name that is taken", [Parse("select 1", "s"), SYNC], [Parse("select 2", "s"), SYNC], Again("s"))
script("a name that is taken, with the same text",
       [Parse("select 1", "s"), SYNC], [Parse("select 1", "s"), SYNC], Again("s"))
script("a name that is closed and taken again",
       [Parse("select 1", "s"), SYNC], [CloseStatement("s"), Parse("select 2", "s"), SYNC], Again("s"))
script("a name that is closed",
       [Parse("select 1", "s"), SYNC], [CloseStatement("s"), SYNC], Again("s"), [DescribeStatement("s"), SYNC])
script("Close of what is not there", [CloseStatement("nope"), SYNC], [ClosePortal("nope"), SYNC])
script("Describe of what is not there",
       [DescribeStatement("nope"), SYNC], [DescribePortal("nope"), SYNC], [DescribeStatement(), SYNC],
       [DescribePortal(), SYNC])
script("Describe of a statement without a result",
       [Parse("insert into note values ($1)", "s"), DescribeStatement("s"), SYNC], Again("s", "x"), "table note")
script("Describe of every kind of statement",
       *[[Parse(text, "s" + str(n)), DescribeStatement("s" + str(n)), SYNC] for n, text in enumerate(("select 1", "", "begin", "show work_mem", "insert into note values ($1) returning v", "explain select 1", "values ($1::int)", "table item", "copy note to stdout", "create table x (v int)", "call fill(1, 'x')", "fetch 1 from c", "execute p"))])
script("parameters of given types",
       [Parse("select $1, $2, $3", "s", types=(23, 25, 1700)), DescribeStatement("s"), SYNC],
       Again("s", 1, "x", "2.5"))
script("parameters of types unknown",
       [Parse("select $1", "s"), DescribeStatement("s"), SYNC], Again("s", "x"),
       [Parse("select $1", "t", types=(0,)), DescribeStatement("t"), SYNC])
script("a parameter whose type cannot be told",
       [Parse("select $1 is null", "s"), SYNC], [Parse("select $2", "t"), SYNC],
       [Parse("select $2::int", "u"), DescribeStatement("u"), SYNC])
script("parameters of a type of one's own",
       [Parse("select $1::mood, $2::pair, $3::small", "s"), DescribeStatement("s"), SYNC],
       Again("s", "sad", "(1,x)", 5), Again("s", "cross", None, None))
script("too few and too many parameters",
       [Parse(ADD, "s"), SYNC], Again("s", 1), Again("s", 1, 2, 3), Again("s", 1, 2))
script("many parameters",
       [Parse("select " + " + ".join(f"${n}::int" for n in range(1, 301)), "s"), SYNC], Again("s", *range(300)))
script("65,535 parameters",
       Run("select count(*) from unnest(array[" + ",".join(f"${n}" for n in range(1, 65536)) + "]::int[])", *["1"] * 65535))
script("NULL as a parameter", Run("select $1::int is null, $2::text", None, None))
script("a bad value for a parameter", [Parse(ADD, "s"), SYNC], Again("s", "x", 1), Again("s", 1, 2))
script("a syntax error in Parse", [Parse("selec", "s"), Bind(statement="s"), Execute(), SYNC], Again("s"))
script("an unknown table in Parse", [Parse("table nowhere", "s"), DescribeStatement("s"), SYNC])
script("several statements in Parse",
       [Parse("select 1; select 2", "s"), SYNC], [Parse("select 1;", "s"), SYNC], Again("s"), [Parse(";", "t"), SYNC],
       [Parse("; select 1;", "u"), SYNC])
script("an empty statement", Run(""), Run("-- nothing"), [Parse("", "s"), DescribeStatement("s"), SYNC], Again("s"))
script("a long name",
       [Parse("select 1", "n" * 200), SYNC], Again("n" * 200), Again("n" * 63), [Parse("select 2", "n" * 63), SYNC],
       Again("n" * 63))
script("odd names",
       *[step for name in (" ", "S", "s s", "ä", "select", "'") for step in ([Parse(f"select '{len(name)}'", name), SYNC], Again(name))])
script("names keep their case",
       [Parse("select 'lower'", "s"), Parse("select 'upper'", "S"), SYNC], Again("s"), Again("S"), "deallocate S",
       "deallocate \"S\"", Again("s"))
script("fifty names",
       [Parse(f"select {n}", f"s{n}") for n in range(50)] + [SYNC], *[Again(f"s{n}") for n in (0, 49, 7, 30, 0)])
script("one text under two names",
       [Parse("select 1", "a"), Parse("select 1", "b"), SYNC], Again("a"), [CloseStatement("a"), SYNC], Again("b"),
       Again("a"))
script("two clients with one name",
       [Parse("select 'a'", "s"), SYNC], B([Parse("select 'b'", "s"), SYNC], Again("s")), Again("s"),
       B([CloseStatement("s"), SYNC]), Again("s"), B(Again("s")))
script("two clients with one text",
       [Parse("select $1::int", "s"), SYNC], B([Parse("select $1::int", "t"), SYNC], Again("t", 2)), Again("s", 1),
       B(Again("s", 3)))
script("one text, types that differ",
       [Parse("select $1", "a", types=(23,)), Parse("select $1", "b", types=(25,)), SYNC],
       [DescribeStatement("a"), DescribeStatement("b"), SYNC], Again("a", 1), Again("b", "x"))
script("statements end with their client", [Parse("select 1", "s"), SYNC], login(), Again("s"))
script("a statement outlives the transaction that made it",
       "begin", [Parse("select 1", "s"), SYNC], "rollback", Again("s"))
script("a statement outlives the error behind its Parse",
       [Parse("select 1", "s"), Parse("selec", "t"), SYNC], Again("s"), Again("t"))
script("a Parse behind an error is not done", [Parse("selec", "t"), Parse("select 1", "s"), SYNC], Again("s"))
script("a Close behind an error is not done",
       [Parse("select 1", "s"), SYNC], [Parse("selec", "t"), CloseStatement("s"), SYNC], Again("s"))
script("DEALLOCATE of a statement of the protocol",
       [Parse("select 1", "s"), SYNC], "deallocate s", Again("s"), "deallocate s")
script("DEALLOCATE PREPARE", [Parse("select 1", "s"), SYNC], "deallocate prepare s", Again("s"))
script("DEALLOCATE ALL",
       [Parse("select 1", "s"), SYNC], "prepare p as select 2", "deallocate all", Again("s"), "execute p")
script("DEALLOCATE ALL with the unnamed one", [Parse("select 1"), SYNC], Run("deallocate all"), Again(""))
script("DEALLOCATE in a transaction that is rolled back",
       [Parse("select 1", "s"), SYNC], "begin", "deallocate s", "rollback", Again("s"))
script("DEALLOCATE of a quoted name", [Parse("select 1", "My s"), SYNC], 'deallocate "My s"', Again("My s"))
script("DEALLOCATE in the extended protocol", [Parse("select 1", "s"), SYNC], Run("deallocate s"), Again("s"))
script("DEALLOCATE in a pipeline with its use",
       [Parse("select 1", "s"), SYNC], [Again("s")[:-1], Run("deallocate s")[:-1], Again("s")])
script("DEALLOCATE in a pipeline, behind an error",
       [Parse("select 1", "s"), SYNC], [Run("select 1/0")[:-1], Run("deallocate s")], Again("s"))
script("DEALLOCATE in a pipeline, then an error",
       [Parse("select 1", "s"), SYNC], [Run("deallocate s")[:-1], Run("select 1/0")], Again("s"))
script("DEALLOCATE in a pipeline, and the name anew",
       [Parse("select 1", "s"), SYNC], [Run("select 7")[:-1], Run("deallocate s")[:-1], Run("select 8")[:-1],
        Parse("select 2", "s"), Bind(statement="s"), Execute(), SYNC], Again("s"))
script("DEALLOCATE in a pipeline, in a transaction",
       [Parse("select 1", "s"), SYNC], "begin", [Run("select 7")[:-1], Run("deallocate s")], "rollback", Again("s"))
script("DEALLOCATE in a pipeline, run twice",
       [Parse("select 1", "s"), SYNC], [Run("select 7")[:-1], Run("deallocate s")[:-1], Bind(), Execute(), SYNC])
script("DEALLOCATE in a pipeline, described before it is bound",
       [Parse("select 1", "s"), SYNC],
       [Run("select 7")[:-1], Parse("deallocate prepare s"), DescribeStatement(), Bind(), Execute(), SYNC], Again("s"))
script("DEALLOCATE among several statements", [Parse("select 1", "s"), SYNC], "deallocate s; select 2", Again("s"))
script("DEALLOCATE of what is not there", "deallocate nope", "begin", "deallocate nope", "rollback")
script("DISCARD ALL ends statements", [Parse("select 1", "s"), SYNC], "discard all", Again("s"))
script("DISCARD PLANS does not", [Parse("select 1", "s"), SYNC], "discard plans", Again("s"))
script("PREPARE and EXECUTE", "prepare p as select 1", "execute p", "execute p", "deallocate p", "execute p")
script("PREPARE with parameters",
       "prepare p (int, text) as select $1 + 1, $2", "execute p(1, 'x')", "execute p(2, null)", "execute p(1)",
       "execute p('x', 'y')", "deallocate p")
script("PREPARE that writes",
       "prepare p as insert into note values ($1) returning v", "execute p('a')", "execute p('b')", "table note")
script("PREPARE that reads",
       "prepare p(int) as select name from item where id = $1", *[f"execute p({n})" for n in (1, 2, 3, 4, 1, 2)])
script("PREPARE of a taken name", "prepare p as select 1", "prepare p as select 2", "execute p")
script("PREPARE in a transaction that is rolled back", "begin", "prepare p as select 1", "rollback", "execute p")
script("PREPARE that fails", "prepare p as selec", "prepare p as table nowhere", "execute p")
script("PREPARE inside a failed transaction", "begin", "select 1/0", "prepare p as select 1", "rollback", "execute p")
script("PREPARE of one name by two clients",
       "prepare p as select 'a'", B("prepare p as select 'b'", "execute p"), "execute p", B("deallocate p"),
       "execute p")
script("PREPARE by SQL, run by Bind",
       "prepare p(int) as select $1", [DescribeStatement("p"), SYNC], Again("p", 5), [CloseStatement("p"), SYNC],
       "execute p(1)")
script("Parse, run by EXECUTE", [Parse("select $1::int", "s"), SYNC], "execute s(7)", "deallocate s", "execute s(8)")
script("EXECUTE by Parse",
       "prepare p as select 1", [Parse("execute p", "s"), SYNC], Again("s"), "deallocate p", Again("s"))
script("EXECUTE into a table", "prepare p as select 1 as v", "create table x as execute p", "table x")
script("pg_prepared_statements",
       [Parse("select $1::int", "s"), SYNC], "prepare p(int) as select $1",
       "select name, statement, parameter_types, from_sql from pg_prepared_statements order by name")
script("pg_prepared_statements of one who has none",
       B([Parse("select 1", "s"), SYNC], "prepare p as select 1"), "select name from pg_prepared_statements")
script("a column is added",
       [Parse("select * from item where id = $1", "s"), DescribeStatement("s"), SYNC], Again("s", 1),
       "alter table item add stock int default 7", Again("s", 1), [DescribeStatement("s"), SYNC])
script("a column is added by another client",
       [Parse("select * from item where id = $1", "s"), SYNC], Again("s", 1),
       B("alter table item add stock int default 7"), Again("s", 1),
       [Parse("select * from item where id = $1", "t"), SYNC], Again("t", 1))
script("a column changes its type",
       [Parse("select price from item where id = $1", "s"), SYNC], Again("s", 1),
       "alter table item alter price type text", Again("s", 1))
script("a column changes, in a transaction",
       "begin", [Parse("select * from item where id = 1", "s"), SYNC], Again("s"), "alter table item add stock int",
       Again("s"), "select 1", "rollback", Again("s"))
script("a column is dropped",
       [Parse("select name, price from item", "s"), SYNC], "alter table item drop price", Again("s"))
script("a column is renamed",
       [Parse("select name from item where id = 1", "s"), SYNC], Again("s"), "alter table item rename name to title",
       Again("s"))
script("a table is dropped and made again",
       [Parse("select count(*) from note", "s"), SYNC], Again("s"), "drop table note", Again("s"),
       "create table note (w int)", Again("s"))
script("a result of another type, prepared in SQL",
       "prepare p as select * from item where id = 1", "execute p", "alter table item add stock int", "execute p")
script("an index is added",
       [Parse("select name from item where name = $1", "s"), SYNC], Again("s", "tea"), "create index on item (name)",
       Again("s", "tea"))
script("a function is replaced",
       [Parse("select add(1, 2)", "s"), SYNC], Again("s"),
       "create or replace function add(a int, b int) returns int language sql immutable as 'select a * b'",
       Again("s"), "drop function add", Again("s"))
script("five runs and more: a generic plan",
       [Parse("select name from item where id = $1", "s"), SYNC], *[Again("s", n % 4) for n in range(9)])
script("prepared, and run on both nodes",
       [Parse("select count(*) from note", "r"), Parse("insert into note values ($1)", "w"), SYNC],
       *[step for n in range(5) for step in (Again("w", n), Again("r"))])
script("prepared in a transaction, run after it",
       "begin", [Parse("select count(*) from note", "s"), SYNC], Again("s"), "commit", Again("s"), "begin read only",
       Again("s"), "commit")
script("a BEGIN that was prepared",
       [Parse("begin", "b"), Parse("commit", "c"), Parse("rollback", "r"), SYNC], Again("b"),
       "insert into note values (1)", Again("r"), Again("b"), "insert into note values (2)", Again("c"), "table note")
script("a long statement, prepared",
       [Parse("select length('" + "x" * 300000 + "')", "s"), SYNC], Again("s"), Again("s"))
script("a prepared statement that raises notices",
       [Parse("select heard($1)", "s"), SYNC], Again("s", "one"), Again("s", "two"))
script("prepared: search_path and plan",
       "create schema other", "create table other.note (v text)", "insert into other.note values ('other')",
       [Parse("table note", "s"), SYNC], Again("s"), "set search_path = other, public", Again("s"),
       [Parse("table note", "t"), SYNC], Again("t"))
script("prepared with a setting that matters",
       "set datestyle = 'German'", [Parse("select date '2026-02-01'::text", "s"), SYNC], Again("s"),
       "set datestyle = 'ISO'", Again("s"))
script("thirty texts on a small cache",
       *[step for n in range(30) for step in ([Parse(f"select {n}", f"s{n}"), SYNC],)],
       *[Again(f"s{n}") for n in range(30)])
