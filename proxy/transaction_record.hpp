#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pools/gather.hpp"
#include "pools/reactor.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/reply_digest.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::proxy {

/// By what the outcome of a transaction is learned whose server was lost during COMMIT.
struct OutcomeKey {
  std::string xid;              ///< as xid8 prints it
  routing::WalPosition before;  ///< its records so far stand before this, and its commit record behind
};

/// What a client has sent in its open transaction, and hashes of what it was answered, so that the
/// transaction can be executed again on another server. Pure; on the session's thread.
class TransactionRecord final : public pools::GatherTap {
 public:
  using TimePoint = pools::Reactor::TimePoint;

  enum class Phase : std::uint8_t {
    none,       ///< no transaction is open, or it cannot be executed again
    recording,  ///< all of it so far is recorded
    replaying,  ///< it is executed again; the client sees nothing of that
  };
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool replaying() const { return phase_ == Phase::replaying; }

  /// A transaction may begin with the next unit.
  void begin() {
    forget();
    phase_ = Phase::recording;
  }
  /// It has ended, or cannot be executed again.
  void forget() {
    phase_ = Phase::none;
    if (bytes_.capacity() > kKept) bytes_ = {};
    bytes_.clear();
    units_.clear();
    attempts_ = 0;
    first_lost_.reset();
    error_.reset();
    key_.reset();
    status.clear();
  }

  /// A unit is about to be sent.
  void begin_unit() { digest_.begin(); }
  /// It was answered without an error, and the transaction is open. Forgets all if it is too much, in bytes.
  void add(std::string_view unit, std::size_t most) {
    if (digest_.saw_copy() || bytes_.size() + unit.size() > most) return forget();
    bytes_ += unit;
    units_.push_back({unit.size(), digest_.value()});
  }
  /// There is something that could be executed again.
  [[nodiscard]] bool holds_transaction() const { return phase_ != Phase::none && !units_.empty(); }

  /// Begins to execute it again; all of it is still to come. `counts`: against max_attempts.
  void begin_replay(TimePoint now, bool counts) {
    phase_ = Phase::replaying;
    next_ = 0;
    left_ = bytes_.size();
    if (!first_lost_) first_lost_ = now;
    if (counts) ++attempts_;
  }
  /// A unit of it has been executed again since.
  [[nodiscard]] bool has_progressed() const { return next_ > 0; }
  /// How often it has been executed again, of those that count.
  [[nodiscard]] std::uint32_t attempts() const { return attempts_; }
  /// When its server was lost for the first time.
  [[nodiscard]] std::optional<TimePoint> first_lost() const { return first_lost_; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  /// Bytes at the beginning of the session's input that are of the replay, and not of the client.
  [[nodiscard]] std::size_t left() const { return replaying() ? left_ : 0; }

  enum class Outcome : std::uint8_t { same, finished, differs };
  /// The unit at hand was executed again and answered; `open`: without an error, in the open transaction.
  /// finished: it was the last one.
  Outcome end_replayed_unit(bool open) {
    const Unit& unit = units_[next_++];
    left_ -= unit.size;
    if (!open || unit.digest != digest_.value()) return Outcome::differs;
    if (next_ < units_.size()) return Outcome::same;
    phase_ = Phase::recording;
    return Outcome::finished;
  }
  /// It cannot be executed again after all; the client is told so with its next statement.
  void give_up(const ClientError& error) {
    forget();
    error_ = std::make_unique<ClientError>(error);
  }
  /// Why the open transaction was given up; null: it was not tried.
  [[nodiscard]] const ClientError* error() const { return error_.get(); }

  /// Set when its COMMIT was sent, and the server has told.
  void note_key(OutcomeKey key) { key_ = std::move(key); }
  [[nodiscard]] const std::optional<OutcomeKey>& key() const { return key_; }
  /// What the new server has said of it: pg_xact_status(), or nothing that is certain.
  std::string status;

  /// Bytes for the client; false: they must not reach it.
  bool take(std::string_view bytes) override {
    if (phase_ == Phase::none) return true;
    digest_.add(bytes);
    return !replaying();
  }

 private:
  static constexpr std::size_t kKept = 16 * 1024;
  struct Unit {
    std::size_t size;
    std::uint64_t digest;
  };

  Phase phase_ = Phase::none;
  std::string bytes_;        // of units_, one behind the other
  std::vector<Unit> units_;  // answered
  ReplyDigest digest_;       // of the unit at hand
  std::size_t next_ = 0;     // of units_
  std::size_t left_ = 0;
  std::uint32_t attempts_ = 0;
  std::optional<TimePoint> first_lost_;
  std::unique_ptr<ClientError> error_;
  std::optional<OutcomeKey> key_;
};

}  // namespace tidemark::proxy
