// node-postgres (pg): the driver with pure JavaScript, its pool, its cursors and its COPY streams.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const copyStreams = require('pg-copy-streams');
const { main, fails, parameters, tenMegabytes } = require('./program.js');

async function connect(changes = {}) {
  const wants = process.env.PGCHANNELBINDING === 'require' ? { enableChannelBinding: true } : {};
  const client = new Client({ ...parameters(), connectionTimeoutMillis: 10_000, ...wants, ...changes });
  await client.connect();
  return client;
}

/** Runs `body` with a client and ends the client. */
const withClient = (body) => async (table) => {
  const client = await connect();
  await body(client, table);
  await client.end();
};

const one = async (client, text, values) => Object.values((await client.query(text, values)).rows[0])[0];

const parts = {
  connect: withClient(async (client) => {
    assert.equal(await one(client, 'select current_user'), process.env.PGUSER);
    assert.equal(await one(client, 'select current_database()'), process.env.PGDATABASE);
    assert.ok(client.processID > 0);
  }),

  async wrong_password() {
    await fails(connect({ password: 'wrong' }), '28P01');
  },

  prepared: withClient(async (client) => {
    for (let index = 0; index < 30; index++) {
      const result = await client.query({ name: 'twice', text: 'select $1::int * 2 as v', values: [index] });
      assert.equal(result.rows[0].v, index * 2);
    }
    const other = await connect();
    const result = await other.query({ name: 'twice', text: "select 'two ' || $1::text as v", values: ['x'] });
    assert.equal(result.rows[0].v, 'two x');
    await other.end();
    assert.equal((await client.query({ name: 'twice', values: [8], text: 'select $1::int * 2 as v' })).rows[0].v, 16);
  }),

  transactions: withClient(async (client, table) => {
    await client.query(`create table ${table} (v int)`);
    await client.query('begin');
    await client.query(`insert into ${table} values ($1)`, [1]);
    await client.query('savepoint one');
    await client.query(`insert into ${table} values ($1)`, [2]);
    await client.query('rollback to one');
    await client.query('commit');
    await client.query('begin');
    await client.query(`delete from ${table}`);
    await client.query('rollback');
    assert.deepEqual((await client.query(`select v from ${table}`)).rows, [{ v: 1 }]);
  }),

  read_only: withClient(async (client, table) => {
    await client.query(`create table ${table} (v int)`);
    await client.query('begin transaction read only');
    assert.equal(await one(client, `select count(*)::int from ${table}`), 0);
    await fails(client.query(`insert into ${table} values ($1)`, [1]), '25006');
    await client.query('rollback');
  }),

  copy: withClient(async (client, table) => {
    await client.query(`create table ${table} (a int, b text)`);
    const rows = Array.from({ length: 20_000 }, (_, index) => `${index}\ttext ${index}\n`);
    const into = client.query(copyStreams.from(`copy ${table} from stdin`));
    await pipeline(Readable.from(rows), into);
    assert.equal(into.rowCount, 20_000);
    const out = client.query(copyStreams.to(`copy (select * from ${table} order by a) to stdout`));
    const pieces = [];
    for await (const piece of out) pieces.push(piece);
    assert.equal(Buffer.concat(pieces).toString(), rows.join(''));
    const broken = client.query(copyStreams.from(`copy ${table} from stdin`));
    await fails(pipeline(Readable.from(['no number\tx\n']), broken), '22P02');
    assert.equal(await one(client, `select count(*)::int from ${table}`), 20_000);
  }),

  // The driver's own cancel is given a client that is to be used up for it; this is what it does, without guessing when.
  cancel: withClient(async (client, table) => {
    const other = await connect();
    let ended = false;
    const running = fails(client.query(`select pg_sleep(40) /* ${table} */`), '57014').finally(() => { ended = true; });
    const { Connection } = require('pg');
    while (!ended) {
      await new Promise((resolve, reject) => {
        const request = new Connection({ ssl: parameters().ssl });
        request.on('connect', () => request.cancel(client.processID, client.secretKey));
        request.on('sslconnect', () => request.cancel(client.processID, client.secretKey));
        request.on('error', reject);
        request.stream.on('close', resolve);
        request.connect(Number(process.env.PGPORT), process.env.PGHOST);
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await running;
    assert.equal(await one(client, 'select 1'), 1);
    assert.equal(await one(other, 'select 1'), 1);
    await other.end();
  }),

  listen: withClient(async (client, table) => {
    const other = await connect();
    await client.query(`listen ${table}`);
    for (let index = 0; index < 3; index++) {
      const heard = once(client, 'notification', { signal: AbortSignal.timeout(10_000) });
      await other.query('select pg_notify($1, $2)', [table, `number ${index}`]);
      const [message] = await heard;
      assert.deepEqual([message.channel, message.payload], [table, `number ${index}`]);
    }
    await client.query('unlisten *');
    await other.end();
  }),

  batch: withClient(async (client, table) => {
    await client.query(`create table ${table} (v int)`);
    const sent = Array.from({ length: 100 }, (_, index) =>
      client.query(`insert into ${table} values ($1) returning v`, [index]));
    const results = await Promise.all(sent);
    assert.deepEqual(results.map((result) => result.rows[0].v), sent.map((_, index) => index));
    const several = await client.query(`select 1 as v; select count(*)::int as v from ${table}; select 'x' as v`);
    assert.deepEqual(several.map((result) => result.rows[0].v), [1, 100, 'x']);
  }),

  binary: withClient(async (client) => {
    // The driver reads binary values as text first, which only those of ASCII bytes survive.
    const text = 'select $1::int4 as a, $2::bool as b, $3::text as c, null::int as d';
    const { rows } = await client.query({ text, values: [77, true, 'text'], binary: true });
    assert.deepEqual({ ...rows[0] }, { a: 77, b: true, c: 'text', d: null });
  }),

  arrays: withClient(async (client) => {
    assert.deepEqual(await one(client, 'select $1::int[]', [[1, 2, null]]), [1, 2, null]);
    assert.deepEqual(await one(client, 'select $1::text[]', [['a', 'b "c"', '{}']]), ['a', 'b "c"', '{}']);
    assert.equal(await one(client, 'select count(*)::int from generate_series(1, 10) i where i = any($1)', [[2, 4, 99]]), 2);
  }),

  types: withClient(async (client) => {
    const when = new Date('2024-02-29T12:34:56.789Z');
    assert.deepEqual(await one(client, 'select $1::timestamptz', [when]), when);
    assert.equal(await one(client, 'select $1::numeric', ['12345678901234567890.123456789']), '12345678901234567890.123456789');
    assert.deepEqual(await one(client, 'select $1::jsonb', [{ a: [1, null, 'ü'] }]), { a: [1, null, 'ü'] });
    const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    assert.equal(await one(client, 'select $1::uuid', [uuid]), uuid);
    assert.equal(await one(client, 'select $1::text', [null]), null);
    assert.equal(await one(client, 'select $1::text', ['ü 漢 😀']), 'ü 漢 😀');
    assert.ok(Number.isNaN(await one(client, "select 'NaN'::float8")));
    assert.equal(await one(client, 'select $1::bool', [true]), true);
  }),

  large: withClient(async (client, table) => {
    const text = tenMegabytes();
    assert.ok((await one(client, 'select $1::text', [text])) === text);
    await client.query(`create table ${table} (v bytea)`);
    await client.query(`insert into ${table} values ($1)`, [Buffer.from(text)]);
    assert.ok((await one(client, `select v from ${table}`)).equals(Buffer.from(text)));
  }),

  errors: withClient(async (client, table) => {
    await fails(client.query('select 1/0'), '22012');
    await fails(client.query('select $1::int', ['x']), '22P02');
    await fails(client.query('no such statement'), '42601');
    await fails(client.query({ name: 'missing', text: `select * from ${table}` }), '42P01');
    await client.query(`create table ${table} (v int constraint ${table}_key unique)`);
    assert.deepEqual((await client.query({ name: 'missing', text: `select * from ${table}` })).rows, []);
    await client.query(`insert into ${table} values (1)`);
    const error = await fails(client.query(`insert into ${table} values ($1)`, [1]), '23505');
    assert.equal(error.constraint, `${table}_key`);
    assert.equal(error.table, table);
    assert.equal(await one(client, 'select 1'), 1);
  }),

  errors_in_transaction: withClient(async (client, table) => {
    await client.query(`create table ${table} (v int)`);
    await client.query('begin');
    await client.query(`insert into ${table} values ($1)`, [1]);
    await fails(client.query('select 1/$1::int', [0]), '22012');
    await fails(client.query('select 1'), '25P02');
    assert.equal((await client.query('commit')).command, 'ROLLBACK');
    assert.equal(await one(client, `select count(*)::int from ${table}`), 0);
  }),

  settings: withClient(async (client) => {
    const other = await connect({ application_name: 'other', options: '-c work_mem=11MB', statement_timeout: 7000 });
    await client.query("set work_mem to '7MB'");
    for (let index = 0; index < 20; index++) {
      assert.equal(await one(client, 'show work_mem'), '7MB');
      assert.equal(await one(other, 'show work_mem'), '11MB');
      assert.equal(await one(other, 'select current_setting($1)', ['statement_timeout']), '7s');
      assert.equal(await one(other, "select current_setting('application_name')"), 'other');
    }
    await client.query('reset work_mem');
    assert.equal(await one(client, 'show work_mem'), '4MB');
    await other.end();
  }),

  cursor: withClient(async (client) => {
    const cursor = client.query(new Cursor('select generate_series(1, $1::int) as v', [250]));
    const seen = [];
    for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) seen.push(...rows);
    assert.deepEqual(seen.map((row) => row.v), Array.from({ length: 250 }, (_, index) => index + 1));
    const early = client.query(new Cursor('select generate_series(1, 100000) as v'));
    assert.equal((await early.read(10)).length, 10);
    await early.close();
    assert.equal(await one(client, 'select 1'), 1);
  }),

  async pool(table) {
    const pool = new Pool({ ...parameters(), max: 12 });
    await pool.query(`create table ${table} (worker int, v int)`);
    await Promise.all(Array.from({ length: 12 }, async (_, worker) => {
      for (let index = 0; index < 20; index++) {
        const client = await pool.connect();
        await client.query('begin');
        await client.query(`insert into ${table} values ($1, $2)`, [worker, index]);
        await client.query({ name: 'count', text: `select count(*) from ${table} where worker = $1`, values: [worker] });
        await client.query(index % 4 === 3 ? 'rollback' : 'commit');
        client.release();
        const { rows } = await pool.query('select $1::int as worker, $2::int as v', [worker, index]);
        assert.deepEqual(rows, [{ worker, v: index }]);
      }
    }));
    const last = await pool.connect();
    await last.query('begin'); // and thus to the primary, which has what the others have written
    const { rows } = await last.query(`select worker, count(*)::int from ${table} group by worker order by worker`);
    assert.deepEqual(rows, Array.from({ length: 12 }, (_, worker) => ({ worker, count: 15 })));
    await last.query('commit');
    last.release();
    await pool.end();
  },
};

main(parts);
