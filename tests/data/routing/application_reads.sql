-- Reads in the manner of applications, drivers, ORMs and tools, one a line; classifier_oracle_test.cpp checks that they
-- are reads to PostgreSQL's grammar, and how many of them are to ours.
-- Liveness and identity.
SELECT 1
select 1;
SELECT 1 AS one
SELECT version()
SELECT pg_catalog.version()
SELECT current_database(), current_user, session_user, current_schema()
select current_schemas(true)
SELECT now(), clock_timestamp(), statement_timestamp(), timeofday()
SELECT current_setting('server_version_num')::int, current_setting('app.tenant', true)
SHOW server_version
show standard_conforming_strings
SHOW TRANSACTION ISOLATION LEVEL
SELECT txid_current_if_assigned()
SELECT pg_backend_pid()
SELECT inet_server_addr(), inet_server_port(), inet_client_addr()
SELECT pg_postmaster_start_time(), age(now(), pg_postmaster_start_time()) AS uptime
SELECT random(), gen_random_uuid()
-- Object-relational mappers.
SELECT "users".* FROM "users" WHERE "users"."email" = $1 LIMIT $2
SELECT "users"."id" AS t0_r0, "users"."name" AS t0_r1, "posts"."id" AS t1_r0 FROM "users" LEFT OUTER JOIN "posts" ON "posts"."user_id" = "users"."id" WHERE "users"."id" IN ($1, $2, $3)
SELECT COUNT(*) FROM "posts" WHERE "posts"."published" = TRUE AND "posts"."created_at" > '2024-01-01 00:00:00'
SELECT 1 AS one FROM "users" WHERE "users"."email" = 'a@example.org' LIMIT 1
SELECT DISTINCT "posts"."user_id" FROM "posts" ORDER BY "posts"."user_id" ASC
SELECT "shop_product"."id", "shop_product"."name", COUNT("shop_item"."id") AS "items" FROM "shop_product" LEFT OUTER JOIN "shop_item" ON ("shop_product"."id" = "shop_item"."product_id") GROUP BY "shop_product"."id" HAVING COUNT("shop_item"."id") > 3 ORDER BY "items" DESC LIMIT 21
SELECT (1) AS "a" FROM "auth_user" WHERE UPPER("auth_user"."email"::text) LIKE UPPER('%x%') LIMIT 1
SELECT "a"."id" FROM "a" WHERE ("a"."name"::text LIKE '%50\%%' AND "a"."size" >= 10)
SELECT users_1.id AS users_1_id, anon_1.total FROM (SELECT o.user_id AS user_id, sum(o.total) AS total FROM orders AS o GROUP BY o.user_id) AS anon_1 JOIN users AS users_1 ON users_1.id = anon_1.user_id
SELECT anon_1.id, anon_1.name FROM (SELECT users.id AS id, users.name AS name, row_number() OVER (PARTITION BY users.team ORDER BY users.id) AS rn FROM users) AS anon_1 WHERE anon_1.rn <= $1
select u1_0.id,u1_0.name,r1_0.user_id,r1_1.id from users u1_0 left join user_roles r1_0 on u1_0.id=r1_0.user_id left join roles r1_1 on r1_1.id=r1_0.roles_id where u1_0.name like $1 escape '\' offset $2 rows fetch first $3 rows only
select p1_0.id from product p1_0 where lower(p1_0.name) like ('%'||$1||'%') escape '' order by p1_0.id
SELECT EXISTS(SELECT 1 FROM carts WHERE user_id = $1 AND closed_at IS NULL)
SELECT CASE WHEN EXISTS (SELECT 1 FROM t) THEN 1 ELSE 0 END
SELECT t.id, t.tags, t.meta->>'color' AS color FROM things t WHERE t.tags @> ARRAY['a','b']::text[] AND t.meta @> '{"k": [1, 2]}'
SELECT t.id FROM things t WHERE t.meta ? 'a' OR t.meta ?| array['b','c']
SELECT coalesce(json_agg(json_build_object('id', c.id, 'name', c.name) ORDER BY c.id), '[]'::json) FROM children c WHERE c.parent_id = $1
SELECT row_to_json(x) FROM (SELECT id, name FROM users LIMIT 5) x
SELECT to_jsonb(u) - 'password' FROM users u WHERE u.id = ANY($1::bigint[])
SELECT u.id, l.created_at FROM users u CROSS JOIN LATERAL (SELECT created_at FROM logins WHERE user_id = u.id ORDER BY created_at DESC LIMIT 1) l
SELECT g.day::date, coalesce(count(o.id), 0) FROM generate_series($1::timestamptz, $2::timestamptz, interval '1 day') g(day) LEFT JOIN orders o ON date_trunc('day', o.created_at) = g.day GROUP BY 1 ORDER BY 1
SELECT * FROM (VALUES (1, 'one'), (2, 'two')) AS v(id, name)
SELECT * FROM (VALUES (1, 'one'), (2, 'two')) v (id, name) JOIN t USING (id)
SELECT d.id, x.key, x.value FROM documents d, jsonb_each_text(d.data) x WHERE x.key <> 'secret'
SELECT d.id, e.n, e.elem FROM documents d CROSS JOIN LATERAL jsonb_array_elements(d.data->'items') WITH ORDINALITY e (elem, n)
SELECT u.id, r FROM unnest($1::int[], $2::text[]) AS u(id, r)
SELECT id, ts_rank(search, q) AS rank FROM articles, websearch_to_tsquery('english', $1) q WHERE search @@ q ORDER BY rank DESC LIMIT 20
SELECT id, ts_headline('english', body, plainto_tsquery('word')) FROM articles
SELECT name FROM places ORDER BY location <-> point(1.5, 2.5) LIMIT 10
SELECT lower(r), upper(r), isempty(r) FROM bookings WHERE r && tstzrange($1, $2, '[)')
SELECT id FROM events WHERE during @> now()::timestamp AND NOT cancelled
SELECT extract(isodow FROM created_at), date_part('hour', created_at), to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS') FROM orders
SELECT created_at AT TIME ZONE 'UTC' AT TIME ZONE u.tz FROM orders JOIN users u ON true
SELECT now() - interval '30 days', now() + '1 hour'::interval, interval '1' year
SELECT sum(total) FILTER (WHERE paid), avg(total)::numeric(12,2), percentile_disc(0.9) WITHIN GROUP (ORDER BY total) FROM orders
SELECT id, lag(total) OVER w, lead(total, 2, 0) OVER w, sum(total) OVER (w ROWS UNBOUNDED PRECEDING) FROM orders WINDOW w AS (PARTITION BY user_id ORDER BY id)
SELECT ntile(4) OVER (ORDER BY total), cume_dist() OVER (ORDER BY total), first_value(id) OVER (ORDER BY total RANGE BETWEEN 10 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM orders
WITH RECURSIVE tree AS (SELECT id, parent_id, 1 AS depth, ARRAY[id] AS path FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, t.depth + 1, t.path || c.id FROM categories c JOIN tree t ON c.parent_id = t.id WHERE NOT c.id = ANY(t.path)) SELECT * FROM tree ORDER BY path
WITH RECURSIVE walk (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM walk WHERE id < 9) SEARCH DEPTH FIRST BY id SET ord SELECT * FROM walk ORDER BY ord
WITH active AS MATERIALIZED (SELECT id FROM users WHERE active), spent(user_id, total) AS (SELECT user_id, sum(total) FROM orders GROUP BY user_id) SELECT a.id, s.total FROM active a LEFT JOIN spent s ON s.user_id = a.id
SELECT id FROM a UNION ALL (SELECT id FROM b ORDER BY id LIMIT 3) EXCEPT SELECT id FROM c ORDER BY 1
SELECT substring(name FROM '^[a-z]+'), overlay(name PLACING '***' FROM 2 FOR 3), trim(BOTH ' ' FROM name), position('x' IN name) FROM users
SELECT regexp_replace(name, '\s+', ' ', 'g'), split_part(email, '@', 2), string_to_array(tags, ',') FROM users
SELECT md5(email), encode(sha256(email::bytea), 'hex'), length(name), left(name, 3), initcap(name) FROM users
SELECT greatest(a, b, c), least(a, b), nullif(a, 0), abs(a), round(b::numeric, 2), width_bucket(c, 0, 100, 10) FROM numbers
SELECT cast(a AS numeric(10,2)), b::varchar(20), c::timestamp(0) with time zone, d::bit varying(8) FROM t
SELECT * FROM t WHERE (a, b) = ($1, $2) AND (c, d) IN (SELECT 1, 2)
SELECT * FROM t WHERE a BETWEEN SYMMETRIC 5 AND 1 AND b IS DISTINCT FROM c AND d IS NOT NULL
SELECT * FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (42)
SELECT count(*) FROM (SELECT 1 FROM t LIMIT 1000) sub
SELECT insert, update, delete FROM permissions WHERE role_id = 1
SELECT key, value, share, name FROM settings ORDER BY key
-- Analytical.
SELECT flag, status, sum(quantity) AS qty, sum(price * (1 - discount) * (1 + tax)) AS charge, count(*) FROM line WHERE shipped <= date '1998-12-01' - interval '90' day GROUP BY flag, status ORDER BY flag, status
SELECT n_name, sum(price * (1 - discount)) AS revenue FROM customer, orders, line, nation WHERE c_id = o_customer AND l_order = o_id AND c_nation = n_id AND o_date >= date '1994-01-01' AND o_date < date '1994-01-01' + interval '1' year GROUP BY n_name ORDER BY revenue DESC
SELECT extract(year FROM o_date) AS o_year, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS share FROM (SELECT o_date, price AS volume, n_name AS nation FROM line, orders, nation) AS all_nations GROUP BY o_year
SELECT region, product, grouping(region, product), sum(sales) FROM sales GROUP BY ROLLUP (region, product) ORDER BY grouping(region) DESC
SELECT a, b, c, count(*) FROM t GROUP BY a, CUBE (b, c)
SELECT a, b, count(*) FROM t GROUP BY GROUPING SETS ((a, b), (a), ()) HAVING count(*) > 1
SELECT * FROM (SELECT item, rank() OVER (PARTITION BY category ORDER BY sum(sales) DESC) rk FROM sales GROUP BY item, category) tmp WHERE rk <= 100 ORDER BY rk
SELECT stddev_samp(x), variance(x), corr(x, y), regr_slope(y, x), covar_pop(x, y), bool_and(z), every(z), bit_or(i) FROM t
WITH monthly AS (SELECT date_trunc('month', o_date) AS m, sum(total) AS s FROM orders GROUP BY 1) SELECT m, s, s / lag(s) OVER (ORDER BY m) - 1 AS growth, avg(s) OVER (ORDER BY m ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM monthly
EXPLAIN SELECT * FROM orders WHERE user_id = 1
EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM orders
EXPLAIN ANALYZE VERBOSE SELECT * FROM orders o JOIN users u ON u.id = o.user_id
COPY (SELECT id, name FROM users WHERE active) TO STDOUT WITH (FORMAT csv, HEADER true)
COPY users (id, name) TO STDOUT
COPY public.users TO STDOUT (FORMAT binary)
TABLE users
VALUES (1), (2)
-- Catalogs, as shells, dumps and drivers look at them.
SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' ELSE 'other' END AS kind, pg_catalog.pg_get_userbyid(c.relowner) AS owner FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2
SELECT c.oid, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT i.indisprimary, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true) FROM pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid
SELECT p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.obj_description(p.oid, 'pg_proc') FROM pg_catalog.pg_proc p WHERE pg_catalog.pg_function_is_visible(p.oid)
SELECT d.datname, pg_catalog.pg_encoding_to_char(d.encoding), pg_catalog.array_to_string(d.datacl, E'\n'), CASE WHEN pg_catalog.has_database_privilege(d.datname, 'CONNECT') THEN pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(d.datname)) ELSE 'none' END FROM pg_catalog.pg_database d
SELECT pg_catalog.pg_get_viewdef('v'::pg_catalog.regclass, true), pg_catalog.pg_get_triggerdef(t.oid, true), pg_catalog.pg_get_ruledef(r.oid) FROM pg_trigger t, pg_rewrite r
SELECT pg_get_functiondef('f(int)'::regprocedure), pg_get_serial_sequence('users', 'id'), pg_get_partkeydef(1), col_description(1, 2), shobj_description(1, 'pg_database')
SELECT has_table_privilege('users', 'SELECT'), has_schema_privilege(current_user, 'public', 'USAGE'), pg_has_role('app', 'MEMBER'), has_column_privilege('users', 'id', 'SELECT')
SELECT to_regclass('public.users') IS NOT NULL, to_regtype('citext'), to_regproc('lower'), 'users'::regclass::oid
SELECT relname, pg_relation_size(oid), pg_total_relation_size(oid), pg_table_size(oid), pg_indexes_size(oid) FROM pg_class ORDER BY 3 DESC LIMIT 20
SELECT t.typname, t.oid, t.typarray FROM pg_type t LEFT JOIN pg_range r ON t.oid = r.rngtypid WHERE t.typname IN ('hstore', 'jsonb') OR t.typtype IN ('r', 'e', 'd') OR t.typinput::varchar = 'array_in' || '/varchar'
SELECT t.oid, t.typname, t.typelem FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.typinput = 'array_in(cstring,oid,integer)'::regprocedure
SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY ordinal_position
SELECT kcu.column_name, tc.constraint_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name) WHERE tc.constraint_type = 'PRIMARY KEY'
SELECT result.table_name, result.column_name, result.key_seq FROM (SELECT ct.relname AS table_name, a.attname AS column_name, (information_schema._pg_expandarray(i.indkey)).n AS key_seq FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_index i ON ct.oid = i.indrelid JOIN pg_catalog.pg_attribute a ON a.attrelid = ct.oid) result ORDER BY key_seq
SELECT null AS procedure_cat, n.nspname, p.proname, d.description FROM pg_catalog.pg_namespace n, pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_description d ON (p.oid = d.objoid) WHERE p.pronamespace = n.oid AND n.nspname LIKE E'public' ORDER BY 2, 3, p.oid::text
SELECT enumlabel, array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e GROUP BY 1
SELECT con.conname, con.conkey, ns.nspname, cl.relname, array(SELECT att.attname FROM unnest(con.conkey) WITH ORDINALITY AS k (num, pos) JOIN pg_attribute att ON att.attnum = k.num AND att.attrelid = con.conrelid ORDER BY k.pos) FROM pg_constraint con JOIN pg_class cl ON cl.oid = con.confrelid JOIN pg_namespace ns ON ns.oid = cl.relnamespace WHERE con.contype = 'f'
SELECT c.relname, generate_subscripts(i.indkey, 1) AS pos, (i.indkey)[0] FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
SELECT pid, usename, state, query, now() - query_start AS runtime FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()
SELECT schemaname, relname, seq_scan, n_live_tup, last_autovacuum FROM pg_stat_user_tables ORDER BY n_dead_tup DESC
SELECT datname, xact_commit, blks_hit::float / nullif(blks_hit + blks_read, 0) FROM pg_stat_database
SELECT l.mode, l.granted, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted
SELECT name, setting, unit, short_desc FROM pg_settings WHERE name ~* 'mem'
SELECT extname, extversion FROM pg_extension
SELECT pg_column_size(t.*), t.ctid, t.xmin, t.tableoid::regclass FROM t LIMIT 1
SELECT pg_encoding_to_char(6), pg_client_encoding(), pg_size_bytes('1 GB'), pg_typeof(1), quote_ident('a b'), quote_literal('x')
SELECT rolname, rolsuper, ARRAY(SELECT b.rolname FROM pg_auth_members m JOIN pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) FROM pg_roles r WHERE r.rolname !~ '^pg_'
SELECT sequence_name, last_value FROM information_schema.sequences CROSS JOIN LATERAL (SELECT 1 AS last_value) s
SELECT last_value, is_called FROM users_id_seq
SELECT xmlelement(name row, xmlattributes(id AS id), xmlforest(name, email)) FROM users
SELECT x.* FROM docs, xmltable('/a/b' PASSING docs.data COLUMNS id int PATH '@id', name text PATH 'name' DEFAULT 'none') AS x
SELECT pg_sleep(0.1)
SELECT 'a' IS NULL, E'tab\there', U&'d\0061ta', $$dollar$$, $tag$ with $$ inside $tag$, B'1010', X'1FF'
SELECT /* app:web, action:index */ u.id FROM users u -- trailing
/* leading */ SELECT count(*) FROM orders /*traceparent='00-abc-01'*/
