#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// A set of small numbers.
class NumberSet {
 public:
  void insert(std::size_t number);
  bool contains(std::size_t number) const;
  // How many are in [first, last).
  std::size_t count(std::size_t first, std::size_t last) const;

 private:
  std::vector<std::uint64_t> words_;
};

// What has been written of one key by those operations whose starts and ends have been told so far, in the
// order of time. Keeps 8 bytes for each version, and whole operations for the last `remembered` ones.
class KeyLedger {
 public:
  static constexpr std::size_t remembered = 2048;

  explicit KeyLedger(std::int64_t initial) : initial_(initial), shown_(initial), acknowledged_(initial) {}

  // A `write` or `unknown_write` starts.
  void begin(const Operation& write);
  // What the writer of `version` had read last, of another key, before it began to write.
  void note_cause(std::int64_t version, const Operation& cause);

  // Whether the writes begun so far can have brought the key to `version`: one acknowledged write for each
  // version up to it, and for those that no acknowledged write has got, an unknown write each.
  bool possible(std::int64_t version) const;
  // The highest version that is possible by the number of writes alone.
  std::int64_t most() const { return initial_ + begun_; }

  // An operation that showed this (possible) version ends.
  void show(std::int64_t version);
  // An acknowledged write of a possible version ends. Whether another one with the same version had ended;
  // `other` is that one, if it is remembered.
  bool acknowledge(const Operation& write, std::optional<Operation>& other);

  std::int64_t initial() const { return initial_; }
  std::int64_t writes_begun() const { return begun_; }
  // The highest version of an ended acknowledged write.
  std::int64_t acknowledged() const { return acknowledged_; }
  // When an acknowledged write of a version above this one, which is not below the initial one, first ended;
  // nothing if none has.
  std::optional<std::int64_t> passed_at(std::int64_t version) const;
  // The highest version that acknowledged writes had made before `time`.
  std::int64_t acknowledged_before(std::int64_t time) const;

  std::optional<Operation> write_of(std::int64_t version) const;
  const Operation* cause_of(std::int64_t version) const;
  // Acknowledged versions above `final`, lowest first; `limit` at most.
  std::vector<std::int64_t> acknowledged_above(std::int64_t final, std::size_t limit) const;
  std::size_t count_acknowledged_above(std::int64_t final) const;

 private:
  struct Remembered {
    std::int64_t version = -1;
    bool written = false;
    bool caused = false;
    Operation write;
    Operation cause;
  };

  std::size_t place(std::int64_t version) const { return static_cast<std::size_t>(version - initial_); }
  // Whether a version is one that a set of numbers can hold: an absurd one must not cost memory.
  bool sane(std::int64_t version) const;
  std::size_t gaps_after_shown(std::int64_t version) const;
  Remembered& remember(std::int64_t version);
  const Remembered* recall(std::int64_t version) const;

  std::int64_t initial_;
  std::int64_t begun_ = 0;    // writes that may have happened
  std::int64_t unknown_ = 0;  // of them, those of unknown outcome
  NumberSet begun_versions_;  // of acknowledged writes, by place()
  NumberSet ended_versions_;
  std::int64_t shown_;     // the highest version that an ended operation has shown
  std::int64_t gaps_ = 0;  // versions up to shown_ that no acknowledged write has got so far
  std::int64_t acknowledged_;
  std::vector<std::int64_t> passed_at_;  // by place()
  std::vector<Remembered> recent_;       // by place() modulo `remembered`
};

}  // namespace tidemark::consistency
