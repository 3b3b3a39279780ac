// libpq as an application in C would use it. See ../programs.py for how this is called.

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/clients/libpq/harness.hpp"

namespace {

void can_connect() {
  const auto c = connect();
  same(value(c, "select current_user"), PQuser(c.get()), "current_user");
  same(value(c, "select current_database()"), PQdb(c.get()), "current_database()");
  check(PQserverVersion(c.get()) >= 150000, "the server's version");
  check(PQbackendPID(c.get()) != 0, "the backend's process id");
  same(PQparameterStatus(c.get(), "client_encoding"), value(c, "show client_encoding"), "client_encoding");
}

void wrong_password() {
  const Connection c(PQconnectdb("password=wrong"), &PQfinish);
  check(PQstatus(c.get()) == CONNECTION_BAD, "a wrong password was accepted");
  check(std::string_view(PQerrorMessage(c.get())).find("password authentication failed") !=
            std::string_view::npos,
        PQerrorMessage(c.get()));
}

void prepared() {
  const auto c = connect();
  expect(owned(PQprepare(c.get(), "twice", "select $1::int * 2", 0, nullptr)), PGRES_COMMAND_OK, "prepare");
  for (int i = 0; i < 50; ++i) {
    const auto number = std::to_string(i);
    const std::array<const char*, 1> values{number.c_str()};
    const auto r = expect(owned(PQexecPrepared(c.get(), "twice", 1, values.data(), nullptr, nullptr, 0)),
                          PGRES_TUPLES_OK, "execute");
    same(text(r), std::to_string(2 * i), "twice");
  }
  const auto described = expect(owned(PQdescribePrepared(c.get(), "twice")), PGRES_COMMAND_OK, "describe");
  check(PQnparams(described.get()) == 1 && PQparamtype(described.get(), 0) == 23, "the parameter's type");
  check(PQnfields(described.get()) == 1 && PQftype(described.get(), 0) == 23, "the column's type");
  same(sqlstate(owned(PQprepare(c.get(), "twice", "select 1", 0, nullptr))), "42P05", "a name in use");
  run(c, "deallocate twice");
  same(sqlstate(owned(PQdescribePrepared(c.get(), "twice"))), "26000", "a statement that is gone");
  same(value(c, "select 1"), "1", "after the error");
}

void transactions() {
  const auto c = connect();
  run(c, "create table " + table + " (v int)");
  run(c, "begin");
  check(PQtransactionStatus(c.get()) == PQTRANS_INTRANS, "in a transaction");
  run(c, "insert into " + table + " values (1)");
  run(c, "savepoint one");
  run(c, "insert into " + table + " values (2)");
  run(c, "rollback to one");
  run(c, "insert into " + table + " values (3)");
  run(c, "release one");
  run(c, "commit");
  run(c, "begin");
  run(c, "delete from " + table);
  run(c, "rollback");
  check(PQtransactionStatus(c.get()) == PQTRANS_IDLE, "outside a transaction");
  same(value(c, "select array_agg(v order by v) from " + table), "{1,3}", "rows");
}

void read_only() {
  const auto c = connect();
  run(c, "create table " + table + " (v int)");
  run(c, "begin isolation level repeatable read read only");
  same(value(c, "select count(*) from " + table), "0", "count");
  same(value(c, "show transaction_read_only"), "on", "transaction_read_only");
  fails(c, "insert into " + table + " values (1)", "25006");
  run(c, "rollback");
  run(c, "insert into " + table + " values (1)");
}

void binary() {
  const auto c = connect();
  const std::array<unsigned char, 4> number{0x12, 0x34, 0x56, 0x78};
  const std::array<unsigned char, 5> bytes{0x00, 0xff, 0x0a, 0x5c, 0x00};
  const std::array<const char*, 3> values{reinterpret_cast<const char*>(number.data()),
                                          reinterpret_cast<const char*>(bytes.data()), nullptr};
  const std::array<int, 3> lengths{4, 5, 0};
  const std::array<int, 3> formats{1, 1, 1};
  const auto r = expect(owned(PQexecParams(c.get(), "select $1::int4, $2::bytea, $3::int8", 3, nullptr,
                                           values.data(), lengths.data(), formats.data(), 1)),
                        PGRES_TUPLES_OK, "binary");
  check(PQfformat(r.get(), 0) == 1 && PQgetlength(r.get(), 0, 0) == 4, "a binary column");
  check(std::memcmp(PQgetvalue(r.get(), 0, 0), number.data(), 4) == 0, "int4");
  check(PQgetlength(r.get(), 0, 1) == 5 && std::memcmp(PQgetvalue(r.get(), 0, 1), bytes.data(), 5) == 0,
        "bytea");
  check(PQgetisnull(r.get(), 0, 2) == 1, "NULL");
  run(c, "create table " + table + " (v int8)");
  run(c, "copy " + table + " from stdin (format binary)", PGRES_COPY_IN);
  using namespace std::string_literals;
  std::string data = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"s;
  data += "\0\1\0\0\0\10\0\0\0\0\0\0\0\7\377\377"s;
  put(c, data);
  PQputCopyEnd(c.get(), nullptr);
  next_result(c, PGRES_COMMAND_OK, "binary copy");
  no_result(c);
  same(value(c, "select v from " + table), "7", "copied");
}

void arrays() {
  const auto c = connect();
  const auto r = expect(with(c, "select ($1::int[])[2], $2::text[], $3::int[][]",
                             {"{1,20,3}", "{a,\"b c\",NULL}", "{{1,2},{3,4}}"}),
                        PGRES_TUPLES_OK, "arrays");
  same(text(r, 0, 0), "20", "element");
  same(text(r, 0, 1), "{a,\"b c\",NULL}", "text[]");
  same(text(r, 0, 2), "{{1,2},{3,4}}", "int[][]");
  same(text(expect(
           with(c, "select count(*) from generate_series(1, 10) i where i = any($1::int[])", {"{2,4,99}"}),
           PGRES_TUPLES_OK, "any")),
       "2", "= any");
}

void types() {
  const auto c = connect();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"numeric", "12345678901234567890.123456789"},
      {"numeric", "NaN"},
      {"float8", "0.1"},
      {"float8", "-Infinity"},
      {"timestamptz", "2024-02-29 12:34:56.789012+00"},
      {"timestamp", "infinity"},
      {"date", "0044-03-15 BC"},
      {"interval", "1 year 2 mons 3 days 04:05:06.7"},
      {"jsonb", R"({"a": [1, null, "ü"]})"},
      {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
      {"inet", "10.1.2.3/8"},
      {"text", "ü 漢 \U0001F600 '\"\\"},
      {"int4range", "[1,10)"},
      {"bool", "t"},
      {"bytea", "\\x00ff10"},
      {"text", ""},
  };
  for (const auto& [type, written] : cases) {
    same(text(expect(with(c, "select $1::" + type, {written}), PGRES_TUPLES_OK, type)), written, type);
  }
  const std::array<const char*, 1> null{nullptr};
  const auto r =
      owned(PQexecParams(c.get(), "select $1::text", 1, nullptr, null.data(), nullptr, nullptr, 0));
  check(PQgetisnull(r.get(), 0, 0) == 1, "NULL");
}

void large() {
  const auto c = connect();
  std::string ten;
  ten.resize(10'000'000, 'a');
  for (std::size_t i = 0; i < ten.size(); i += 97) ten[i] = static_cast<char>('a' + i % 26);
  check(text(expect(with(c, "select $1::text", {ten}), PGRES_TUPLES_OK, "10 MB")) == ten,
        "10 MB there and back");
  run(c, "create table " + table + " (v bytea)");
  const std::array<const char*, 1> values{ten.data()};
  const std::array<int, 1> lengths{static_cast<int>(ten.size())};
  const std::array<int, 1> formats{1};
  const std::string insert = "insert into " + table + " values ($1)";
  expect(owned(PQexecParams(c.get(), insert.c_str(), 1, nullptr, values.data(), lengths.data(),
                            formats.data(), 1)),
         PGRES_COMMAND_OK, "bytea in");
  const std::string select = "select v from " + table;
  const auto r = owned(PQexecParams(c.get(), select.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1));
  check(PQresultStatus(r.get()) == PGRES_TUPLES_OK && text(r) == ten, "bytea out");
  same(value(c, "select length('" + ten + "')"), "10000000", "a statement of 10 MB");
}

void errors() {
  const auto c = connect();
  fails(c, "select 1/0", "22012");
  fails(c, "no such statement", "42601");
  fails(c, "select * from " + table, "42P01");
  const auto r = with(c, "select $1::int", {"x"});
  same(sqlstate(r), "22P02", "a bad parameter");
  same(PQresultErrorField(r.get(), PG_DIAG_SEVERITY), "ERROR", "severity");
  run(c, "create table " + table + " (v int constraint positive check (v > 0))");
  const auto violated = with(c, "insert into " + table + " values ($1)", {"0"});
  same(sqlstate(violated), "23514", "a constraint");
  same(PQresultErrorField(violated.get(), PG_DIAG_CONSTRAINT_NAME), "positive", "constraint name");
  same(PQresultErrorField(violated.get(), PG_DIAG_TABLE_NAME), table, "table name");
  fails(c, "do $$ begin raise exception 'mine' using errcode = 'ZZ123', hint = 'go on'; end $$", "ZZ123");
  same(value(c, "select 1"), "1", "after the errors");
}

void errors_in_transaction() {
  const auto c = connect();
  run(c, "create table " + table + " (v int)");
  run(c, "begin");
  run(c, "insert into " + table + " values (1)");
  fails(c, "select 1/0", "22012");
  check(PQtransactionStatus(c.get()) == PQTRANS_INERROR, "a failed transaction");
  fails(c, "select 1", "25P02");
  same(sqlstate(with(c, "select $1::int", {"1"})), "25P02", "extended");
  same(PQcmdStatus(run(c, "commit").get()), "ROLLBACK", "tag");
  same(value(c, "select count(*) from " + table), "0", "count");
  run(c, "begin");
  run(c, "savepoint one");
  fails(c, "select 1/0", "22012");
  run(c, "rollback to one");
  run(c, "insert into " + table + " values (2)");
  same(PQcmdStatus(run(c, "commit").get()), "COMMIT", "tag");
}

void settings() {
  const auto one = connect("application_name=first");
  const auto other = connect("application_name=second options='-c work_mem=11MB'");
  run(one, "set work_mem to '7MB'");
  run(one, "set timezone to 'Asia/Tokyo'");
  same(PQparameterStatus(one.get(), "TimeZone"), "Asia/Tokyo", "the reported time zone");
  for (int i = 0; i < 20; ++i) {
    same(value(one, "show work_mem"), "7MB", "work_mem of the first");
    same(value(other, "show work_mem"), "11MB", "work_mem of the second");
    same(value(one, "select current_setting('application_name')"), "first", "application_name of the first");
    same(value(other, "select current_setting('application_name')"), "second",
         "application_name of the second");
  }
  run(one, "begin");
  run(one, "set local work_mem to '9MB'");
  run(one, "set timezone to 'Europe/Rome'");
  same(PQparameterStatus(one.get(), "TimeZone"), "Europe/Rome", "in the transaction");
  same(value(one, "show work_mem"), "9MB", "SET LOCAL");
  run(one, "rollback");
  same(PQparameterStatus(one.get(), "TimeZone"), "Asia/Tokyo", "after the rollback");
  same(value(one, "show work_mem"), "7MB", "after the transaction");
  run(other, "reset work_mem");
  same(value(other, "show work_mem"), "11MB", "RESET goes back to the startup options");
  run(one, "discard all");
  same(PQparameterStatus(one.get(), "TimeZone"), "UTC", "after DISCARD ALL");
}

Parts statements() {
  return {
      {"connect", can_connect},
      {"wrong_password", wrong_password},
      {"prepared", prepared},
      {"transactions", transactions},
      {"read_only", read_only},
      {"binary", binary},
      {"arrays", arrays},
      {"types", types},
      {"large", large},
      {"errors", errors},
      {"errors_in_transaction", errors_in_transaction},
      {"settings", settings},
  };
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  auto capabilities = statements();
  capabilities.merge(streams());
  if (!words.empty() && words[0] == "--list") {
    for (const auto& [name, part] : capabilities) std::puts(name.c_str());
    return 0;
  }
  try {
    table = words.at(1);
    capabilities.at(words.at(0))();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
