#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {

enum class Protocol : std::uint8_t { simple, extended, prepared, pipeline, mixed };
enum class Think : std::uint8_t { fixed, uniform, exponential };
// How a connection says whose it is, or which level it asks for. mixed: the connections of a user take turns.
enum class Saying : std::uint8_t { nothing, set, startup, hint, mixed };
// Where a read of a READ ONLY transaction that is not its first starts, for the judge.
enum class LaterReads : std::uint8_t { own, transaction };

// What the history driver was asked to do. Times in seconds or milliseconds as named.
struct DriverOptions {
  std::string conninfo;  // of what is tested
  std::string second;    // likewise: every other connection of users goes there; empty: conninfo
  std::string
      primary;  // for the first and last look at the table; empty: conninfo, in a read-write transaction
  std::uint32_t writers = 8;          // write a key of their own, then read it back
  std::uint32_t reads_per_write = 4;  // of writers, shared sessions and users
  std::uint32_t counters = 4;         // keys that counter writers advance and counter readers read
  std::uint32_t counter_writers = 1;
  std::uint32_t counter_readers = 8;
  std::uint32_t shared = 8;  // sessions that read and write each other's keys
  std::uint32_t shared_keys = 16;
  std::uint32_t users = 0;  // write a key of their own and the shared ones, and read all
  std::uint32_t connections_per_user = 3;
  Saying identify = Saying::mixed;  // of users
  double concurrent = 0.25;         // share of the users that do two things at once
  double tokens = 0;                // share of the users that carry a token instead of a key
  std::string level;                // asked for by every session; empty: none
  std::string max_staleness;        // likewise
  Saying level_by = Saying::set;
  double seconds = 10;
  std::uint64_t reads = 0;  // end after so many; 0: by time alone
  double think_ms = 0;      // between a session's transactions
  Think think = Think::exponential;
  double counter_think_ms = 2;  // of counter writers
  Protocol protocol = Protocol::mixed;
  double transactions = 0.2;  // share of explicit transactions
  // Share of the units with a write that read something before it: a proxy routes such a read as a write.
  double reads_among_writes = 0;
  double pipelined = 0.5;  // share of the units that the protocol `pipeline` sends as one
  std::uint32_t threads = 1;
  std::uint64_t seed = 1;
  double statement_timeout = 60;  // an answer that takes longer counts as stuck
  bool json = false;
  Guarantee judge;
  LaterReads later_reads = LaterReads::own;
  std::uint32_t comparison_stride = 50;  // see HistoryJudge
  Demands demands{1000, 1000, 2, 0, 0};

  std::uint32_t plain_sessions() const { return writers + counter_writers + counter_readers + shared; }
  std::uint32_t sessions() const { return plain_sessions() + users * connections_per_user; }
  // How many keys the table must have, from 0 on: first the counters, then the shared ones, then one for each
  // writer, then those of the users, who share them when there are many.
  std::uint32_t keys() const { return first_user_key() + user_keys(); }
  std::uint32_t first_user_key() const { return counters + shared_keys + writers; }
  std::uint32_t user_keys() const { return users < 200 ? users : 200; }
};

// The usage text.
std::string usage();
// Reads `--name value` pairs. On a mistake: nothing, and `error` says what is wrong.
std::optional<DriverOptions> parse_options(int count, char** arguments, std::string& error);

}  // namespace tidemark::consistency
