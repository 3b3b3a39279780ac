#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// What the connections of one thread saw. Times in ns of the monotonic clock.
struct Recorder {
  std::vector<Operation> operations;               // since they were last taken away
  std::map<std::string, std::uint64_t> errors;     // "write 40003" -> how often
  std::map<std::string, std::string> error_texts;  // the first text of each
  std::uint64_t reads = 0;
  std::uint64_t transactions = 0;  // explicit ones, begun
  std::uint64_t pipelines = 0;     // units of several statements sent at once
  std::uint64_t connections = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t broken_busy = 0;  // connections that broke under a statement
  std::uint64_t broken_idle = 0;
  std::uint64_t wrong_answers =
      0;                    // an answer that does not fit the question: other key, no row, other columns
  std::uint64_t stuck = 0;  // no answer within the statement time-out
  std::uint64_t tokens_carried = 0;
};

// ns of the clock that all operations are stamped with.
std::int64_t monotonic_now();

}  // namespace tidemark::consistency
