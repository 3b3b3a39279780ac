#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace tidemark::pools {

/// The numbered questions "does the primary show by now all that any replica may have shown?", shared by all
/// threads (routing/README.md, rule 11). A question is settled when every transaction that may have been
/// between its flush and its end on the primary when the question was asked has ended: snapshots taken there
/// from then on show it. Questions settle in order.
/// The cluster monitor is the only writer; sessions read without locks.
class VisibilityLog {
 public:
  /// Number of the last question begun. What a replica has shown before this call is visible on the primary
  /// once a question with a greater number is settled.
  [[nodiscard]] std::uint64_t asked() const { return asked_.load(std::memory_order_seq_cst); }

  /// A question with a number greater than `ticket` has been settled.
  [[nodiscard]] bool settled_after(std::uint64_t ticket) const {
    return settled_.load(std::memory_order_acquire) > ticket;
  }

  /// To be asked while no question after `ticket` is settled: whether what keeps it open may be a commit that
  /// waits for a synchronous standby, which takes as long as the standby likes. Anything else that is still
  /// open is a statement that runs for long, or a backend that was not scheduled. True also while nothing is
  /// known.
  [[nodiscard]] bool may_await_standby(std::uint64_t ticket) const {
    if (read_.load(std::memory_order_acquire) <= ticket) return true;
    const std::uint64_t first = awaiting_from_.load(std::memory_order_relaxed);
    return first != 0 && ticket + 1 >= first;
  }

  /// Monitor only: numbers a new question. Call before its first reading is sent.
  std::uint64_t begin_question() { return asked_.fetch_add(1, std::memory_order_seq_cst) + 1; }

  /// Monitor only: question `number` is settled, and with it all earlier ones. Must not go back.
  void settle(std::uint64_t number) { settled_.store(number, std::memory_order_release); }

  /// Monitor only: something is known of the questions up to `read`, and those from `awaiting_from` on (0:
  /// none) are kept open by a commit that waits for a standby.
  void note_standbys(std::uint64_t read, std::uint64_t awaiting_from) {
    awaiting_from_.store(awaiting_from, std::memory_order_relaxed);
    read_.store(read, std::memory_order_release);
  }

 private:
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> settled_{0};
  std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> awaiting_from_{0};
};

/// Which questions are settled by the readings of one server. A reading is the set of transaction ids that
/// may be committing there; it lists every one that was so from the moment when it was asked for until it was
/// read. Pure.
class VisibilityQuestions {
 public:
  using Xids = std::vector<std::uint32_t>;

  /// A reading, sorted. Each pending question waits only for transactions that every reading since its first
  /// has shown. Returns the highest number settled so far, 0 for none.
  std::uint64_t observe(const Xids& now);
  /// Begins question `number`, greater than all before, with the reading that was asked for after it was
  /// numbered; pass that reading to observe() first. Returns as observe(): an empty reading settles at once.
  /// With too many pending, the last one becomes this one, which settles no earlier.
  std::uint64_t begin(std::uint64_t number, const Xids& first);
  /// The lowest number for which a pending question stands that one of the transactions `awaiting`, sorted,
  /// keeps open; 0: none. All later ones are kept open by it, too.
  [[nodiscard]] std::uint64_t first_kept_open(const Xids& awaiting) const;
  /// Another server's readings follow.
  void forget() { pending_.clear(); }

  [[nodiscard]] bool pending() const { return !pending_.empty(); }

 private:
  static constexpr std::size_t kMostPending = 64;
  struct Question {
    std::uint64_t first;  // it stands for the questions from this number on
    std::uint64_t number;
    Xids open;  // sorted
  };
  std::uint64_t settle_front();

  std::deque<Question> pending_;  // by number; a question's open ones are among the next one's
  std::uint64_t settled_ = 0;
};

}  // namespace tidemark::pools
