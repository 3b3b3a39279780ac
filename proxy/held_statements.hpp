#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace tidemark::proxy {

/// Counts the statements that wait for a primary, in the whole process: a failover must not fill the memory.
/// Any thread. Statements leave in the order in which they came, but for those of another worker.
class HeldStatements {
 public:
  /// At most so many, whose clients have sent at most so many bytes that are kept for them, together.
  HeldStatements(std::uint32_t most, std::size_t most_bytes) : most_(most), most_bytes_(most_bytes) {}

  /// What a held statement takes; gives it back when it goes.
  class Place {
   public:
    Place(Place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), bytes_(other.bytes_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Place() {
      if (owner_ == nullptr) return;
      owner_->count_.fetch_sub(1, std::memory_order_relaxed);
      owner_->bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
    }

   private:
    friend HeldStatements;
    Place(HeldStatements& owner, std::size_t bytes) : owner_(&owner), bytes_(bytes) {}
    HeldStatements* owner_;
    std::size_t bytes_;
  };

  enum class Refusal : std::uint8_t { none, count, bytes };
  /// A place for one more, unless there are too many; `refusal` says why not.
  [[nodiscard]] std::optional<Place> hold(std::size_t bytes, Refusal& refusal) {
    refusal = Refusal::none;
    Place place(*this, bytes);  // counted first: two who come at once cannot both take the last place
    const auto others = count_.fetch_add(1, std::memory_order_relaxed);
    const auto others_bytes = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (others >= most_) {
      refusal = Refusal::count;
    } else if (others_bytes + bytes > most_bytes_) {
      refusal = Refusal::bytes;
    }
    if (refusal != Refusal::none) return std::nullopt;
    return place;
  }

 private:
  const std::uint32_t most_;
  const std::size_t most_bytes_;
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace tidemark::proxy
