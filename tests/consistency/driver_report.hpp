#pragma once

#include <cstdint>
#include <string>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_session.hpp"
#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {

struct Percentiles {
  double p50_ms{}, p99_ms{}, max_ms{};
};

// What is worth saying of a run beside the verdict.
struct Summary {
  double seconds{};
  Percentiles read, write;
  double longest_gap_between_writes_ms{};  // between two acknowledgements, whoever wrote
  std::uint16_t primary = 0;               // the port that acknowledged most writes
  double share_of_reads_elsewhere{};       // reads that another node than `primary` answered
};

Summary summarize(const History& history, const Verdict& verdict, std::int64_t began, std::int64_t ended);

// For people: a table, the errors, the first violations.
std::string human_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                         std::int64_t origin);
// The same as one JSON object on one line.
std::string json_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                        std::int64_t origin);

}  // namespace tidemark::consistency
