"""Query: results, errors with all their fields, several statements, odd texts."""

from dsl import *

script = area(__name__)

script("a row", "select 1")
script("rows of a table", "select * from item order by id")
script("no row", "select * from item where false")
script("no column", "select", "select from item", "select where false")
script("an empty query", "", " ", ";", ";;", "-- nothing", "/* nothing */", " ; -- nothing")
script("NULLs", "select null, null::int, ''", "select * from item where price is null")
script("types",
       "select 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 3.25::numeric, true, 'x'::text, 'y'::varchar(5), 'z'::char(3), '\\x01'::bytea, date '2026-01-01', time '12:00', timestamp '2026-01-01 12:00', interval '1 day', '{1,2}'::int[], '{\"a\": 1}'::json, '{\"a\": 1}'::jsonb, '127.0.0.1'::inet, 'a'::name, 'b'::\"char\", 1::oid, 'item'::regclass, B'101', point '(1,2)', '00000000-0000-0000-0000-000000000001'::uuid, '1.5'::money, xml '<a/>'")
script("types of one's own",
       "select 'sad'::mood, row(1, 'x')::pair, 5::small, array['ok']::mood[]", "select 'cross'::mood",
       "select 500::small")
script("names of columns", "select 1 as a, 2 as a, 3 as \"Ä ö\", 4 as \"\"\"\", 5")
script("names of columns that are too long", "select 1 as " + "x" * 80)
script("1,600 columns", "select " + ", ".join(f"{n} as c{n}" for n in range(1600)))
script("1,665 columns are too many", "select " + ", ".join("1" for n in range(1665)))
script("many rows", "select g, repeat('x', g) from generate_series(1, 300) g")
script("a megabyte in one value", "select repeat('x', 1000000)")
script("a statement of a megabyte", "select length('" + "x" * 1000000 + "')")
script("a long list of values", "select count(*) from item where id in (" + ", ".join(map(str, range(20000))) + ")")
script("characters of every length", "select 'aä€😀', length('aä€😀'), 'ß' < 'z'")
script("a syntax error",
       "selec 1", "select 1 from", "select 'open", "select \"open", "select $tag$ open", "select /* open")
script("a syntax error's position behind wide characters", "select 'ä€😀' frm item", "select 'ä', nope")
script("an unknown table", "select * from nowhere")
script("an unknown column, with a hint", "select nam from item")
script("an unknown function", "select nofunction(1)")
script("an ambiguous column", "select id from item, line")
script("division by zero", "select 1/0")
script("an error after some rows", "select 1/(3 - g) from generate_series(1, 5) g")
script("an error after many rows", "select 10/(3000 - g) from generate_series(1, 5000) g")
script("a cast that fails", "select 'x'::int", "select '2026-13-01'::date", "select 99999999999::int")
script("all fields of an error", "select fail('all of them')")
script("an error inside a function, with its context",
       "create function g() returns int language plpgsql as $$ begin return 1/0; end $$", "select g()")
script("an error of a check constraint", "insert into item values (9, 'free', -1)")
script("an error of a primary key", "insert into item values (1, 'tea again', 1)")
script("an error of NOT NULL", "insert into item values (9, null, 1)")
script("an error of a foreign key",
       "begin", "set constraints all immediate", "insert into line values (1, 99)", "rollback")
script("an error of a domain", "create table s (v small)", "insert into s values (100)")
script("permission denied",
       "select * from pg_authid", "create database x", "copy item to '/tmp/x'", "select pg_read_file('/etc/passwd')")
script("a statement for a superuser", "alter system set work_mem = '5MB'", "select pg_reload_conf()", "checkpoint")
script("a notice",
       "select heard('ping')", "do $$ begin raise notice 'one'; raise warning 'two'; raise info 'three'; end $$")
script("a notice with every field",
       "do $$ begin raise notice 'n' using detail = 'd', hint = 'h', errcode = '01P42'; end $$")
script("notices before an error", "do $$ begin raise notice 'one'; raise exception 'two'; end $$")
script("many notices", "do $$ begin for i in 1..50 loop raise notice 'n%', i; end loop; end $$")
script("notices of utility commands",
       "drop table if exists nowhere", "create table if not exists item (id int)",
       "create table x (id int primary key)", "drop schema if exists nope cascade")
script("a truncated identifier", "create table " + "n" * 70 + " (v int)", "select * from " + "n" * 63)
script("DDL",
       "create table x (v int)", "alter table x add w text", "create index on x (v)",
       "create view y as select * from x", "comment on table x is 'y'", "drop view y", "drop table x")
script("command tags",
       "insert into note values (1), (2)", "update note set v = 3", "delete from note", "truncate note",
       "create table x as select 1 as v", "select * into y from x",
       "merge into x using y on x.v = y.v when matched then delete", "vacuum x", "analyze x", "cluster",
       "reindex table x", "lock table x", "explain select 1", "values (1), (2)", "table x",
       "comment on table x is null", "grant select on x to clerk", "revoke all on x from clerk",
       "refresh materialized view x", "load 'nope'", "security label on table x is 'y'",
       "import foreign schema x from server y into z")
script("RETURNING",
       "insert into item values (7, 'egg', 1) returning id, name",
       "update item set price = 2 where id = 7 returning *", "delete from item where id = 7 returning price")
script("ON CONFLICT",
       "insert into item values (1, 'x', 1) on conflict do nothing",
       "insert into item values (1, 'x', 1) on conflict (id) do update set name = excluded.name returning *")
script("a CTE that writes",
       "with gone as (delete from item where id = 3 returning *) select * from gone", "select count(*) from item")
script("a CTE that reads",
       "with recursive t(n) as (values (1) union all select n + 1 from t where n < 5) select * from t")
script("EXPLAIN",
       "explain (costs off) select * from item where id = 1", "explain (costs off, format json) select 1",
       "explain (costs off) insert into note values (1)", "table note")
script("EXPLAIN ANALYZE writes",
       "explain (analyze, costs off, timing off, summary off) insert into note values (1)", "table note")
script("EXPLAIN EXECUTE", "prepare p(int) as select * from item where id = $1", "explain (costs off) execute p(1)")
script("SHOW", "show server_encoding", "show max_prepared_transactions", "show all_of_it")
script("DO", "do $$ begin perform 1; end $$", "do language plpgsql 'begin null; end'", "do language nope 'x'")
script("DO with transaction control",
       "do $$ begin insert into note values (1); commit; insert into note values (2); rollback; end $$", "table note")
script("DO with transaction control inside a transaction",
       "begin", "do $$ begin insert into note values (1); commit; end $$", "rollback", "table note")
script("CALL", "call fill(3, 'commit')", "table note", "call fill(2, 'rollback')", "select count(*) from note")
script("CALL in a transaction", "begin", "call fill(1, 'none')", "call fill(1, 'commit')", "rollback", "table note")
script("CALL with results",
       "create procedure twice(inout a int, out b text) language plpgsql as $$ begin a := a * 2; b := 'b'; end $$",
       "call twice(4, null)")
script("CALL of what is not there", "call nothing()")

script("two statements", "select 1; select 2")
script("several statements of every kind",
       "insert into note values (1); select count(*) from note; update note set v = 2; table note; delete from note")
script("several statements, an error in the middle",
       "insert into note values (1); select 1/0; insert into note values (2)", "table note")
script("several statements, a syntax error at the end", "insert into note values (1); selec 2", "table note")
script("several statements, the first one fails", "select 1/0; select 1")
script("several statements with empty ones", ";select 1;;select 2;", "; ;")
script("several statements with BEGIN", "begin; insert into note values (1)", "table note", "rollback", "table note")
script("several statements with BEGIN and COMMIT", "begin; insert into note values (1); commit", "table note")
script("several statements with BEGIN and an error",
       "begin; insert into note values (1); select 1/0; commit", "select 1", "commit", "table note")
script("several statements: COMMIT without BEGIN",
       "insert into note values (1); commit; insert into note values (2); select 1/0", "table note")
script("several statements: ROLLBACK without BEGIN",
       "insert into note values (1); rollback; insert into note values (2)", "table note")
script("several statements: BEGIN in the middle",
       "insert into note values (1); begin; insert into note values (2)", "rollback", "table note")
script("several statements: BEGIN twice", "begin; begin; commit; commit")
script("several statements: two transactions",
       "begin; insert into note values (1); commit; begin; insert into note values (2); rollback; select count(*) from note")
script("several statements: SAVEPOINT in an implicit transaction", "select 1; savepoint s; select 2")
script("several statements: VACUUM", "select 1; vacuum note", "vacuum note; select 1")
script("several statements: reads only", "select 1; show work_mem; values (2); table item")
script("several statements: PREPARE and EXECUTE", "prepare p as select 1; execute p; deallocate p", "execute p")
script("several statements: a notice between", "select 1; do $$ begin raise notice 'between'; end $$; select 2")
script("several statements that end in a comment", "select 1; -- the end", "select 1; /* the end */ ;")
script("several statements: the implicit transaction is one",
       "insert into note values (pg_current_xact_id_if_assigned() is null); insert into note select count(distinct xmin::text) from note",
       "table note")
script("semicolons in strings, comments and dollar quotes",
       "select ';', $$;$$, $a$;$$;$a$, \";\" from (select 1 as \";\") x /* ; */ -- ;")
script("a SQL function body with BEGIN ATOMIC",
       "create function two() returns int begin atomic select 1; select 2; end", "select two()")
script("a rule that adds a statement",
       "create table log (v text)", "create rule r as on insert to note do also insert into log values (new.v)",
       "insert into note values ('x')", "table log")
script("a view that writes",
       "create function w() returns int language sql as 'insert into note values (1) returning 1'",
       "create view y as select w()", "table y", "table y", "select count(*) from note")
script("SELECT FOR UPDATE",
       "select id from item where id = 1 for update", "select id from item for share",
       "select id from item for no key update nowait", "select id from item order by id for key share skip locked")
script("a function that writes",
       "create function w(text) returns int language plpgsql as $$ begin insert into note values ($1); return 1; end $$",
       "select w('a')", "select count(*) from note", "select w(v) from note", "select count(*) from note")
script("a function called stable that writes",
       "create function w() returns int stable language plpgsql as $$ begin execute 'insert into note values (1)'; return 1; end $$",
       "select w()", "table note")
script("nextval",
       "create sequence q", "select nextval('q')", "select nextval('q'), nextval('q')", "select setval('q', 10)",
       "select nextval('q')", "select last_value from q")
script("txid_current", "select txid_current() > 0, pg_current_xact_id_if_assigned() is null")
script("read your writes",
       *[step for n in range(8) for step in (f"insert into note values ({n})", "select count(*), max(v::int) from note")])
script("now() in and out of a transaction",
       "begin", "select now() = now()", "select now() = statement_timestamp()", "commit")
script("ctid and xmin", "select ctid, xmin <> 0 from item order by id")
script("pg_sleep", "select pg_sleep(0.01)")
script("a time limit",
       "set statement_timeout = '30ms'", "select pg_sleep(5)", "select 1", "begin", "select pg_sleep(5)", "select 1",
       "rollback")
script("a time limit in a transaction only",
       "begin", "set local statement_timeout = '30ms'", "select pg_sleep(5)", "rollback", "show statement_timeout")
script("a lock that is waited for too long",
       "begin", "lock table note",
       B("set lock_timeout = '30ms'", "insert into note values (1)", "begin", "lock table note nowait", "commit"),
       "commit")
script("comments before the statement",
       "/* one */ select 1", "-- two\nselect 2", "/* a /* nested */ one */ insert into note values (3)", "table note")
script("white space of every kind", "\t\n\r\f select\v\n1")
script("an SQL text with a zero-width space", "select '\u200b', 1")
script("a text that is not UTF-8", Query(b"select '\xff'"), "select 1", Query(b"select \xc3"), "select 1")
script("LATIN1",
       "set client_encoding = 'LATIN1'", Query(b"select '\xe4', length('\xe4')"),
       Query("select '€'".encode("latin-1", "replace")), "select U&'\\20AC'", "select 1")
script("an encoding with multiple bytes",
       "set client_encoding = 'SJIS'", Query("select 'ソ', length('ソ表')".encode("shift_jis")), "reset client_encoding")
script("SQL_ASCII", "set client_encoding = 'SQL_ASCII'", Query(b"select '\xc3\xa4'"), Query(b"select '\xff'"))
script("unicode escapes", "select U&'d\\0061t\\+000061', U&'x!0061' uescape '!', E'\\u00e4'")
script("catalog queries",
       "select relname, relkind from pg_class where relname in ('item', 'line') order by 1",
       "select format_type('mood'::regtype, null)",
       "select pg_get_constraintdef(oid) from pg_constraint where conname like 'item%' order by 1",
       "select obj_description('item'::regclass)")
script("where am I",
       "select current_database(), current_schema(), current_user, session_user, current_schemas(true)",
       "select inet_client_addr(), pg_is_in_recovery()")
script("information_schema",
       "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public' order by 1, 2")
script("pg_backend_pid is some number", "select pg_backend_pid() > 0")
script("large numbers of statements in one Query", "; ".join(f"select {n}" for n in range(200)))
script("a deep expression", "select " + "(" * 500 + "1" + ")" * 500, "select " + "+".join(["1"] * 2000))
script("an expression that is too deep", "select " + "(" * 20000 + "1" + ")" * 20000, "select 1")
