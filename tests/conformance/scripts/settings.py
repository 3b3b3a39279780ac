"""SET, SET LOCAL, RESET, set_config, savepoints, ParameterStatus."""

from dsl import *

script = area(__name__)

SHOW = "show work_mem"

script("a SET holds", "set work_mem = '5MB'", SHOW, "select current_setting('work_mem')", SHOW)
script("a SET holds on the primary, too",
       "set work_mem = '5MB'", "insert into note select current_setting('work_mem')", "table note")
script("SET TO DEFAULT", "set work_mem = '5MB'", "set work_mem to default", SHOW)
script("SET of several values", "set search_path = public, pg_catalog, \"$user\"", "show search_path")
script("SET of a quoted name", 'set "work_mem" = \'5MB\'', SHOW, 'reset "work_mem"', SHOW)
script("SET in capital letters", "SET WORK_MEM = 5120", "SHOW WORK_MEM")
script("SET with a comment inside", "set /* of */ work_mem -- now\n = /* to */ '5MB'", SHOW)
script("SET SESSION", "set session work_mem = '5MB'", SHOW)
script("SET of an unknown parameter", "set wrok_mem = '5MB'", SHOW)
script("SET to a value out of range", "set work_mem = '1kB'", SHOW)
script("SET to a value of the wrong type", "set enable_seqscan = 'perhaps'", "show enable_seqscan")
script("SET of what cannot be set",
       "set server_version = '99'", "set shared_buffers = '1GB'", "set log_min_messages = 'error'")
script("SET of what only a server start sets", "set max_connections = 5", "select 1")
script("SET of a parameter of one's own",
       "set shop.tenant = '42'", "select current_setting('shop.tenant')", "show shop.tenant", "reset shop.tenant",
       "show shop.tenant")
script("a parameter of one's own that was never set",
       "show shop.nobody", "select current_setting('shop.nobody', true) is null")
script("SET LOCAL outside a transaction warns", "set local work_mem = '5MB'", SHOW)
script("SET LOCAL ends with COMMIT",
       "set work_mem = '5MB'", "begin", "set local work_mem = '6MB'", SHOW, "commit", SHOW)
script("SET LOCAL ends with ROLLBACK",
       "set work_mem = '5MB'", "begin", "set local work_mem = '6MB'", SHOW, "rollback", SHOW)
script("SET LOCAL of a parameter that is reported",
       "begin", "set local timezone = 'Asia/Tokyo'", "select 1", "commit", "show timezone")
script("SET, then SET LOCAL, in one transaction",
       "begin", "set work_mem = '5MB'", "set local work_mem = '6MB'", SHOW, "commit", SHOW)
script("SET LOCAL, then SET, in one transaction",
       "begin", "set local work_mem = '6MB'", "set work_mem = '5MB'", SHOW, "commit", SHOW)
script("a SET in a transaction that commits", "begin", "set work_mem = '6MB'", "commit", SHOW)
script("a SET in a transaction that is rolled back",
       "set work_mem = '5MB'", "begin", "set work_mem = '6MB'", SHOW, "rollback", SHOW)
script("a SET in a transaction that fails", "begin", "set work_mem = '6MB'", "select 1/0", SHOW, "commit", SHOW)
script("a SET in a READ ONLY transaction", "begin read only", "set work_mem = '6MB'", SHOW, "commit", SHOW)
script("a SET in a READ ONLY transaction that is rolled back",
       "begin read only", "select 1", "set work_mem = '6MB'", "rollback", SHOW)
script("a SET behind a savepoint that is rolled back",
       "begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'", "rollback to s", SHOW, "commit", SHOW)
script("a SET behind a savepoint that is released",
       "begin", "savepoint s", "set work_mem = '6MB'", "release s", SHOW, "commit", SHOW)
script("a SET behind a released savepoint inside one that is rolled back",
       "begin", "savepoint s", "savepoint t", "set work_mem = '6MB'", "release t", SHOW, "rollback to s", SHOW,
       "commit", SHOW)
script("a SET LOCAL behind a savepoint that is rolled back",
       "begin", "savepoint s", "set local work_mem = '6MB'", "rollback to s", SHOW, "commit", SHOW)
script("a SET behind a savepoint that failed",
       "begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'", "selec", "rollback to s", SHOW,
       "commit", SHOW)
script("several SETs of one parameter around savepoints",
       "begin", "set work_mem = '1MB'", "savepoint a", "set work_mem = '2MB'", "savepoint b",
       "set local work_mem = '3MB'", "rollback to b", SHOW, "release a", SHOW, "commit", SHOW)
script("COMMIT AND CHAIN keeps a SET", "begin", "set work_mem = '6MB'", "commit and chain", SHOW, "rollback", SHOW)
script("ROLLBACK AND CHAIN undoes a SET",
       "begin", "set work_mem = '6MB'", "rollback and chain", SHOW, "set work_mem = '7MB'", "commit", SHOW)
script("RESET", "set work_mem = '5MB'", "reset work_mem", SHOW)
script("RESET in a transaction that is rolled back",
       "set work_mem = '5MB'", "begin", "reset work_mem", SHOW, "rollback", SHOW)
script("RESET ALL", "set work_mem = '5MB'", "set timezone = 'Asia/Tokyo'", "reset all", SHOW, "show timezone")
script("RESET ALL in a transaction that is rolled back",
       "set work_mem = '5MB'", "set datestyle = 'German'", "begin", "reset all", SHOW, "rollback", SHOW,
       "show datestyle")
script("RESET of an unknown parameter", "reset wrok_mem")
script("RESET keeps startup parameters",
       login(options="-c work_mem=5MB"), "set work_mem = '6MB'", "reset work_mem", SHOW, "reset all", SHOW)
script("DISCARD ALL",
       "set work_mem = '5MB'", "prepare p as select 1", "create temp table x (v int)", "discard all", SHOW,
       "execute p", "select * from x")
script("DISCARD ALL in a transaction", "begin", "discard all", "rollback")
script("DISCARD ALL after a setting that is reported", "set timezone = 'Asia/Tokyo'", "discard all", "show timezone")
script("DISCARD ALL keeps startup parameters",
       login(application_name="shop", options="-c work_mem=5MB"), "set application_name = 'x'",
       "set work_mem = '6MB'", "discard all", "show application_name", SHOW)
script("DISCARD PLANS, SEQUENCES and TEMP",
       "set work_mem = '5MB'", "discard plans", "discard sequences", "discard temp", SHOW, "discard nothing")
script("DISCARD TEMP with a temporary table", "create temp table x (v int)", "discard temp", "select * from x")
script("DISCARD SEQUENCES",
       "create sequence q", "select nextval('q')", "select currval('q')", "discard sequences", "select currval('q')")
script("currval and lastval stay with the session",
       "create sequence q", "select nextval('q')", "select currval('q')", "select lastval()",
       "select nextval('q'), currval('q')")
script("currval before nextval", "create sequence q", "select currval('q')", "select lastval()")
script("set_config of the session",
       "select set_config('work_mem', '5MB', false)", SHOW, "select current_setting('work_mem')")
script("set_config of the transaction", "begin", "select set_config('work_mem', '5MB', true)", SHOW, "commit", SHOW)
script("set_config of the transaction, outside one", "select set_config('work_mem', '5MB', true)", SHOW)
script("set_config in a transaction that is rolled back",
       "begin", "select set_config('work_mem', '5MB', false)", "rollback", SHOW)
script("set_config with a parameter", Run("select set_config($1, $2, false)", "work_mem", "5MB"), SHOW)
script("set_config in a FROM clause", "select * from set_config('work_mem', '5MB', false) x", SHOW)
script("set_config by way of a function",
       "create function tune() returns text language sql as $$ select set_config('work_mem', '5MB', false) $$",
       "select tune()", SHOW, "insert into note select current_setting('work_mem')", "table note")
script("set_config with NULL", "set work_mem = '5MB'", "select set_config('work_mem', null, false)", SHOW)
script("a SET in a DO block", "do $$ begin set work_mem = '5MB'; end $$", SHOW, "select current_setting('work_mem')")
script("a SET in a DO block that fails", "do $$ begin set work_mem = '5MB'; raise exception 'no'; end $$", SHOW)
script("a function with a SET clause",
       "create function f() returns text language sql set work_mem = '5MB' as $$ select current_setting('work_mem') $$",
       "select f()", SHOW)
script("UPDATE pg_settings", "update pg_settings set setting = '5120' where name = 'work_mem'", SHOW)
script("SET in the extended protocol", Run("set work_mem = '5MB'"), SHOW, Run("show work_mem"))
script("a named SET that is run again",
       [Parse("set work_mem = '5MB'", "s"), SYNC], Again("s"), SHOW, "reset work_mem", SHOW, Again("s"), SHOW)
script("a SET in a pipeline that fails later", [Run("set work_mem = '5MB'")[:-1], Run("select 1/0")], SHOW)
script("a SET in a pipeline that succeeds", [Run("set work_mem = '5MB'")[:-1], Run("show work_mem")], SHOW)
script("a SET behind an error in a pipeline", [Run("select 1/0")[:-1], Run("set work_mem = '5MB'")], SHOW)
script("a SET LOCAL in a pipeline", [Run("set local work_mem = '5MB'")[:-1], Run("show work_mem")], SHOW)
script("a SET among several statements", "set work_mem = '5MB'; show work_mem", SHOW)
script("a SET among several statements that fail", "set work_mem = '5MB'; select 1/0", SHOW)
script("a SET LOCAL among several statements", "set local work_mem = '5MB'; show work_mem", SHOW)
script("several statements with BEGIN, SET and COMMIT", "begin; set work_mem = '5MB'; commit", SHOW)
script("several statements with BEGIN, SET and ROLLBACK", "begin; set work_mem = '5MB'; rollback", SHOW)
script("several statements with SET, COMMIT and an error", "set work_mem = '5MB'; commit; select 1/0", SHOW)
script("SHOW ALL has what was set",
       "set application_name = 'me'",
       Run("select setting, source from pg_settings where name = $1", "application_name"))
script("the source of a setting",
       "set work_mem = '5MB'",
       "select name, setting, source, reset_val from pg_settings where name in ('work_mem', 'timezone')")
script("the source of what was never set",
       "select name, setting, source, reset_val from pg_settings where name in ('work_mem', 'datestyle', 'application_name', 'search_path')")
script("SHOW of something unknown", "show wrok_mem")

script("reported: application_name",
       "set application_name = 'till'", "show application_name", "reset application_name")
script("reported: application_name with odd characters", "set application_name = 'käse'", "show application_name")
script("reported: client_encoding", "set client_encoding = 'LATIN1'", "show client_encoding", "select 'x'")
script("reported: client_encoding by SET NAMES",
       "set names 'LATIN1'", "show client_encoding", "set names default", "show client_encoding")
script("reported: datestyle in parts",
       "set datestyle = 'German'", "set datestyle = 'DMY'", "show datestyle", "set datestyle = 'ISO'", "show datestyle",
       "reset datestyle", "show datestyle")
script("reported: datestyle",
       "set datestyle = 'SQL, DMY'", "select date '2026-02-01'", "reset datestyle", "select date '2026-02-01'")
script("reported: intervalstyle", "set intervalstyle = 'iso_8601'", "select interval '1 day 2 hours'")
script("reported: timezone", "set timezone = 'Asia/Tokyo'", "select timestamptz '2026-01-01 00:00:00+00'")
script("reported: SET TIME ZONE",
       "set time zone 'Europe/Berlin'", "show timezone", "set time zone interval '-08:00' hour to minute",
       "show timezone", "set time zone local", "show timezone", "set time zone default", "show time zone")
script("reported: SET LOCAL TIME ZONE", "begin", "set local time zone 3", "show timezone", "commit", "show timezone")
script("reported: standard_conforming_strings",
       "set standard_conforming_strings = off", "select 'a\\\\b'", "reset standard_conforming_strings",
       "select 'a\\\\b'")
script("reported: default_transaction_read_only",
       "set default_transaction_read_only = on", "insert into note values (1)", "show transaction_read_only",
       "set default_transaction_read_only = off", "insert into note values (1)")
script("reported: what does not change is not reported",
       "set timezone = 'UTC'", "set timezone = 'UTC'", "set timezone = 'Asia/Tokyo'", "set timezone = 'Asia/Tokyo'")
script("reported: rolled back", "begin", "set timezone = 'Asia/Tokyo'", "select 1", "rollback")
script("reported: set and rolled back in one Query", "begin; set timezone = 'Asia/Tokyo'; rollback", "show timezone")
script("reported: behind a savepoint",
       "begin", "savepoint s", "set timezone = 'Asia/Tokyo'", "rollback to s", "commit")
script("reported: by set_config",
       "select set_config('timezone', 'Asia/Tokyo', false)", "select set_config('timezone', 'Europe/Berlin', true)",
       "show timezone")
script("reported: two at once", "set timezone = 'Asia/Tokyo'; set datestyle = 'German'", "reset all")
script("reported: by a function's SET clause",
       "create function f() returns text language sql set timezone = 'Asia/Tokyo' as $$ select current_setting('timezone') $$",
       "select f()", "select f(), 1")
script("reported: in a pipeline",
       [Run("set timezone = 'Asia/Tokyo'")[:-1], Run("set datestyle = 'German'")[:-1], Run("select 1")])
script("reported: before the error of the same pipeline",
       [Run("set timezone = 'Asia/Tokyo'")[:-1], Run("select 1/0")], "show timezone")

script("a setting decides what a read answers",
       "set datestyle = 'German'", "select date '2026-02-01'", "set bytea_output = 'escape'",
       "select '\\x00ff'::bytea", "set extra_float_digits = -3", "select 0.1::float8 + 0.2::float8",
       "set xmloption = 'document'", "select date '2026-02-01', '\\x00ff'::bytea")
script("search_path decides which table is read",
       "create schema other", "create table other.item (id text)", "insert into other.item values ('other')",
       "set search_path = other, public", "table item", "select count(*) from line", "reset search_path",
       "select count(*) from item")
script("search_path in a prepared statement",
       "create schema other", "create table other.item (id int, name text)",
       "insert into other.item values (7, 'other')", [Parse("select id from item order by 1", "s"), SYNC], Again("s"),
       "set search_path = other", Again("s"), "set search_path = public", Again("s"))
script("default_transaction_isolation",
       "set default_transaction_isolation = 'serializable'", "show transaction_isolation", "begin",
       "show transaction_isolation", "commit",
       "set session characteristics as transaction isolation level repeatable read", "show transaction_isolation")
script("SET SESSION CHARACTERISTICS READ ONLY",
       "set session characteristics as transaction read only", "insert into note values (1)", "begin read write",
       "insert into note values (1)", "commit", "set session characteristics as transaction read write",
       "insert into note values (2)")
script("a READ ONLY default decides nothing about SHOW",
       "set default_transaction_read_only = on", "begin", "show transaction_read_only", "rollback",
       "show transaction_read_only")
script("client_min_messages hides notices",
       "set client_min_messages = 'warning'", "select heard('quiet')", "reset client_min_messages",
       "select heard('loud')")
script("row_security, lock_timeout and others together",
       "set lock_timeout = '3s'; set row_security = off; set idle_in_transaction_session_timeout = '1min'",
       "select current_setting('lock_timeout'), current_setting('row_security'), current_setting('idle_in_transaction_session_timeout')")
script("setseed and random", "select setseed(0.5)", "begin", "select setseed(0.5)", "select random()", "commit")
script("a long value of a setting",
       "set shop.token = '" + "x" * 5000 + "'", "select length(current_setting('shop.token'))",
       "select length(current_setting('shop.token'))")
script("a value with quotes and backslashes",
       "set application_name = E'a''b\\\\c\"d'", "show application_name", "select 1", "show application_name")
script("many settings at once",
       *[f"set shop.s{n} = '{n}'" for n in range(40)],
       "select " + ", ".join(f"current_setting('shop.s{n}')" for n in range(40)), "reset all", "show shop.s3")
script("every setting that a dump makes",
       "set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; set client_encoding = 'UTF8'; set standard_conforming_strings = on; select pg_catalog.set_config('search_path', '', false); set check_function_bodies = false; set xmloption = content; set client_min_messages = warning; set row_security = off",
       "table item", "select * from public.item order by id", "show search_path")
script("a SET by two clients",
       "set work_mem = '5MB'", B("set work_mem = '6MB'", SHOW), SHOW, B("reset all", SHOW), SHOW, "reset work_mem",
       SHOW)
script("a client that SETs nothing beside one that does",
       "set timezone = 'Asia/Tokyo'", B("show timezone", login(), "show timezone"), "show timezone")
script("a setting does not survive its client",
       "set work_mem = '5MB'", "set shop.tenant = '42'", login(), SHOW,
       # PostgreSQL cannot forget a parameter of no module: reset, it is empty, and not unknown again.
       "select coalesce(current_setting('shop.tenant', true), '')")
script("local_preload_libraries, session_replication_role and other forbidden ones",
       "set session_replication_role = replica", "set local_preload_libraries = 'x'",
       "set session_preload_libraries = 'x'", "select 1")
script("SET of transaction_isolation after a query",
       "begin", "select 1", "set transaction isolation level serializable", "rollback", "begin",
       "set transaction isolation level serializable", "show transaction_isolation", "commit")
script("SET TRANSACTION outside a transaction",
       "set transaction isolation level serializable", "show transaction_isolation", "set transaction read only",
       "show transaction_read_only")
script("SET TRANSACTION READ ONLY inside one",
       "begin", "set transaction read only", "insert into note values (1)", "rollback", "begin",
       "set transaction read only", "select 1", "commit", "insert into note values (1)")
script("SET TRANSACTION READ WRITE before a CALL",
       "begin read only", "set transaction read write", "call fill(1, 'not')", "commit",
       "begin read only", "select count(*) from note", "commit")
script("SET TRANSACTION READ WRITE in a READ ONLY one",
       "begin read only", "set transaction read write", "insert into note values (1)", "commit", "begin read only",
       "select count(*) from note", "set transaction read write", "rollback")
script("SET TRANSACTION SNAPSHOT that is none",
       "begin isolation level repeatable read", "set transaction snapshot 'nonsense'", "rollback")
script("transaction_read_only as a parameter",
       "set transaction_read_only = on", "show transaction_read_only", "begin", "set transaction_read_only = on",
       "show transaction_read_only", "insert into note values (1)", "rollback")
script("SET CONSTRAINTS outside a transaction", "set constraints all deferred")
script("a procedure that SETs",
       "create procedure tune() language plpgsql as $$ begin set work_mem = '5MB'; commit; set local work_mem = '6MB'; end $$",
       "call tune()", SHOW)
script("SET of the role as a parameter",
       "set role to 'clerk'", "select current_user", "select set_config('role', 'none', false)",
       "select current_user")
script("the timezone of a prepared statement's constants",
       "set timezone = 'UTC'", [Parse("select '2026-01-01 00:00'::timestamptz", "s"), SYNC], Again("s"),
       "set timezone = 'Asia/Tokyo'", Again("s"))
