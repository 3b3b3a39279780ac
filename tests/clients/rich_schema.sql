-- Something of every kind that \d and pg_dump know and an ordinary user may make. Run with :schema set.
create schema :"schema";
set search_path to :"schema";
create type mood as enum ('sad', 'ok', 'happy');
create type pair as (a int, b text);
create type int_range_of_ours as range (subtype = int4);
create domain positive as int constraint above_zero check (value > 0);
create collation german (locale = 'C');
create sequence tickets start 100 increment 5;
create table customer (
  id int generated always as identity primary key,
  name text not null collate "C",
  feeling mood default 'ok',
  age positive,
  full_name text generated always as (name || '!') stored,
  tags text[],
  profile jsonb default '{"a": 1}',
  period tstzrange,
  unique (name, age),
  exclude using gist (period with &&)
);
comment on table customer is 'Who buys';
comment on column customer.name is 'as it''s spelt, ü';
create index customer_profile on customer using gin (profile);
create unique index customer_lower on customer (lower(name) desc nulls last) where age > 10;
create statistics customer_numbers (dependencies, ndistinct) on name, age from customer;
create table purchase (
  id bigserial primary key,
  customer_id int references customer on delete cascade deferrable initially deferred,
  total numeric(12, 2) check (total >= 0),
  at timestamptz default '2024-01-01 00:00+00'
) with (fillfactor = 70);
create table measurement (day date not null, value float8) partition by range (day);
create table measurement_2023 partition of measurement for values from ('2023-01-01') to ('2024-01-01');
create table measurement_rest partition of measurement default;
create index on measurement (day);
create table special (extra text) inherits (purchase);
create unlogged table scratch (v int);
create view happy with (security_barrier) as select * from customer where feeling = 'happy' with check option;
create materialized view totals as select customer_id, sum(total) from purchase group by 1 with no data;
create function twice(n int, out doubled int) language sql immutable as 'select n * 2';
create function touch() returns trigger language plpgsql as $$ begin new.at := now(); return new; end $$;
create procedure tidy(inout n int) language plpgsql as $$ begin n := n + 1; end $$;
create aggregate longest(text) (sfunc = textcat, stype = text, initcond = '');
create operator === (leftarg = int, rightarg = int, function = int4eq, commutator = ===);
create trigger touched before update on purchase for each row when (old.* is distinct from new.*) execute function touch();
create rule no_delete as on delete to scratch do instead nothing;
create text search configuration plain (copy = simple);
alter table customer enable row level security;
create policy own_rows on customer for select using (name = current_user);
alter table purchase replica identity full;
create publication :"schema" for table purchase where (total > 10);
grant select (id, name), update (age) on customer to public;
grant usage on schema :"schema" to public;
alter default privileges in schema :"schema" grant select on tables to public;
cluster purchase using purchase_pkey;
insert into customer (name, age, tags) select 'name ' || i, i, array['a', 'b"' || i] from generate_series(1, 300) i;
insert into purchase (customer_id, total) select i % 300 + 1, i / 7.0 from generate_series(1, 5000) i;
insert into measurement select '2023-12-01'::date + i, i / 3.0 from generate_series(1, 100) i;
select setval('tickets', 777);
