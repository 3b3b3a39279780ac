#pragma once

#include <cstdint>
#include <string>

#include "tests/consistency/driver_recorder.hpp"
#include "tests/consistency/duration_histogram.hpp"
#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {

// What is worth saying of a run beside the verdict.
class Summary {
 public:
  // One more operation of the run, in any order.
  void add(const Operation& operation);
  // The run is over.
  void finish(const Verdict& verdict, double seconds);

  double seconds() const { return seconds_; }
  const DurationHistogram& reads() const { return reads_; }
  const DurationHistogram& writes() const { return writes_; }
  // The port that acknowledged most writes.
  std::uint16_t primary() const { return primary_; }
  // Share of the reads that another node answered.
  double share_of_reads_elsewhere() const { return share_of_reads_elsewhere_; }

 private:
  double seconds_{};
  DurationHistogram reads_;
  DurationHistogram writes_;
  std::uint16_t primary_ = 0;
  double share_of_reads_elsewhere_{};
};

// For people: a table, the errors, the first violations. `origin`: when the run began, in ns.
std::string human_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                         std::int64_t origin);
// The same as one JSON object on one line.
std::string json_report(const Verdict& verdict, const Summary& summary, const Recorder& totals,
                        std::int64_t origin);

}  // namespace tidemark::consistency
