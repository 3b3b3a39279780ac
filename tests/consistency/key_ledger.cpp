#include "tests/consistency/key_ledger.hpp"

#include <algorithm>
#include <bit>

namespace tidemark::consistency {

void NumberSet::insert(std::size_t number) {
  if (number / 64 >= words_.size()) words_.resize(std::max(number / 64 + 1, words_.size() * 2));
  words_[number / 64] |= std::uint64_t{1} << (number % 64);
}

bool NumberSet::contains(std::size_t number) const {
  return number / 64 < words_.size() && ((words_[number / 64] >> (number % 64)) & 1U) != 0;
}

std::size_t NumberSet::count(std::size_t first, std::size_t last) const {
  last = std::min(last, words_.size() * 64);
  std::size_t total = 0;
  while (first < last) {
    const std::size_t bits = std::min(64 - first % 64, last - first);
    const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    total += static_cast<std::size_t>(std::popcount((words_[first / 64] >> (first % 64)) & mask));
    first += bits;
  }
  return total;
}

bool KeyLedger::sane(std::int64_t version) const {
  constexpr std::int64_t room = 1 << 20;  // writes that may begin before one that has begun has ended
  return version > initial_ && version - initial_ <= begun_ + room;
}

void KeyLedger::begin(const Operation& write) {
  ++begun_;
  if (write.kind == OperationKind::unknown_write) {
    ++unknown_;
    return;
  }
  if (!sane(write.version) || begun_versions_.contains(place(write.version))) return;
  begun_versions_.insert(place(write.version));
  if (write.version <= shown_) --gaps_;
}

std::size_t KeyLedger::gaps_after_shown(std::int64_t version) const {
  return static_cast<std::size_t>(version - shown_) -
         begun_versions_.count(place(shown_) + 1, place(version) + 1);
}

bool KeyLedger::possible(std::int64_t version) const {
  // No unknown write is taken back: what could be explained once can be explained since.
  if (version <= shown_) return true;
  if (version > most()) return false;
  return gaps_ + static_cast<std::int64_t>(gaps_after_shown(version)) <= unknown_;
}

void KeyLedger::show(std::int64_t version) {
  if (version <= shown_) return;
  gaps_ += static_cast<std::int64_t>(gaps_after_shown(version));
  shown_ = version;
}

bool KeyLedger::acknowledge(const Operation& write, std::optional<Operation>& other) {
  if (!sane(write.version)) return false;
  const bool twice = ended_versions_.contains(place(write.version));
  ended_versions_.insert(place(write.version));
  Remembered& entry = remember(write.version);
  if (entry.version == write.version) {
    if (twice && entry.written) other = entry.write;
    entry.write = write;
    entry.written = true;
  }
  if (write.version > acknowledged_) {
    passed_at_.resize(place(write.version), write.end);
    acknowledged_ = write.version;
  }
  return twice;
}

std::optional<std::int64_t> KeyLedger::passed_at(std::int64_t version) const {
  if (version >= acknowledged_) return std::nullopt;
  return passed_at_[place(version)];
}

std::int64_t KeyLedger::acknowledged_before(std::int64_t time) const {
  return initial_ + (std::lower_bound(passed_at_.begin(), passed_at_.end(), time) - passed_at_.begin());
}

KeyLedger::Remembered& KeyLedger::remember(std::int64_t version) {
  const std::size_t index = place(version) % remembered;
  if (index >= recent_.size()) recent_.resize(index + 1);
  Remembered& entry = recent_[index];
  if (entry.version < version) entry = Remembered{version, false, false, {}, {}};
  return entry;
}

const KeyLedger::Remembered* KeyLedger::recall(std::int64_t version) const {
  if (version <= initial_) return nullptr;
  const std::size_t index = place(version) % remembered;
  if (index >= recent_.size() || recent_[index].version != version) return nullptr;
  return &recent_[index];
}

void KeyLedger::note_cause(std::int64_t version, const Operation& cause) {
  if (!sane(version)) return;
  Remembered& entry = remember(version);
  if (entry.version != version || entry.caused) return;
  entry.cause = cause;
  entry.caused = true;
}

std::optional<Operation> KeyLedger::write_of(std::int64_t version) const {
  const Remembered* const entry = recall(version);
  if (entry == nullptr || !entry->written) return std::nullopt;
  return entry->write;
}

const Operation* KeyLedger::cause_of(std::int64_t version) const {
  const Remembered* const entry = recall(version);
  return entry != nullptr && entry->caused ? &entry->cause : nullptr;
}

std::size_t KeyLedger::count_acknowledged_above(std::int64_t final) const {
  if (final >= acknowledged_) return 0;
  return ended_versions_.count(place(std::max(final, initial_)) + 1, place(acknowledged_) + 1);
}

std::vector<std::int64_t> KeyLedger::acknowledged_above(std::int64_t final, std::size_t limit) const {
  std::vector<std::int64_t> found;
  for (std::int64_t version = std::max(final, initial_) + 1; version <= acknowledged_; ++version) {
    if (found.size() == limit) break;
    if (ended_versions_.contains(place(version))) found.push_back(version);
  }
  return found;
}

}  // namespace tidemark::consistency
