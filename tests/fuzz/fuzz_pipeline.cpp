// Any backend message against any reply queue, beside a plain model of the queue. The queue never loses its
// place: a message completes the entry at the front or none, an error skips up to a Sync, and a violation
// changes nothing, also when a caller goes on after it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string_view>

#include "protocol/pipeline.hpp"

namespace {

using namespace tidemark::protocol;
using Entry = Pipeline::Entry;
using Verdict = Pipeline::Verdict;

void check(bool holds) {
  if (!holds) std::abort();
}

class Conversation {
 public:
  void push(Expected expected, Fate fate) {
    const bool injectable = expected == Expected::parse || expected == Expected::close;
    if (fate == Fate::inject && !injectable) fate = Fate::forward;
    model_.push_back({expected, fate, ++tag_});
    pipeline_.push(expected, fate, tag_);
  }

  void receive(char type) {
    take_injections();
    const auto copy_before = pipeline_.copy();
    const Verdict verdict = pipeline_.on_message(type);
    if (verdict == Verdict::violation) {
      check(!pipeline_.completed() && pipeline_.skipped().empty());
      check(pipeline_.copy() == copy_before || pipeline_.copy() == Pipeline::Copy::none);
      return check_front();
    }
    check(!model_.empty());
    const Entry due = model_.front();
    const bool extended = due.expected != Expected::query && due.expected != Expected::function_call;
    const bool clients_error = type == 'E' && extended;
    check(verdict == (due.fate == Fate::swallow && !clients_error ? Verdict::swallow : Verdict::forward));
    if ((type == 'd' || type == 'c')) check(copy_before == Pipeline::Copy::out);
    if (type == 'E' && extended) {
      for (const Entry& skipped : pipeline_.skipped()) {
        check(!model_.empty() && same(model_.front(), skipped) && skipped.expected != Expected::sync);
        model_.pop_front();
      }
      check(model_.empty() || model_.front().expected == Expected::sync);
    } else {
      check(pipeline_.skipped().empty());
    }
    if (const auto& completed = pipeline_.completed()) {
      check(type != 'E' && same(due, *completed));
      model_.pop_front();
    }
    if (type == 'G' && due.expected == Expected::execute) {
      check(pipeline_.copy() == Pipeline::Copy::in);
      std::erase_if(model_, [](const Entry& entry) { return entry.expected == Expected::sync; });
    }
    check_front();
  }

  void swallow_all() {
    // Injections that are due are not asked for any more: their place is taken by nothing of the server's.
    take_injections();
    for (const Entry& entry : model_) {
      if (entry.fate == Fate::inject) return;
    }
    pipeline_.swallow_all();
    for (Entry& entry : model_) entry.fate = Fate::swallow;
    check_front();
  }
  void copy_in_ended() {
    if (pipeline_.copy() == Pipeline::Copy::in) pipeline_.copy_in_ended();
  }
  void clear() {
    pipeline_.clear();
    model_.clear();
    check(pipeline_.copy() == Pipeline::Copy::none);
    check_front();
  }

 private:
  static bool same(const Entry& a, const Entry& b) {
    return a.expected == b.expected && a.fate == b.fate && a.tag == b.tag;
  }
  void take_injections() {
    while (const auto entry = pipeline_.take_injection()) {
      check(!model_.empty() && model_.front().fate == Fate::inject && same(model_.front(), *entry));
      model_.pop_front();
    }
    check_front();
    check(model_.empty() || model_.front().fate != Fate::inject);
  }
  void check_front() {
    check(pipeline_.empty() == model_.empty());
    if (!model_.empty()) check(same(pipeline_.front(), model_.front()));
  }

  Pipeline pipeline_;
  std::deque<Entry> model_;
  std::uint32_t tag_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view usual = "123CDEGHITVZcdnst";
  Conversation conversation;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t step = data[i];
    if (step < 24) {
      conversation.push(static_cast<Expected>(step % 8), static_cast<Fate>(step / 8));
    } else if (step < 200) {
      conversation.receive(usual[step % usual.size()]);
    } else if (step < 220 && i + 1 < size) {
      conversation.receive(static_cast<char>(data[++i]));
    } else if (step < 230) {
      conversation.swallow_all();
    } else if (step < 240) {
      conversation.copy_in_ended();
    } else if (step == 255) {
      conversation.clear();
    }
  }
  return 0;
}
