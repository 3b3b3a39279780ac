#include "protocol/pipeline.hpp"

#include <algorithm>

namespace tidemark::protocol {

void Pipeline::pop() {
  if (++head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  }
}

void Pipeline::clear() {
  entries_.clear();
  head_ = 0;
  completed_.reset();
  skipped_.clear();
  copy_ = Copy::none;
}

void Pipeline::swallow_all() {
  entries_.erase(std::remove_if(entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end(),
                                [](const Entry& entry) { return entry.fate == Fate::inject; }),
                 entries_.end());
  for (std::size_t i = head_; i < entries_.size(); ++i) entries_[i].fate = Fate::swallow;
  if (empty()) {
    entries_.clear();
    head_ = 0;
  }
}

std::optional<Pipeline::Entry> Pipeline::take_injection() {
  if (empty() || front().fate != Fate::inject) return std::nullopt;
  const Entry entry = front();
  pop();
  return entry;
}

Pipeline::Verdict Pipeline::complete() {
  const Verdict verdict = by_fate();
  completed_ = front();
  pop();
  return verdict;
}

Pipeline::Verdict Pipeline::on_error() {
  copy_ = Copy::none;
  const Entry failed = front();
  if (failed.expected == Expected::query || failed.expected == Expected::function_call) return by_fate();
  // Extended protocol: the server skips to the next Sync. An error at the Sync itself (a deferred constraint)
  // is followed by its ReadyForQuery.
  while (!empty() && front().expected != Expected::sync) {
    skipped_.push_back(front());
    pop();
  }
  return Verdict::forward;
}

void Pipeline::begin_copy_in() {
  copy_ = Copy::in;
  if (front().expected != Expected::execute) return;
  // A Sync that was sent along with the Execute is read, and ignored, in COPY mode; the client sends another
  // one after the data. Manual: "COPY Operations".
  absl::InlinedVector<Entry, 8> kept;
  for (std::size_t i = head_; i < entries_.size(); ++i) {
    if (i == head_ || entries_[i].expected != Expected::sync) kept.push_back(entries_[i]);
  }
  entries_ = std::move(kept);
  head_ = 0;
}

Pipeline::Verdict Pipeline::on_message(char type) {
  completed_.reset();
  skipped_.clear();
  if (empty()) return Verdict::violation;
  const Expected expected = front().expected;
  const bool runs = expected == Expected::query || expected == Expected::execute;
  switch (type) {
    case 'D':  // DataRow
      return runs ? by_fate() : Verdict::violation;
    case 'T':  // RowDescription
      if (expected == Expected::describe) return complete();
      return expected == Expected::query ? by_fate() : Verdict::violation;
    case 'C':  // CommandComplete
    case 'I':  // EmptyQueryResponse
      copy_ = Copy::none;
      if (expected == Expected::execute) return complete();
      return expected == Expected::query ? by_fate() : Verdict::violation;
    case 's':  // PortalSuspended
      return expected == Expected::execute ? complete() : Verdict::violation;
    case '1':
      return expected == Expected::parse ? complete() : Verdict::violation;
    case '2':
      return expected == Expected::bind ? complete() : Verdict::violation;
    case '3':
      return expected == Expected::close ? complete() : Verdict::violation;
    case 't':  // ParameterDescription, RowDescription or NoData follows
      return expected == Expected::describe ? by_fate() : Verdict::violation;
    case 'n':  // NoData
      return expected == Expected::describe ? complete() : Verdict::violation;
    case 'Z':  // ReadyForQuery
      copy_ = Copy::none;
      if (expected == Expected::query || expected == Expected::sync || expected == Expected::function_call) {
        return complete();
      }
      return Verdict::violation;
    case 'V':  // FunctionCallResponse
      return expected == Expected::function_call ? by_fate() : Verdict::violation;
    case 'E':
      return on_error();
    case 'G':  // CopyInResponse
      if (!runs) return Verdict::violation;
      begin_copy_in();
      return by_fate();
    case 'H':  // CopyOutResponse
      if (!runs) return Verdict::violation;
      copy_ = Copy::out;
      return by_fate();
    case 'd':  // CopyData
    case 'c':  // CopyDone
      return runs && copy_ == Copy::out ? by_fate() : Verdict::violation;
    default:
      return Verdict::violation;
  }
}

}  // namespace tidemark::protocol
