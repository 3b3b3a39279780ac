#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {

enum class Protocol : std::uint8_t { simple, extended, prepared, mixed };
enum class Think : std::uint8_t { fixed, uniform, exponential };

// What the history driver was asked to do. Times in seconds or milliseconds as named.
struct DriverOptions {
  std::string conninfo;  // of what is tested
  std::string
      primary;  // for the first and last look at the table; empty: conninfo, in a read-write transaction
  std::uint32_t writers = 8;          // write a key of their own, then read it back
  std::uint32_t reads_per_write = 4;  // of writers and shared sessions
  std::uint32_t counters = 4;         // keys that counter writers advance and counter readers read
  std::uint32_t counter_writers = 1;
  std::uint32_t counter_readers = 8;
  std::uint32_t shared = 8;  // sessions that read and write each other's keys
  std::uint32_t shared_keys = 16;
  double seconds = 10;
  std::uint64_t reads = 0;  // end after so many; 0: by time alone
  double think_ms = 0;      // between a session's transactions
  Think think = Think::exponential;
  double counter_think_ms = 2;  // of counter writers
  Protocol protocol = Protocol::mixed;
  double transactions = 0.2;  // share of explicit transactions
  std::uint32_t threads = 1;
  std::uint64_t seed = 1;
  double statement_timeout = 60;  // an answer that takes longer counts as stuck
  bool json = false;
  Demands demands{1000, 1000, 2};

  std::uint32_t sessions() const { return writers + counter_writers + counter_readers + shared; }
};

// The usage text.
std::string usage();
// Reads `--name value` pairs. On a mistake: nothing, and `error` says what is wrong.
std::optional<DriverOptions> parse_options(int count, char** arguments, std::string& error);

}  // namespace tidemark::consistency
