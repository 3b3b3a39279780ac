// What the programs of both drivers share: how they are called (see ../programs.py), and how they say what is wrong.
'use strict';

const assert = require('node:assert/strict');

/** Runs the part of `parts` that the command line names, with the name of a table of its own. */
function main(parts) {
  const [name, table] = process.argv.slice(2);
  if (name === '--list') {
    console.log(Object.keys(parts).join('\n'));
    return;
  }
  if (!Object.hasOwn(parts, name)) throw new Error(`there is no part ${name}`);
  parts[name](table).then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

/** Expects that the promise fails with this SQLSTATE; the error. */
async function fails(promise, sqlstate) {
  const error = await promise.then(
    (result) => assert.fail(`no error ${sqlstate}, but ${JSON.stringify(result)}`),
    (caught) => caught,
  );
  if (error instanceof assert.AssertionError) throw error;
  assert.equal(error.code, sqlstate, `${error.message} (${error.code}), not ${sqlstate}`);
  return error;
}

/** The parameters to connect with, from the variables that libpq reads. */
function parameters() {
  const env = process.env;
  const found = {
    host: env.PGHOST, port: Number(env.PGPORT), user: env.PGUSER, database: env.PGDATABASE, password: env.PGPASSWORD,
  };
  const mode = env.PGSSLMODE;
  if (mode && mode !== 'disable') {
    const { readFileSync } = require('node:fs');
    const file = (path) => (path ? readFileSync(path) : undefined);
    found.ssl = {
      ca: file(env.PGSSLROOTCERT), cert: file(env.PGSSLCERT), key: file(env.PGSSLKEY),
      rejectUnauthorized: mode.startsWith('verify'),
      ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    };
  }
  return found;
}

/** A text of ten million characters that is not the same everywhere. */
function tenMegabytes() {
  const pieces = [];
  for (let index = 0; index < 100_000; index++) pieces.push(String(index).padStart(100, '-'));
  return pieces.join('');
}

module.exports = { main, fails, parameters, tenMegabytes };
