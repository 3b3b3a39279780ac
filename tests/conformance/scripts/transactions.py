"""Transaction status, savepoints, isolation, deferred constraints, two-phase commit, serialization failures."""

from dsl import *

script = area(__name__)
INSERT, COUNT = "insert into note values (1)", "select count(*) from note"

script("BEGIN and COMMIT", "begin", INSERT, COUNT, "commit", COUNT)
script("BEGIN and ROLLBACK", "begin", INSERT, "rollback", COUNT)
script("every way to begin",
       "begin work", "end", "begin transaction", "commit work", "start transaction", "abort",
       "begin isolation level serializable, read only, deferrable", "end transaction", "begin read only",
       "rollback work")
script("BEGIN twice", "begin", "begin", "commit", "commit")
script("COMMIT and ROLLBACK without BEGIN",
       "commit", "rollback", "abort", "end", "commit and chain", "rollback and chain")
script("an error fails the transaction",
       "begin", INSERT, "select 1/0", "select 1", INSERT, "show work_mem", "commit", COUNT)
script("a failed transaction and ROLLBACK", "begin", "selec", "rollback", "select 1")
script("a failed transaction and BEGIN", "begin", "selec", "begin", "rollback")
script("a failed transaction and an empty query", "begin", "selec", "", ";", "-- x", "rollback")
script("a failed transaction and a syntax error", "begin", "select 1/0", "selec", "rollback")
script("a failed transaction in the extended protocol",
       "begin", "selec", Run("select 1"), Run("rollback"), Run("select 1"))
script("a failed transaction: Parse, Describe and Bind",
       [Parse("select 1", "s"), Parse("rollback", "r"), SYNC], "begin", "selec", [Parse("select 2", "t"), SYNC],
       [DescribeStatement("s"), SYNC], [Bind(statement="s"), SYNC], [CloseStatement("s"), SYNC],
       [DescribeStatement("r"), SYNC], Again("r"), Again("s"))
script("a failed transaction: SET and SHOW",
       "begin", "selec", "set work_mem = '5MB'", "show work_mem", "rollback", "show work_mem")
script("a failed transaction: DEALLOCATE and DISCARD",
       "prepare p as select 1", "begin", "selec", "deallocate p", "discard all", "rollback", "execute p")
script("a failed transaction: ROLLBACK among several statements",
       "begin", "selec", "rollback; select 1", "begin", "selec", "select 1; rollback", "rollback")
script("a failed READ ONLY transaction",
       "begin read only", "select 1/0", "select 1", "commit", "begin read only", "selec", "rollback")
script("a failed transaction: COMMIT AND CHAIN", "begin", "selec", "commit and chain", "select 1", "commit")
script("a failed transaction: ROLLBACK AND CHAIN",
       "begin isolation level serializable", "selec", "rollback and chain", "show transaction_isolation", "commit")
script("an empty transaction", "begin", "commit", "begin read only", "commit", "begin", "rollback")
script("READ ONLY refuses writes", "begin read only", COUNT, INSERT, "rollback", COUNT)
script("READ ONLY that begins with a write", "begin read only", INSERT, "rollback")
script("READ ONLY: what it allows and forbids",
       *[step for text in ("create table x (v int)", "create temp table x (v int)", "lock table note in access share mode", "select * from item for update", "select nextval('pg_class')", "vacuum note", "notify x", "listen x", "select txid_current() > 0", "select pg_advisory_lock(1), pg_advisory_unlock(1)", "prepare p as select 1", "select setval('x', 1)", "explain analyze insert into note values (1)", "truncate note", "set work_mem = '5MB'", "refresh materialized view x", "execute p", "deallocate p", "declare c cursor for select 1", "call fill(1, 'none')", "do $$ begin insert into note values (1); end $$") for step in ("begin read only", text, "rollback")])
script("READ ONLY: a lock that writers take",
       "begin read only", "lock table note", "rollback")
script("READ ONLY: a lock that writers take, behind a read", "begin read only", "select 1", "lock table note", "rollback")
script("READ ONLY sent with one Sync", [*Each("begin read only", COUNT, "table item", "commit"), SYNC], COUNT)
script("READ ONLY sent with one Sync, with prepared statements",
       [Parse("begin read only", "b"), Parse(COUNT, "r"), Parse("commit", "c"), SYNC],
       [*(sent for name in "brrc" for sent in (Bind(statement=name), DescribePortal(), Execute())), SYNC], COUNT)
script("READ ONLY sent with one Sync that leaves it open",
       [*Each("begin read only", COUNT), SYNC], COUNT, INSERT, "rollback", COUNT)
script("READ ONLY sent with one Sync: an error in the middle",
       [*Each("begin read only", COUNT, "select 1/0", COUNT, "commit"), SYNC], COUNT, "rollback", COUNT)
script("READ ONLY sent with one Sync: an error, and the next Sync on its heels",
       [*Each("begin read only", "select 1/0", "commit"), SYNC, *Each(INSERT), SYNC, *Each("rollback"), SYNC], COUNT)
script("READ ONLY sent with one Sync: a write in the middle",
       [*Each("begin read only", COUNT, INSERT, "commit"), SYNC], "rollback", COUNT)
script("READ ONLY sent with one Sync: more behind its end",
       [*Each("begin read only", COUNT, "commit", INSERT, COUNT), SYNC], COUNT)
script("READ ONLY sent with one Sync, chained", [*Each("begin read only", COUNT, "commit and chain", COUNT), SYNC], "commit")
script("READ ONLY sent with one Sync: prepared for two phases",
       [*Each("begin read only", COUNT, "prepare transaction 'x'"), SYNC], "rollback prepared 'x'")
script("READ ONLY with a cursor",
       "begin read only", "declare c cursor for select id from item order by id", "fetch 1 from c",
       "fetch next from c", "move 1 in c", "fetch 5 from c", "close c", "fetch c", "rollback")
script("READ ONLY with a scrolling cursor",
       "begin read only", "declare c scroll cursor for select id from item order by id", "fetch last from c",
       "fetch prior from c", "fetch first from c", "fetch absolute 2 from c", "fetch relative -1 from c",
       "fetch backward all from c", "fetch forward all from c", "commit", "fetch c")
script("READ ONLY, repeatable read: one snapshot",
       "begin isolation level repeatable read read only", COUNT, B(INSERT), COUNT, "commit", B(COUNT))
script("READ WRITE sees its own writes",
       "begin", INSERT, COUNT, "savepoint s", "delete from note", COUNT, "rollback to s", COUNT, "commit")
script("a transaction of reads only", "begin", COUNT, "table item", "commit")
script("read committed sees others' commits", "begin", COUNT, B(INSERT), COUNT, "commit")
script("repeatable read does not", "begin isolation level repeatable read", COUNT, B(INSERT), COUNT, "commit")
script("COMMIT AND CHAIN",
       "begin isolation level repeatable read read only", COUNT, "commit and chain", "show transaction_isolation",
       "show transaction_read_only", "rollback and chain", "show transaction_read_only", "commit")
script("savepoints",
       "begin", INSERT, "savepoint a", INSERT, "savepoint b", INSERT, "rollback to savepoint b", COUNT,
       "rollback to a", COUNT, "release savepoint a", "commit", COUNT)
script("a savepoint after an error", "begin", "savepoint s", "selec", "rollback to s", "select 1", "commit")
script("savepoints of one name",
       "begin", "savepoint s", INSERT, "savepoint s", INSERT, "rollback to s", COUNT, "release s", "rollback to s",
       COUNT, "commit")
script("a savepoint that is not there", "begin", "rollback to nope", "rollback", "begin", "release nope", "rollback")
script("savepoints outside a transaction", "savepoint s", "release s", "rollback to s")
script("errors again and again behind a savepoint",
       "begin",
       *[step for n in range(5) for step in ("savepoint s", f"insert into item values ({n}, 'x', 1)", "rollback to s")],
       "commit")
script("many savepoints",
       "begin", *[f"savepoint s{n}; insert into note values ({n})" for n in range(70)], "rollback to s40", COUNT,
       "commit", COUNT)
script("subtransactions in PL/pgSQL",
       "do $$ begin for i in 1..5 loop begin insert into item values (i, 'x', 1); exception when unique_violation then raise notice 'had %', i; end; end loop; end $$",
       "select count(*) from item")
script("a deferred constraint that fails at COMMIT",
       "begin", "insert into line values (1, 99)", "commit", "select count(*) from line")
script("a deferred constraint that fails in autocommit",
       "insert into line values (1, 99)", "select count(*) from line")
script("a deferred constraint that is repaired",
       "begin", "insert into line values (1, 99)", "insert into item values (99, 'x', 1)", "commit")
script("SET CONSTRAINTS",
       "begin", "insert into line values (1, 99)", "set constraints line_item immediate", "rollback", "begin",
       "set constraints line_item immediate", "insert into line values (1, 99)", "rollback", "begin",
       "set constraints nope deferred", "rollback")
script("a deferred constraint in a pipeline",
       [Run("insert into line values (1, 99)")[:-1], Run("select 1")], "select count(*) from line")
script("a deferred constraint among several statements", "insert into line values (1, 99); select 1")
script("a trigger at COMMIT that tells",
       "create function tell() returns trigger language plpgsql as $$ begin raise notice 'at the end'; return null; end $$",
       "create constraint trigger t after insert on note deferrable initially deferred for each row execute function tell()",
       "begin", INSERT, "select 1", "commit", INSERT, INSERT + "; select 2")
script("a serialization failure",
       "begin isolation level repeatable read", COUNT, B("update item set price = 5 where id = 1"),
       "update item set price = 6 where id = 1", "rollback", "select price from item where id = 1")
script("a serialization failure at COMMIT",
       "begin isolation level serializable", "select sum(price) from item", "insert into note values ('a')",
       B("begin isolation level serializable", "select count(*) from note", "update item set price = 9 where id = 1", "commit"),
       "commit", "select 1", COUNT)
script("a wait for a row",
       "begin", "update item set price = 5 where id = 1",
       B(Send("update item set price = price + 1 where id = 1 returning price")), Blocked(), "commit", B(Answers()))
script("a deadlock",
       login(user="boss"), "begin", "set local deadlock_timeout = '10s'", "update item set price = 5 where id = 1",
       B(login(user="boss"), "begin", "update item set price = 5 where id = 2"),
       Send("update item set price = 6 where id = 2"), Blocked(), B("update item set price = 6 where id = 1"),
       Answers(), "rollback", B("rollback"))
script("NOWAIT and SKIP LOCKED",
       "begin", "select id from item where id = 1 for update",
       B("select id from item where id = 1 for update nowait", "select id from item order by id for update skip locked"),
       "commit")
script("two-phase commit",
       "begin", INSERT, "prepare transaction 'one'", COUNT, "select gid from pg_prepared_xacts",
       "commit prepared 'one'", COUNT)
script("two-phase rollback", "begin", INSERT, "prepare transaction 'one'", "rollback prepared 'one'", COUNT)
script("two-phase commit by another client",
       "begin", INSERT, "prepare transaction 'one'", B("commit prepared 'one'", COUNT), COUNT)
script("two-phase commit of a failed transaction", "begin", "selec", "prepare transaction 'one'", COUNT)
script("two-phase commit outside a transaction",
       "prepare transaction 'one'", "commit prepared 'nope'", "rollback prepared 'nope'", "begin",
       "commit prepared 'one'", "rollback")
script("two-phase commit that is not possible",
       "begin", "create temp table x (v int)", "prepare transaction 'one'", "begin", "listen x",
       "prepare transaction 'two'", "select 1")
script("two-phase commit with a deferred constraint",
       "begin", "insert into line values (1, 99)", "prepare transaction 'one'", "select 1")
script("an exported snapshot",
       "begin isolation level repeatable read", "select length(pg_export_snapshot()) > 5", "commit")
script("VACUUM and others in a transaction",
       "begin", "vacuum", "rollback", "begin", "create database x", "rollback", "begin",
       "create index concurrently on note (v)", "rollback")
script("DDL is transactional",
       "begin", "create table x (v int)", "insert into x values (1)", "table x", "rollback", "table x")
script("TRUNCATE and rollback", INSERT, "begin", "truncate note", COUNT, "rollback", COUNT)
script("a cursor in a transaction",
       "begin", "declare c cursor for select generate_series(1, 5)", "fetch 2 from c", "fetch all from c",
       "fetch 1 from c", "commit", "fetch c")
script("a cursor outside a transaction", "declare c cursor for select 1", "fetch c", "close c")
script("a cursor that updates",
       "begin", "declare c cursor for select id from item order by id for update", "fetch 2 from c",
       "update item set name = 'here' where current of c", "commit", "select id, name from item order by id")
script("a binary cursor", "begin", "declare c binary cursor for select 1::int4, 'x'::text", "fetch c", "commit")
script("a cursor after an error",
       "begin", "declare c cursor for select 1/(2 - g) from generate_series(1, 3) g", "fetch 1 from c", "savepoint s",
       "fetch 1 from c", "rollback to s", "fetch 1 from c", "rollback")
script("a cursor behind a savepoint",
       "begin", "savepoint s", "declare c cursor for select 1", "rollback to s", "fetch c", "rollback")
script("a cursor by way of refcursor",
       "create function open_it() returns refcursor language plpgsql as $$ declare c refcursor := 'mine'; begin open c for select id from item order by id; return c; end $$",
       "begin", "select open_it()", "fetch 2 from mine", "fetch all from mine", "commit")
script("CLOSE ALL",
       "begin", "declare a cursor for select 1", "declare b cursor for select 2", "close all", "fetch a", "rollback",
       "close all")
script("pg_cursors",
       "begin", "declare c cursor for select 1",
       "select name, statement, is_holdable, is_binary, is_scrollable from pg_cursors", "commit")
script("idle in a transaction for too long", "set idle_in_transaction_session_timeout = '50ms'", "begin", Closes())
script("idle in a READ ONLY transaction for too long",
       "set idle_in_transaction_session_timeout = '50ms'", "begin read only", Closes())
script("idle in a failed transaction for too long",
       "set idle_in_transaction_session_timeout = '50ms'", "begin", "selec", Closes())
script("idle for too long, set at startup", login(idle_session_timeout="50ms"), Closes())
script("idle for too long while a server is kept", "listen x", "set idle_session_timeout = '50ms'", Closes())
script("idle for too long", "set idle_session_timeout = '50ms'", Closes())
script("an interrupted transaction of another client",
       "begin", "lock table note", B(Send("insert into note values (2)")), Blocked(), "rollback", B(Answers(), COUNT))
script("a client that goes in a transaction",
       "begin", INSERT, "lock table item", TERMINATE, B(COUNT, "update item set price = 1 where id = 1"))
script("a client that vanishes in a transaction",
       "begin", INSERT, "lock table item", HangUp(), B(COUNT, "update item set price = 1 where id = 1"))
script("transactions of two clients, interleaved",
       "begin", B("begin", "insert into note values ('b')"), "insert into note values ('a')", "select * from note",
       B("select * from note", "commit"), "select * from note order by v", "commit",
       B("select * from note order by v"))
script("LOCK TABLE outside a transaction", "lock table note")
script("a transaction's time stands still",
       "begin", "insert into note values (now())", "select pg_sleep(0.002)",
       "select count(*) from note where v = now()::text", "commit")
script("status after each step",
       "begin", "savepoint s", "select 1/0", "rollback to s", "release s", "select 1", "commit", "select 1/0",
       "rollback")
script("transaction with hints of an ORM", Run("BEGIN (implicit)"), Run("BEGIN"), Run("SELECT 1"), Run("COMMIT"))
script("READ ONLY: a portal outlives a Flush",
       "begin read only", [Parse("select g from generate_series(1, 3) g"), Bind(), FLUSH, Parse("select 7"), Execute(), SYNC],
       Again(""), "commit")
