#include "tests/consistency/history_checker.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace tidemark::consistency {
namespace {

using Index = std::size_t;

// What one session is entitled to see of one key, and the operations that entitle it.
struct Floor {
  const Operation* written = nullptr;
  const Operation* seen = nullptr;
  const Operation* implied = nullptr;  // a read by the writer of something that this session has seen
};

struct KeyHistory {
  std::int64_t initial = 0;
  std::vector<std::int64_t> attempts;  // starts of the writes that can have happened, sorted

  // How many writes can have happened by `time`.
  std::int64_t attempts_until(std::int64_t time) const {
    return std::upper_bound(attempts.begin(), attempts.end(), time) - attempts.begin();
  }
};

struct EndsLater {
  bool operator()(const Operation* a, const Operation* b) const { return a->end > b->end; }
};

bool later(const Operation* operation, const Operation* floor) {
  return floor == nullptr || operation->version > floor->version;
}

class Judge {
 public:
  Judge(const History& history, std::size_t max_described, std::int64_t soon)
      : history_(history), max_described_(max_described), soon_(soon) {}

  Verdict run(const Demands& demands) {
    index_keys();
    order_.resize(history_.operations.size());
    std::iota(order_.begin(), order_.end(), Index{0});
    std::sort(order_.begin(), order_.end(), [this](Index a, Index b) {
      const Operation& x = history_.operations[a];
      const Operation& y = history_.operations[b];
      return std::tie(x.session, x.start, x.end) < std::tie(y.session, y.start, y.end);
    });
    replay_sessions(&Judge::note_cause);
    replay_sessions(&Judge::judge_operation);
    find_lost_writes();
    state_what_is_missing(demands);
    return std::move(verdict_);
  }

 private:
  using Visit = void (Judge::*)(const Operation&);

  void index_keys() {
    for (const auto& [key, version] : history_.initial) keys_[key].initial = version;
    for (const Operation& operation : history_.operations) {
      KeyHistory& key = keys_[operation.key];
      if (operation.kind == OperationKind::write || operation.kind == OperationKind::unknown_write)
        key.attempts.push_back(operation.start);
      if (operation.kind == OperationKind::write) writes_[{operation.key, operation.version}] = &operation;
    }
    for (auto& [key, known] : keys_) std::sort(known.attempts.begin(), known.attempts.end());
  }

  // Calls `visit` for each operation by session and start; floors_ then holds exactly what had ended by its
  // start.
  void replay_sessions(Visit visit) {
    std::priority_queue<const Operation*, std::vector<const Operation*>, EndsLater> running;
    std::optional<std::uint32_t> session;
    for (const Index index : order_) {
      const Operation& operation = history_.operations[index];
      if (session != operation.session) {
        session = operation.session;
        floors_.clear();
        last_read_ = nullptr;
        running = {};
      }
      while (!running.empty() && running.top()->end <= operation.start) {
        raise_floors(*running.top());
        running.pop();
      }
      (this->*visit)(operation);
      running.push(&operation);
    }
  }

  void raise_floors(const Operation& ended) {
    if (ended.kind == OperationKind::lost_write_told) {
      floors_.clear();
      last_read_ = nullptr;
      return;
    }
    Floor& floor = floors_[ended.key];
    if (ended.kind == OperationKind::write && later(&ended, floor.written)) floor.written = &ended;
    if (ended.kind != OperationKind::read) return;
    if (later(&ended, floor.seen)) floor.seen = &ended;
    last_read_ = &ended;
    if (const auto cause = causes_.find({ended.key, ended.version}); cause != causes_.end()) {
      Floor& implied = floors_[cause->second->key];
      if (later(cause->second, implied.implied)) implied.implied = cause->second;
    }
  }

  void note_cause(const Operation& operation) {
    if (operation.kind != OperationKind::write || last_read_ == nullptr) return;
    if (last_read_->key != operation.key)
      causes_.emplace(std::pair(operation.key, operation.version), last_read_);
  }

  void judge_operation(const Operation& operation) {
    switch (operation.kind) {
      case OperationKind::read:
        judge_read(operation);
        break;
      case OperationKind::write:
        ++verdict_.writes;
        break;
      case OperationKind::unknown_write:
        ++verdict_.unknown_writes;
        break;
      case OperationKind::failed_write:
        ++verdict_.failed_writes;
        break;
      case OperationKind::failed_read:
        ++verdict_.failed_reads;
        break;
      case OperationKind::lost_write_told:
        ++verdict_.lost_writes_told;
        break;
    }
  }

  void judge_read(const Operation& read) {
    ++verdict_.reads;
    ++verdict_.reads_by_node[read.node];
    const KeyHistory& key = keys_[read.key];
    const std::int64_t newest = key.initial + key.attempts_until(read.end);
    if (read.version > newest)
      add({ViolationKind::impossible_version, read, newest, std::nullopt, std::nullopt});
    const auto found = floors_.find(read.key);
    if (found == floors_.end()) return;
    const Floor& floor = found->second;
    if (floor.written != nullptr) {
      ++verdict_.reads_after_own_write;
      if (read.start - floor.written->end <= soon_) ++verdict_.reads_soon_after_own_write;
      require(ViolationKind::stale_read, read, *floor.written);
    }
    if (floor.seen != nullptr) {
      ++verdict_.repeated_reads;
      if (key.attempts_until(read.start) > key.attempts_until(floor.seen->start))
        ++verdict_.reads_of_advancing_key;
      require(ViolationKind::step_back, read, *floor.seen);
    }
    if (floor.implied != nullptr) {
      ++verdict_.reads_with_known_cause;
      require(ViolationKind::effect_before_cause, read, *floor.implied);
    }
  }

  void require(ViolationKind kind, const Operation& read, const Operation& cause) {
    if (read.version >= cause.version) return;
    const auto written = writes_.find({read.key, cause.version});
    const bool known = written != writes_.end();
    if (known && written->second->end > read.end && written->second->node == read.node)
      ++verdict_.before_acknowledgement;
    add({kind, read, cause.version, cause, known ? std::optional(*written->second) : std::nullopt});
  }

  void find_lost_writes() {
    std::vector<const Operation*> writes;
    for (const Operation& operation : history_.operations)
      if (operation.kind == OperationKind::write) writes.push_back(&operation);
    std::sort(writes.begin(), writes.end(), [](const Operation* a, const Operation* b) {
      return std::tie(a->key, a->version, a->end) < std::tie(b->key, b->version, b->end);
    });
    for (Index i = 0; i < writes.size(); ++i) {
      const Operation& write = *writes[i];
      const Operation* next = i + 1 < writes.size() ? writes[i + 1] : nullptr;
      const auto final = history_.final.find(write.key);
      if (next != nullptr && next->key == write.key && next->version == write.version)
        add({ViolationKind::lost_write, write, write.version, *next, std::nullopt});
      else if (final != history_.final.end() && final->second < write.version)
        add({ViolationKind::lost_write, write, write.version, std::nullopt, std::nullopt});
    }
  }

  void add(Violation violation) {
    ++verdict_.counts[static_cast<std::size_t>(violation.kind)];
    auto& first = verdict_.first;
    const auto earlier = [](const Violation& a, const Violation& b) {
      return std::tie(a.operation.start, a.kind) < std::tie(b.operation.start, b.kind);
    };
    const auto place = std::upper_bound(first.begin(), first.end(), violation, earlier);
    if (place == first.end() && first.size() >= max_described_) return;
    first.insert(place, std::move(violation));
    if (first.size() > max_described_) first.pop_back();
  }

  void state_what_is_missing(const Demands& demands) {
    const auto demand = [this](std::uint64_t got, std::uint64_t wanted, const char* what) {
      if (got < wanted)
        verdict_.proves_nothing.push_back(std::string(what) + ": " + std::to_string(got) + ", and " +
                                          std::to_string(wanted) + " are needed");
    };
    demand(verdict_.reads, 1, "reads");
    demand(verdict_.reads_after_own_write, demands.reads_after_own_write, "reads after an own write");
    demand(verdict_.reads_of_advancing_key, demands.reads_of_advancing_key,
           "repeated reads of an advancing key");
    const std::uint64_t nodes = verdict_.reads_by_node.size() - verdict_.reads_by_node.count(0);
    demand(nodes, demands.nodes, "servers that answered reads");
  }

  struct VersionHash {
    std::size_t operator()(const std::pair<std::uint32_t, std::int64_t>& version) const {
      const auto mixed = static_cast<std::uint64_t>(version.second) * 0x9E3779B97F4A7C15U;
      return static_cast<std::size_t>(mixed ^ (mixed >> 29U) ^ (std::uint64_t{version.first} << 32U));
    }
  };

  const History& history_;
  const std::size_t max_described_;
  const std::int64_t soon_;
  std::vector<Index> order_;
  std::unordered_map<std::uint32_t, KeyHistory> keys_;
  // A version of a key -> the acknowledged write that made it.
  std::unordered_map<std::pair<std::uint32_t, std::int64_t>, const Operation*, VersionHash> writes_;
  // A version of a key -> what its writer had read last, of another key, before it wrote.
  std::unordered_map<std::pair<std::uint32_t, std::int64_t>, const Operation*, VersionHash> causes_;
  // Of the session that is being replayed.
  std::unordered_map<std::uint32_t, Floor> floors_;
  const Operation* last_read_ = nullptr;
  Verdict verdict_;
};

std::string milliseconds(std::int64_t nanoseconds) {
  const std::int64_t microseconds = nanoseconds / 1000;
  std::string fraction = std::to_string(microseconds % 1000);
  return std::to_string(microseconds / 1000) + "." +
         std::string(3 - std::min<std::size_t>(3, fraction.size()), '0') + fraction + " ms";
}

}  // namespace

std::string_view name_of(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::stale_read:
      return "stale_read";
    case ViolationKind::step_back:
      return "step_back";
    case ViolationKind::effect_before_cause:
      return "effect_before_cause";
    case ViolationKind::impossible_version:
      return "impossible_version";
    case ViolationKind::lost_write:
      return "lost_write";
  }
  return "?";
}

std::uint64_t Verdict::violations() const {
  return std::accumulate(std::begin(counts), std::end(counts), std::uint64_t{0});
}

Verdict judge(const History& history, const Demands& demands, std::size_t max_described, std::int64_t soon) {
  return Judge(history, max_described, soon).run(demands);
}

std::string describe(const Violation& violation, std::int64_t origin) {
  const Operation& wrong = violation.operation;
  const auto one = [origin](const Operation& operation) {
    return (operation.kind == OperationKind::read ? "read " : "wrote ") + std::to_string(operation.version) +
           " at node " + std::to_string(operation.node) + " from " + milliseconds(operation.start - origin) +
           " to " + milliseconds(operation.end - origin);
  };
  std::string text(name_of(violation.kind));
  text +=
      ": session " + std::to_string(wrong.session) + ", key " + std::to_string(wrong.key) + ": " + one(wrong);
  if (violation.kind == ViolationKind::impossible_version)
    text += ", though at most " + std::to_string(violation.required) + " had been written";
  if (violation.cause)
    text += "; before: session " + std::to_string(violation.cause->session) + " " + one(*violation.cause);
  if (violation.origin && violation.origin->end > wrong.end)
    text += "; not acknowledged yet: session " + std::to_string(violation.origin->session) + " " +
            one(*violation.origin);
  return text;
}

}  // namespace tidemark::consistency
