#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "routing/wal_position.hpp"

namespace tidemark::pools {

/// The numbered questions "what is the primary's WAL position?" and their answers, shared by all threads.
/// One question serves all (routing/README.md, rule 2): a session that completes a write notes how many
/// questions had been asked by then; any later question's answer bounds its write from above.
/// The cluster monitor is the only writer; sessions read without locks.
class PositionLog {
 public:
  /// Number of the last question asked. A write that has completed before this call is bounded by the answer
  /// to any question with a greater number.
  [[nodiscard]] std::uint64_t asked() const { return asked_.load(std::memory_order_seq_cst); }

  /// The answer to the first question after number `ticket`, or, if that is too long ago, a later answer;
  /// nullopt while it is not answered.
  [[nodiscard]] std::optional<routing::WalPosition> after(std::uint64_t ticket) const {
    for (;;) {
      const std::uint64_t answered = answered_.load(std::memory_order_acquire);
      if (answered <= ticket) return std::nullopt;
      const std::uint64_t oldest = answered > kKept ? answered - kKept + 2 : 1;
      const std::uint64_t number = ticket + 1 > oldest ? ticket + 1 : oldest;
      const Slot& slot = slots_[number % kKept];
      const std::uint64_t before = slot.number.load(std::memory_order_acquire);
      const routing::WalPosition position{slot.system_identifier.load(std::memory_order_relaxed),
                                          {slot.timeline.load(std::memory_order_relaxed)},
                                          {slot.lsn.load(std::memory_order_relaxed)}};
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before == number && slot.number.load(std::memory_order_relaxed) == number) return position;
    }
  }

  /// Monitor only: numbers a new question. Call before the question is sent.
  std::uint64_t begin_question() { return asked_.fetch_add(1, std::memory_order_seq_cst) + 1; }

  /// Monitor only: `position` answers question `number` and every earlier one that failed.
  void answer(std::uint64_t number, const routing::WalPosition& position) {
    const std::uint64_t first = answered_.load(std::memory_order_relaxed) + 1;
    const std::uint64_t from = number - first >= kKept ? number - kKept + 1 : first;
    for (std::uint64_t n = from; n <= number; ++n) {
      Slot& slot = slots_[n % kKept];
      slot.number.store(0, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_release);
      slot.system_identifier.store(position.system_identifier, std::memory_order_relaxed);
      slot.timeline.store(position.timeline.value, std::memory_order_relaxed);
      slot.lsn.store(position.lsn.value, std::memory_order_relaxed);
      slot.number.store(n, std::memory_order_release);
    }
    answered_.store(number, std::memory_order_release);
  }

 private:
  static constexpr std::uint64_t kKept = 4096;
  struct Slot {
    std::atomic<std::uint64_t> number{0};
    std::atomic<std::uint64_t> system_identifier{0};
    std::atomic<std::uint64_t> lsn{0};
    std::atomic<std::uint32_t> timeline{0};
  };
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> answered_{0};
  std::array<Slot, kKept> slots_;
};

}  // namespace tidemark::pools
