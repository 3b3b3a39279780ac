#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "routing/cluster_view.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::pools {

/// Which of the primary's positions bounds something that was done there.
enum class PositionBound : std::uint8_t {
  inserted,  ///< any commit that somebody was told of, or that could be seen
  flushed,   ///< what a commit did and could see that was acknowledged when it had been flushed
};

/// The numbered questions "what is the primary's WAL position?" and their answers, shared by all threads.
/// One question serves all (routing/README.md, rule 2): a session that completes a write notes how many
/// questions had been asked by then; any later question's answer bounds its write from above.
/// The cluster monitor is the only writer; sessions read without locks.
class PositionLog {
 public:
  /// Number of the last question asked. A write that has completed before this call is bounded by the answer
  /// to any question with a greater number.
  [[nodiscard]] std::uint64_t asked() const { return asked_.load(std::memory_order_seq_cst); }

  /// The answer to the first question after number `ticket`, or, if that is long ago, to one soon after it,
  /// the later the longer ago it is; nullopt while it is not answered. The inserted position where the answer
  /// has no flushed one.
  [[nodiscard]] std::optional<routing::WalPosition> after(
      std::uint64_t ticket, PositionBound bound = PositionBound::inserted) const {
    for (;;) {
      const std::uint64_t answered = answered_.load(std::memory_order_acquire);
      if (answered <= ticket) return std::nullopt;
      const Place place = place_of(ticket, answered);
      const Slot& slot = slots_[place.slot];
      const std::uint64_t before = slot.number.load(std::memory_order_acquire);
      routing::WalPosition position{slot.system_identifier.load(std::memory_order_relaxed),
                                    {slot.timeline.load(std::memory_order_relaxed)},
                                    {slot.lsn.load(std::memory_order_relaxed)}};
      const routing::Lsn flushed{slot.flushed.load(std::memory_order_relaxed)};
      if (bound == PositionBound::flushed && flushed.value != 0) position.lsn = flushed;
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before == place.number && slot.number.load(std::memory_order_relaxed) == place.number)
        return position;
    }
  }

  /// Monitor only: numbers a new question. Call before the question is sent.
  std::uint64_t begin_question() { return asked_.fetch_add(1, std::memory_order_seq_cst) + 1; }

  /// Whether no setting of the server, a role or a database makes commits asynchronous for a transaction that
  /// was begun at `begun` over a connection that was opened at `opened`. That it was still so when the
  /// transaction had ended each answer tells for itself.
  [[nodiscard]] bool are_commits_flushed(routing::TimePoint opened, routing::TimePoint begun) const {
    const routing::TimePoint since{routing::Duration(flushing_since_.load(std::memory_order_acquire))};
    return since < opened && since < begun - kReload;
  }

  /// Monitor only: as above, of everything after `moment`; nullopt: of nothing.
  void note_flushing(std::optional<routing::TimePoint> moment) {
    flushing_since_.store(moment ? moment->time_since_epoch().count() : kNever, std::memory_order_release);
  }

  /// Monitor only: `position`, the inserted one, answers question `number` and every earlier one that failed.
  /// `flushed` is Observation::flushed.
  void answer(std::uint64_t number, const routing::WalPosition& position, routing::Lsn flushed = {}) {
    const std::uint64_t first = answered_.load(std::memory_order_relaxed) + 1;
    for (std::size_t level = 0; level < kLevels; ++level) {
      const std::uint64_t stride = kStrides[level];
      const std::uint64_t last = number / stride;
      std::uint64_t n = (first + stride - 1) / stride;
      if (last >= kKept && n < last - kKept + 1) n = last - kKept + 1;
      for (; n <= last; ++n) keep(slots_[level * kKept + n % kKept], n * stride, position, flushed);
    }
    answered_.store(number, std::memory_order_release);
  }

 private:
  // Every answer of the last seconds, every 64th of the last minutes, every 4096th of the last hours: an idle
  // session's mark is looked up when it is next needed.
  static constexpr std::array<std::uint64_t, 3> kStrides{1, 64, 4096};
  static constexpr std::size_t kLevels = kStrides.size();
  static constexpr std::uint64_t kKept = 4096;  // of each level
  /// A backend takes over what the server has reloaded when it next waits for a command: until then it runs a
  /// transaction that was begun before, or is on its way.
  static constexpr auto kReload = std::chrono::seconds(1);
  static constexpr auto kNever = std::numeric_limits<routing::Duration::rep>::max();
  struct Slot {
    std::atomic<std::uint64_t> number{0};
    std::atomic<std::uint64_t> system_identifier{0};
    std::atomic<std::uint64_t> lsn{0};
    std::atomic<std::uint64_t> flushed{0};
    std::atomic<std::uint32_t> timeline{0};
  };
  /// Where an answer is kept, and the number of its question.
  struct Place {
    std::size_t slot;
    std::uint64_t number;
  };

  /// Of the first answer after `ticket` that is kept for a while yet; `answered` > `ticket`.
  static Place place_of(std::uint64_t ticket, std::uint64_t answered) {
    for (std::size_t level = 0;; ++level) {
      const std::uint64_t stride = kStrides[level];
      const std::uint64_t last = answered / stride;
      // The next one to be written takes the oldest one's slot.
      const std::uint64_t oldest = last >= kKept ? last - kKept + 2 : 1;
      const std::uint64_t wanted = ticket / stride + 1;
      if (wanted >= oldest || level + 1 == kLevels) {
        const std::uint64_t n = wanted >= oldest ? wanted : oldest;
        // None of this level is as late as that yet: the latest of all is.
        if (n > last) return {static_cast<std::size_t>(answered % kKept), answered};
        return {static_cast<std::size_t>(level * kKept + n % kKept), n * stride};
      }
    }
  }

  static void keep(Slot& slot, std::uint64_t number, const routing::WalPosition& position,
                   routing::Lsn flushed) {
    slot.number.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    slot.system_identifier.store(position.system_identifier, std::memory_order_relaxed);
    slot.timeline.store(position.timeline.value, std::memory_order_relaxed);
    slot.lsn.store(position.lsn.value, std::memory_order_relaxed);
    slot.flushed.store(flushed.value, std::memory_order_relaxed);
    slot.number.store(number, std::memory_order_release);
  }

  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<routing::Duration::rep> flushing_since_{kNever};
  std::array<Slot, kLevels * kKept> slots_;
};

}  // namespace tidemark::pools
