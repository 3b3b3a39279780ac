"""What stays in a session: LISTEN, temporary tables, advisory locks, WITH HOLD cursors, roles."""

from dsl import *

script = area(__name__)

script("LISTEN hears itself",
       "listen news", "notify news, 'one'", "select pg_notify('news', 'two')", "notify other", "notify news")
script("LISTEN hears another",
       "listen news", B("notify news, 'one'"), Await("A"), "select 1", B("notify news, 'two'"), Await("A"))
script("LISTEN: idle for long, heard at once",
       "listen news", "select 1", "table item", B("select pg_notify('news', 'x')"), Await("A"))
script("LISTEN: at the end of the transaction",
       "listen news", B("begin", "notify news, 'one'", "notify news, 'one'", "notify news, 'two'"), "select 1",
       B("commit"), Await("A"), Await("A"))
script("LISTEN: of a transaction that is rolled back",
       "listen news", B("begin", "notify news, 'lost'", "rollback", "notify news, 'kept'"), Await("A"))
script("LISTEN in a transaction",
       "begin", "listen news", "notify news, 'x'", "select 1", "commit", "notify news, 'y'")
script("LISTEN in a transaction that is rolled back",
       "begin", "listen news", "rollback", "notify news, 'x'", "select * from pg_listening_channels()")
script("LISTEN: nothing arrives within a transaction",
       "listen news", "begin", B("notify news, 'x'"), "select 1", "commit")
script("UNLISTEN",
       "listen a", "listen b", "unlisten a", "notify a", "notify b", "unlisten *", "notify b",
       "select count(*) from pg_listening_channels()")
script("UNLISTEN of what is not heard", "unlisten nothing", "unlisten *")
script("LISTEN to many channels",
       *[f"listen c{n}" for n in range(10)], *[f"notify c{n}, '{n}'" for n in range(0, 10, 3)],
       "select count(*) from pg_listening_channels()")
script("LISTEN: names and long payloads",
       "listen \"My Channel\"", "notify \"My Channel\", 'ä€'", f"notify \"My Channel\", '{'x' * 7000}'",
       f"select pg_notify('My Channel', repeat('x', 9000))", "select pg_notify('', 'x')", "listen " + "n" * 70,
       "notify x, ''")
script("LISTEN by two clients", "listen news", B("listen news"), "notify news, 'x'", B(Await("A")))
script("LISTEN in the extended protocol",
       Run("listen news"), Run("select pg_notify($1, $2)", "news", "x"),
       [Run("notify news, 'y'")[:-1], Run("select 1")])
script("LISTEN ends with DISCARD ALL",
       "listen news", "discard all", "notify news, 'x'", "select count(*) from pg_listening_channels()")
script("LISTEN ends with its client",
       "listen news", login(), "notify news, 'x'", "select count(*) from pg_listening_channels()")
script("a client that never listens hears nothing",
       B("listen news"), "notify news, 'x'", "select 1", B(Await("A")),
       "select count(*) from pg_listening_channels()")
script("LISTEN again after UNLISTEN",
       "listen news", "unlisten news", "select 1", "listen news", "notify news, 'x'", "unlisten *", "table item",
       "listen news", "notify news, 'y'")
script("pg_notification_queue_usage", "select pg_notification_queue_usage() < 1")

script("a temporary table",
       "create temp table basket (v text)", "insert into basket values ('tea')", "table basket", B("table basket"),
       "select count(*) from basket", "drop table basket", "table basket")
script("a temporary table hides another",
       "create temp table item (id text)", "insert into item values ('mine')", "table item",
       B("select count(*) from item"), "drop table item", "select count(*) from item")
script("a temporary table in a transaction",
       "begin", "create temp table x (v int)", "insert into x values (1)", "table x", "commit", "table x")
script("a temporary table ON COMMIT DROP",
       "begin", "create temp table x (v int) on commit drop", "table x", "commit", "table x")
script("a temporary table ON COMMIT DELETE ROWS",
       "create temp table x (v int) on commit delete rows", "begin", "insert into x values (1)", "table x", "commit",
       "table x")
script("a temporary table that is rolled back", "begin", "create temp table x (v int)", "rollback", "table x")
script("every way to make a temporary table",
       "create temporary table a (v int)", "create local temp table b (v int)",
       "create temp table c as select 1 as v", "select 2 as v into temp d", "create table pg_temp.e (v int)",
       "create temp view f as select 3", "create temp sequence g", "select * from c, d, f", "select nextval('g')",
       "table e", "create global temporary table h (v int)")
script("a temporary table by SELECT INTO with a CTE",
       "with x as (select 5 as v) select * into temporary table y from x", "table y",
       "select count(*) from pg_temp.y")
script("a temporary table by way of EXECUTE",
       "do $$ begin execute 'create temp table x (v int)'; end $$", "insert into x values (1)", "table x", "table x")
script("a temporary table by way of a function",
       "create function f() returns void language plpgsql as $$ begin create temp table x (v int); insert into x values (7); end $$",
       "select f()", "table x", "table x")
script("a temporary function",
       "create function pg_temp.f() returns int language sql as 'select 42'", "select pg_temp.f()",
       "select pg_temp.f()", B("create temp table x (v int)", "select pg_temp.f()"))
script("a temporary table ends with its client", "create temp table x (v int)", login(), "table x")
script("a temporary table and DISCARD",
       "create temp table x (v int)", "discard temp", "table x", "create temp table x (v text)", "discard all",
       "table x")
script("a temporary table, prepared",
       "create temp table x (v int)", [Parse("insert into x values ($1)", "s"), Parse("table x", "t"), SYNC],
       Again("s", 1), Again("t"), Again("s", 2), Again("t"))
script("a temporary table and search_path",
       "create temp table note (v text)", "set search_path = public, pg_temp", "insert into note values ('public')",
       "reset search_path", "select count(*) from note", "select count(*) from public.note")

script("advisory locks",
       "select pg_advisory_lock(1)", B("select pg_try_advisory_lock(1)"), "select pg_advisory_unlock(1)",
       B("select pg_try_advisory_lock(1)", "select pg_advisory_unlock(1)"))
script("advisory locks that are not held",
       "select pg_advisory_unlock(5)", "select pg_advisory_unlock_shared(5)", "select pg_advisory_unlock_all()")
script("advisory locks are counted",
       "select pg_advisory_lock(1)", "select pg_try_advisory_lock(1)", "select pg_advisory_unlock(1)",
       B("select pg_try_advisory_lock(1)"), "select pg_advisory_unlock(1)", "select pg_advisory_unlock(1)",
       B("select pg_try_advisory_lock(1)", "select pg_advisory_unlock(1)"))
script("advisory locks of two keys, and shared",
       "select pg_advisory_lock(1, 2), pg_advisory_lock_shared(3)",
       B("select pg_try_advisory_lock(1, 2), pg_try_advisory_lock_shared(3), pg_try_advisory_lock(3)", "select pg_advisory_unlock_shared(3)"),
       "select pg_advisory_unlock_all()", B("select pg_try_advisory_lock(3)", "select pg_advisory_unlock_all()"))
script("advisory locks of the transaction",
       "begin", "select pg_advisory_xact_lock(1)", B("select pg_try_advisory_xact_lock(1)"), "commit",
       B("select pg_try_advisory_xact_lock(1)"))
script("advisory locks outlive a rollback",
       "begin", "select pg_advisory_lock(1)", "rollback", B("select pg_try_advisory_lock(1)"),
       "select pg_advisory_unlock(1)", B("select pg_try_advisory_xact_lock(1)"))
script("advisory locks outlive an error",
       "select pg_advisory_lock(1), 1/0", "select count(*) from pg_locks where locktype = 'advisory'",
       "select pg_advisory_unlock_all()")
script("advisory locks end with DISCARD ALL",
       "select pg_advisory_lock(1)", "discard all",
       B("select pg_try_advisory_lock(1)", "select pg_advisory_unlock(1)"))
script("advisory locks end with their client",
       "select pg_advisory_lock(1)", TERMINATE, B("select pg_advisory_lock(1)", "select pg_advisory_unlock(1)"))
script("advisory locks in a prepared statement",
       Run("select pg_try_advisory_lock($1)", 9), B(Run("select pg_try_advisory_lock($1)", 9)),
       Run("select pg_advisory_unlock($1)", 9), B(Run("select pg_try_advisory_xact_lock($1)", 9)))
script("advisory locks by way of a function",
       "create function f() returns bool language sql as 'select pg_try_advisory_lock(77)'", "select f()",
       B("select f()"), "select pg_advisory_unlock(77)", B("select f()", "select pg_advisory_unlock(77)"))
script("advisory locks in a WHERE clause",
       "select id from item where pg_try_advisory_lock(id) order by id",
       B("select id from item where pg_try_advisory_lock(id) order by id"), "select pg_advisory_unlock_all()")
script("a wait for an advisory lock",
       "select pg_advisory_lock(1)", B(Send("select pg_advisory_lock(1)")), Blocked(), "select pg_advisory_unlock(1)",
       B(Answers(), "select pg_advisory_unlock(1)"))
script("every one of many advisory locks",
       *[f"select pg_advisory_lock({n})" for n in range(5)], *[f"select pg_advisory_unlock({n})" for n in range(6)])

script("WITH HOLD",
       "begin", "declare c cursor with hold for select generate_series(1, 6)", "commit", "fetch 2 from c",
       B("fetch 1 from c"), "fetch 2 from c", "close c", "fetch 1 from c")
script("WITH HOLD outside a transaction",
       "declare c cursor with hold for select id from item order by id", "fetch 1 from c", "select 1",
       "fetch all from c", "close c")
script("WITH HOLD, rolled back", "begin", "declare c cursor with hold for select 1", "rollback", "fetch c")
script("WITH HOLD in a READ ONLY transaction",
       "begin read only", "declare c scroll cursor with hold for select id from item order by id", "commit",
       "fetch last from c", "fetch first from c", "close c")
script("WITH HOLD ends with CLOSE ALL and DISCARD ALL",
       "declare a cursor with hold for select 1", "close all", "fetch a", "declare b cursor with hold for select 2",
       "discard all", "fetch b")
script("WITH HOLD, failing at COMMIT", "begin", "declare c cursor with hold for select 1/0", "commit", "fetch c")
script("WITH HOLD keeps what was there",
       "declare c cursor with hold for select id from item order by id", "delete from item", "fetch all from c",
       "select count(*) from item", "close c")
script("WITH HOLD by FETCH of the protocol",
       "declare c cursor with hold for select generate_series(1, 4)", Run("fetch 2 from c"),
       [DescribePortal("c"), SYNC], [Execute(1, "c"), SYNC], "close c")

script("SET ROLE",
       "set role clerk", "select current_user, session_user", "select * from item", B("select current_user"),
       "reset role", "select current_user, session_user", "select count(*) from item")
script("SET ROLE NONE", "set role clerk", "set role none", "select current_user")
script("SET ROLE to one that is not there", "set role nobody", "set role boss", "select current_user")
script("SET LOCAL ROLE",
       "begin", "set local role clerk", "select current_user", "table item", "rollback", "select current_user",
       "begin", "set local role clerk", "commit", "select current_user")
script("SET ROLE in a transaction that is rolled back",
       "begin", "set role clerk", "select current_user", "rollback", "select current_user")
script("SET ROLE in a transaction that commits",
       "begin", "set role clerk", "commit", "select current_user", "begin", "reset role", "rollback",
       "select current_user", "reset role", "select current_user")
script("SET ROLE and DISCARD ALL", "set role clerk", "discard all", "select current_user, session_user")
script("SET ROLE and RESET ALL", "set role clerk", "reset all", "select current_user", "reset role")
script("SET ROLE, prepared statements",
       [Parse("select current_user, count(*) from item", "s"), SYNC], Again("s"), "set role clerk", Again("s"),
       "reset role", Again("s"))
script("SET SESSION AUTHORIZATION",
       login(user="boss"), "set session authorization app", "select current_user, session_user", "show is_superuser",
       "table item", "reset session authorization", "select current_user, session_user", "show is_superuser")
script("SET SESSION AUTHORIZATION without the right to",
       "set session authorization boss", "set session authorization app", "select session_user",
       "set session authorization default")
script("SET LOCAL SESSION AUTHORIZATION",
       login(user="boss"), "begin", "set local session authorization app", "select session_user", "commit",
       "select session_user")
script("SET SESSION AUTHORIZATION and DISCARD ALL",
       login(user="boss"), "set session authorization app", "discard all", "select session_user")
script("a superuser's settings",
       login(user="boss"), "set log_min_messages = 'panic'", "show log_min_messages",
       "set session_replication_role = 'replica'", "show session_replication_role", "reset all",
       "show session_replication_role", "load 'plpgsql'", "select 1")
script("everything at once",
       "set work_mem = '5MB'", "listen news", "create temp table x (v int)", "select pg_advisory_lock(3)",
       "prepare p as select 1", "declare c cursor with hold for select 1", "set role clerk", "discard all",
       "show work_mem", "table x", "execute p", "fetch c", "select current_user",
       "select count(*) from pg_listening_channels()",
       B("select pg_try_advisory_lock(3)", "select pg_advisory_unlock(3)"))
script("a session afterwards is as new",
       "set work_mem = '5MB'", "listen news", "create temp table item (v int)", "prepare p as select 1",
       "set role clerk", [Parse("select 1", "s"), SYNC], login(), "show work_mem", "select count(*) from item",
       "select current_user", "execute p", Again("s"), "notify news", "select count(*) from pg_listening_channels()")
script("a library that is loaded", "load 'plpgsql'", "select 1", "load 'no_such_library'")
script("a connection cursor through DBLINK is not there", "create extension no_such_extension")
