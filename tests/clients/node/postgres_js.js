// postgres.js: prepares every statement, pipelines whatever is sent at once, and reads the types of arrays at its start.
'use strict';

const assert = require('node:assert/strict');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const postgres = require('postgres');
const { main, fails, parameters, tenMegabytes } = require('./program.js');

const connect = (changes = {}) =>
  postgres({ ...parameters(), max: 1, connect_timeout: 10, onnotice: () => {}, ...changes });

/** Runs `body` with a connection and ends that. */
const withClient = (body) => async (table) => {
  const sql = connect();
  await body(sql, table);
  await sql.end();
};

const value = async (query) => Object.values((await query)[0])[0];

const parts = {
  connect: withClient(async (sql) => {
    assert.equal(await value(sql`select current_user`), process.env.PGUSER);
    assert.equal(await value(sql`select current_database()`), process.env.PGDATABASE);
  }),

  async wrong_password() {
    await fails(connect({ password: 'wrong' })`select 1`, '28P01');
  },

  prepared: withClient(async (sql) => {
    for (let index = 0; index < 30; index++) assert.equal(await value(sql`select ${index}::int * 2`), index * 2);
    assert.equal(await value(sql.unsafe('select $1::int + 1', [1], { prepare: true })), 2);
    assert.equal(await value(sql.unsafe('select 1; select 2').then((results) => results[1])), 2);
  }),

  transactions: withClient(async (sql, table) => {
    await sql`create table ${sql(table)} (v int)`;
    await sql.begin(async (tx) => {
      await tx`insert into ${sql(table)} values (1)`;
      await tx.savepoint(async (point) => {
        await point`insert into ${sql(table)} values (2)`;
        throw new Error('changed my mind');
      }).catch((error) => assert.equal(error.message, 'changed my mind'));
    });
    await assert.rejects(sql.begin(async (tx) => {
      await tx`delete from ${sql(table)}`;
      throw new Error('no');
    }), /no/);
    assert.deepEqual([...(await sql`select v from ${sql(table)}`)], [{ v: 1 }]);
  }),

  read_only: withClient(async (sql, table) => {
    await sql`create table ${sql(table)} (v int)`;
    assert.equal(await sql.begin('read only', (tx) => value(tx`select count(*)::int from ${sql(table)}`)), 0);
    await fails(sql.begin('read only', (tx) => tx`insert into ${sql(table)} values (1)`), '25006');
    await sql`insert into ${sql(table)} values (1)`;
  }),

  copy: withClient(async (sql, table) => {
    await sql`create table ${sql(table)} (a int, b text)`;
    const rows = Array.from({ length: 20_000 }, (_, index) => `${index}\ttext ${index}\n`);
    await pipeline(Readable.from(rows), await sql`copy ${sql(table)} from stdin`.writable());
    const pieces = [];
    for await (const piece of await sql`copy (select * from ${sql(table)} order by a) to stdout`.readable()) pieces.push(piece);
    assert.equal(Buffer.concat(pieces).toString(), rows.join(''));
  }),

  cancel: withClient(async (sql) => {
    const query = sql`select pg_sleep(40)`;
    const ended = fails(query.execute(), '57014').then(() => true);
    // The driver gives up a query by itself that has not been sent, and asks the server for one that has.
    const later = () => new Promise((resolve) => setTimeout(() => resolve(false), 200));
    await later();
    do await query.cancel(); while (!(await Promise.race([ended, later()])));
    assert.equal(await value(sql`select 1`), 1);
  }),

  listen: withClient(async (sql, table) => {
    const heard = [];
    let next = () => {};
    const listening = await sql.listen(table, (payload) => { heard.push(payload); next(); });
    for (let index = 0; index < 3; index++) {
      const arrived = new Promise((resolve, reject) => {
        next = resolve;
        setTimeout(reject, 10_000, new Error('no notification within 10 s')).unref();
      });
      await sql.notify(table, `number ${index}`);
      await arrived;
    }
    assert.deepEqual(heard, ['number 0', 'number 1', 'number 2']);
    await listening.unlisten();
  }),

  // Statements that are sent at once share one connection in a pipeline of many Syncs; in a transaction likewise.
  batch: withClient(async (sql, table) => {
    await sql`create table ${sql(table)} (v int)`;
    const sent = Array.from({ length: 100 }, (_, index) => sql`insert into ${sql(table)} values (${index}) returning v`);
    assert.deepEqual((await Promise.all(sent)).map((rows) => rows[0].v), sent.map((_, index) => index));
    const results = await sql.begin((tx) => Array.from({ length: 50 }, (_, index) => tx`select ${index}::int as v`));
    assert.deepEqual(results.map((rows) => rows[0].v), results.map((_, index) => index));
    const mixed = await Promise.allSettled([sql`select 1 as v`, sql`select 1/0 as v`, sql`select 3 as v`]);
    assert.deepEqual(mixed.map((result) => result.status), ['fulfilled', 'rejected', 'fulfilled']);
  }),

  arrays: withClient(async (sql) => {
    assert.deepEqual(await value(sql`select ${[1, 2, 3]}::int[]`), [1, 2, 3]);
    assert.deepEqual(await value(sql`select ${sql.array(['a', 'b "c"', '{}'])}::text[]`), ['a', 'b "c"', '{}']);
    assert.equal(await value(sql`select count(*)::int from generate_series(1, 10) i where i = any(${[2, 4, 99]})`), 2);
    assert.equal(await value(sql`select count(*)::int from generate_series(1, 10) i where i in ${sql([2, 4, 99])}`), 2);
  }),

  types: withClient(async (sql) => {
    const when = new Date('2024-02-29T12:34:56.789Z');
    assert.deepEqual(await value(sql`select ${when}::timestamptz`), when);
    assert.equal(await value(sql`select ${'12345678901234567890.123456789'}::numeric`), '12345678901234567890.123456789');
    assert.deepEqual(await value(sql`select ${sql.json({ a: [1, null, 'ü'] })}::jsonb`), { a: [1, null, 'ü'] });
    const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    assert.equal(await value(sql`select ${uuid}::uuid`), uuid);
    assert.equal(await value(sql`select ${null}::text`), null);
    assert.equal(await value(sql`select ${'ü 漢 😀'}::text`), 'ü 漢 😀');
    assert.deepEqual(await value(sql`select ${Buffer.from([0, 255])}::bytea`), Buffer.from([0, 255]));
  }),

  large: withClient(async (sql, table) => {
    const text = tenMegabytes();
    assert.ok((await value(sql`select ${text}::text`)) === text);
    await sql`create table ${sql(table)} (v bytea)`;
    await sql`insert into ${sql(table)} values (${Buffer.from(text)})`;
    assert.ok((await value(sql`select v from ${sql(table)}`)).equals(Buffer.from(text)));
  }),

  errors: withClient(async (sql, table) => {
    await fails(sql`select 1/0`, '22012');
    await fails(sql`select * from ${sql(table)}`, '42P01');
    await fails(sql`no such statement`, '42601');
    await sql`create table ${sql(table)} (v int unique)`;
    assert.equal((await sql`select * from ${sql(table)}`).length, 0);
    await sql`insert into ${sql(table)} values (1)`;
    const error = await fails(sql`insert into ${sql(table)} values (1)`, '23505');
    assert.equal(error.table_name, table);
    assert.equal(await value(sql`select 1 as v`), 1);
  }),

  errors_in_transaction: withClient(async (sql, table) => {
    await sql`create table ${sql(table)} (v int)`;
    await fails(sql.begin(async (tx) => {
      await tx`insert into ${sql(table)} values (1)`;
      await fails(tx`select 1/0`, '22012');
      await tx`select 1`;
    }), '22012');
    assert.equal(await value(sql`select count(*)::int from ${sql(table)}`), 0);
  }),

  settings: withClient(async (sql) => {
    const other = connect({ connection: { application_name: 'other', statement_timeout: 7000 } });
    await sql`set work_mem to '7MB'`;
    for (let index = 0; index < 20; index++) {
      assert.equal(await value(sql`show work_mem`), '7MB');
      assert.equal(await value(other`show work_mem`), '4MB');
      assert.equal(await value(other`show statement_timeout`), '7s');
      assert.equal(await value(other`select current_setting('application_name')`), 'other');
    }
    await other.end();
  }),

  cursor: withClient(async (sql) => {
    const seen = [];
    await sql`select generate_series(1, 250) as v`.cursor(100, (rows) => { seen.push(...rows.map((row) => row.v)); });
    assert.deepEqual(seen, Array.from({ length: 250 }, (_, index) => index + 1));
    for await (const rows of sql`select generate_series(1, 100000) as v`.cursor(10)) {
      assert.equal(rows.length, 10);
      break;
    }
    assert.equal(await value(sql`select 1`), 1);
  }),

  async pool(table) {
    const sql = connect({ max: 12 });
    await sql`create table ${sql(table)} (worker int, v int)`;
    await Promise.all(Array.from({ length: 12 }, async (_, worker) => {
      for (let index = 0; index < 20; index++) {
        const insert = (tx) => tx`insert into ${sql(table)} values (${worker}, ${index})`;
        if (index % 4 === 3) {
          await assert.rejects(sql.begin(async (tx) => { await insert(tx); throw new Error('no'); }), /no/);
        } else {
          await sql.begin(insert);
        }
        assert.deepEqual([...(await sql`select ${worker}::int as worker, ${index}::int as v`)], [{ worker, v: index }]);
      }
    }));
    // In a transaction, and thus to the primary, which has what the others have written.
    const rows = await sql.begin((tx) => tx`select worker, count(*)::int from ${sql(table)} group by worker order by worker`);
    assert.deepEqual([...rows], Array.from({ length: 12 }, (_, worker) => ({ worker, count: 15 })));
    await sql.end();
  },
};

main(parts);
