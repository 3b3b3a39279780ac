#pragma once

#include <cstdint>
#include <optional>

#include <absl/container/inlined_vector.h>

namespace tidemark::protocol {

/// What was sent to a server and is to be answered, in order. Flush is not answered and has no entry.
enum class Expected : std::uint8_t { query, parse, bind, describe, execute, close, sync, function_call };

/// What becomes of the answer.
enum class Fate : std::uint8_t {
  forward,  ///< the client asked and gets the answer
  swallow,  ///< we asked: the answer is ours (an error in an extended message still goes to the client)
  inject,   ///< not sent at all: the client gets an answer of ours at this place
};

/// The reply queue of one server connection: the one truth about what comes back next. Whatever it does not
/// expect makes the connection doubtful. Pure. Manual: "Message Flow".
class Pipeline {
 public:
  struct Entry {
    Expected expected = Expected::query;
    Fate fate = Fate::forward;
    std::uint32_t tag = 0;  ///< the caller's
  };
  enum class Verdict : std::uint8_t { forward, swallow, violation };
  enum class Copy : std::uint8_t { none, in, out };

  void push(Expected expected, Fate fate, std::uint32_t tag = 0) {
    if (head_ >= kCompactAt) [[unlikely]] {
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    entries_.push_back({expected, fate, tag});
  }

  /// If the next entry is one to inject, removes it and returns it. Ask before each message and after the
  /// last.
  [[nodiscard]] std::optional<Entry> take_injection();

  /// One message of type `type` came from the server. `confirmed` then holds the entry it completed, if any.
  [[nodiscard]] Verdict on_message(char type);

  /// The entry that the last message completed.
  [[nodiscard]] const std::optional<Entry>& completed() const { return completed_; }
  /// Entries that the last message, an ErrorResponse, made the server skip (up to, not including, the Sync).
  [[nodiscard]] const absl::InlinedVector<Entry, 4>& skipped() const { return skipped_; }

  [[nodiscard]] bool empty() const { return head_ == entries_.size(); }
  /// The entry to be answered next. Not when empty.
  [[nodiscard]] const Entry& front() const { return entries_[head_]; }
  [[nodiscard]] Copy copy() const { return copy_; }
  /// The client has ended its COPY data (CopyDone or CopyFail was sent).
  void copy_in_ended() { copy_ = Copy::none; }
  /// Answers still due to the client become ours; those that were to be injected are not given.
  void swallow_all();
  void clear();

 private:
  void pop();
  [[nodiscard]] Verdict by_fate() const {
    return front().fate == Fate::swallow ? Verdict::swallow : Verdict::forward;
  }
  Verdict complete();
  Verdict on_error();
  void begin_copy_in();

  static constexpr std::size_t kCompactAt = 4096;
  absl::InlinedVector<Entry, 8> entries_;
  std::size_t head_ = 0;
  std::optional<Entry> completed_;
  absl::InlinedVector<Entry, 4> skipped_;
  Copy copy_ = Copy::none;
};

}  // namespace tidemark::protocol
