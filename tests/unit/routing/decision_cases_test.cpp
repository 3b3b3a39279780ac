// Runs every file of tests/data/routing: a cluster, and cases of session + statement -> nodes and reason.
// What a file may say is in tests/data/routing/README.md.

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <toml++/toml.h>

#include "routing/decide.hpp"
#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

constexpr std::uint64_t kUsers = 64;

/// One table of a case file. Every key must be used, so that a misspelt one fails its test.
class Keys {
 public:
  explicit Keys(const toml::table& table) : table_(table) {}

  template <typename T>
  T get(std::string_view key, T otherwise) {
    used_.emplace(key);
    const auto node = table_[key];
    if (!node) return otherwise;
    const auto value = node.template value<T>();
    if (!value) ADD_FAILURE() << "wrong type: " << key;
    return value.value_or(otherwise);
  }
  std::string text(std::string_view key, const std::string& otherwise = {}) { return get(key, otherwise); }
  TimePoint time(std::string_view key, std::int64_t otherwise) {
    return at_ms(get<std::int64_t>(key, otherwise));
  }
  bool has(std::string_view key) const { return table_.contains(key); }
  const toml::array* array(std::string_view key) {
    used_.emplace(key);
    return table_[key].as_array();
  }
  const toml::table* table(std::string_view key) {
    used_.emplace(key);
    return table_[key].as_table();
  }
  void done() const {
    for (const auto& [key, value] : table_)
      EXPECT_TRUE(used_.contains(key.str())) << "unknown key: " << key.str();
  }

 private:
  const toml::table& table_;
  std::set<std::string, std::less<>> used_;
};

template <typename Value>
Value named(const std::map<std::string_view, Value>& names, const std::string& name) {
  const auto found = names.find(name);
  if (found == names.end()) throw std::runtime_error("no such name: " + name);
  return found->second;
}

const std::map<std::string_view, NodeRole> kRoles{
    {"unknown", NodeRole::unknown}, {"primary", NodeRole::primary}, {"replica", NodeRole::replica}};
const std::map<std::string_view, NodeFault> kFaults{{"none", NodeFault::none},
                                                    {"unreachable", NodeFault::unreachable},
                                                    {"other_cluster", NodeFault::other_cluster},
                                                    {"older_timeline", NodeFault::older_timeline},
                                                    {"duplicate_primary", NodeFault::duplicate_primary},
                                                    {"not_following", NodeFault::not_following}};
const std::map<std::string_view, Fallback> kFallbacks{
    {"primary", Fallback::primary}, {"wait", Fallback::wait}, {"error", Fallback::error}};
const std::map<std::string_view, Decision::Kind> kKinds{
    {"send", Decision::Kind::send},
    {"wait_for_position", Decision::Kind::wait_for_position},
    {"wait_for_replay", Decision::Kind::wait_for_replay},
    {"wait_for_primary", Decision::Kind::wait_for_primary},
    {"reject", Decision::Kind::reject}};

/// "0/300" or "0/300@2" (on timeline 2).
WalPosition position_of(const std::string& text) {
  const std::size_t at = text.find('@');
  const auto lsn = parse_lsn(std::string_view(text).substr(0, at));
  if (!lsn) throw std::runtime_error("no position: " + text);
  return wal(lsn->value,
             at == std::string::npos ? 1U : static_cast<std::uint32_t>(std::stoul(text.substr(at + 1))));
}

Floor floor_of(const std::string& text) {
  if (text.empty() || text == "none") return {};
  if (text == "pending") return pending();
  return {Floor::Kind::known, position_of(text)};
}

struct Cluster {
  RoutingPolicy policy;
  ClusterView view;

  [[nodiscard]] NodeId find(const std::string& name) const {
    const auto node = std::ranges::find(view.nodes, name, &NodeState::name);
    if (node == view.nodes.end()) throw std::runtime_error("no such node: " + name);
    return node->id;
  }
};

NodeState read_node(const toml::table& table, std::size_t number) {
  Keys keys(table);
  NodeState node;
  node.id = NodeId{static_cast<std::uint16_t>(number)};
  node.name = keys.text("name");
  node.host = keys.text("host", "10.0.0.1");
  node.weight = keys.get<std::uint16_t>("weight", 1);
  node.role = named(kRoles, keys.text("role", "replica"));
  node.fault = named(kFaults, keys.text("fault", "none"));
  node.system_identifier = kSystem;
  const WalPosition position = position_of(keys.text("position", "0/0"));
  node.timeline = position.timeline;
  node.position = position.lsn;
  node.incarnation = keys.get<std::uint64_t>("incarnation", 1);
  node.observed_at = keys.time("observed_ms", 0);
  node.lag_time = std::chrono::milliseconds(keys.get<std::int64_t>("lag_ms", 0));
  node.lag_bytes = {keys.get<std::uint64_t>("lag_bytes", 0)};
  node.lagging = keys.get("lagging", false);
  node.drained = keys.get("drained", false);
  node.fresh_at = keys.time("fresh_ms", 0);
  node.behind_for = std::chrono::milliseconds(keys.get<std::int64_t>("behind_ms", 0));
  if (const toml::table* life = keys.table("past")) {
    Keys past(*life);
    const WalPosition had = position_of(past.text("position", "0/0"));
    node.past = {past.get<std::uint64_t>("incarnation", 1), kSystem, had.timeline, had.lsn,
                 past.time("observed_ms", 0)};
    past.done();
  }
  keys.done();
  return node;
}

Cluster read_cluster(Keys& file) {
  Cluster cluster;
  if (const toml::table* table = file.table("policy")) {
    Keys policy(*table);
    cluster.policy.fallback = named(kFallbacks, policy.text("fallback", "primary"));
    cluster.policy.replica_wait = std::chrono::milliseconds(policy.get<std::int64_t>("replica_wait_ms", 5));
    cluster.policy.max_lag = std::chrono::milliseconds(policy.get<std::int64_t>("max_lag_ms", 10'000));
    policy.done();
  }
  cluster.view.system_identifier = kSystem;
  cluster.view.paused = file.get("paused", false);
  cluster.view.timeline = {file.get<std::uint32_t>("timeline", 1)};
  if (const toml::array* ancestors = file.array("history")) {
    std::vector<TimelineSwitch> known;
    for (const toml::node& each : *ancestors) {
      Keys ancestor(*each.as_table());
      const WalPosition end = position_of(ancestor.text("end"));
      known.push_back({end.timeline, end.lsn, ancestor.get("exact", true)});
      ancestor.done();
    }
    cluster.view.history = TimelineHistory(std::move(known));
  }
  for (const toml::node& node : *file.array("node")) {
    cluster.view.nodes.push_back(read_node(*node.as_table(), cluster.view.nodes.size()));
  }
  const std::string primary = file.text("primary");
  if (!primary.empty()) cluster.view.primary = cluster.find(primary);
  return cluster;
}

SessionContext read_session(Keys& keys, const Cluster& cluster) {
  SessionContext session;
  const std::string level = keys.text("level", "session");
  const auto parsed = parse_consistency(level);
  if (!parsed) throw std::runtime_error("no such level: " + level);
  session.level = *parsed;
  session.written = floor_of(keys.text("written"));
  session.seen = floor_of(keys.text("seen"));
  session.required = floor_of(keys.text("required"));
  session.strong = floor_of(keys.text("strong"));
  for (Floor* floor : {&session.written, &session.seen, &session.required, &session.strong})
    floor->raised_at = keys.time("raised_ms", 0);
  session.max_staleness.time = std::chrono::milliseconds(keys.get<std::int64_t>("max_staleness_ms", 1000));
  if (keys.has("max_staleness_bytes"))
    session.max_staleness.bytes = keys.get<std::uint64_t>("max_staleness_bytes", 0);
  session.arrived = keys.time("arrived_ms", 10);
  const auto add_last = [&](const toml::table& table) {
    Keys last(table);
    session.shown.push_back({cluster.find(last.text("node")), last.get<std::uint64_t>("incarnation", 1),
                             last.time("at_ms", 0), last.time("sent_at_ms", 0)});
    last.done();
  };
  if (const toml::table* table = keys.table("last")) add_last(*table);
  if (const toml::array* several = keys.array("lasts")) {
    for (const toml::node& each : *several) add_last(*each.as_table());
  }
  return session;
}

void run_case(const toml::table& table, const Cluster& cluster) {
  Keys keys(table);
  SCOPED_TRACE(keys.text("name"));
  SessionContext session = read_session(keys, cluster);
  const StatementContext statement{keys.text("statement", "read") == "read", keys.get("primary_only", false),
                                   keys.get("of_node", false)};
  const TimePoint now = keys.time("now_ms", 10);
  const Decision::Kind kind = named(kKinds, keys.text("expect", "send"));
  const std::string reason = keys.text("reason");
  std::set<std::string> expected;
  if (const toml::array* nodes = keys.array("nodes")) {
    for (const toml::node& node : *nodes) expected.insert(node.value_or(std::string()));
  }
  keys.done();

  std::set<std::string> reached;
  for (session.user_key = 0; session.user_key < kUsers; ++session.user_key) {
    const Decision decision = decide(cluster.policy, cluster.view, session, statement, now);
    ASSERT_EQ(to_string(decision.reason), reason);
    ASSERT_EQ(decision.kind, kind);
    reached.insert(cluster.view.node(decision.node).name);
  }
  if (!expected.empty()) {
    EXPECT_EQ(reached, expected);
  }
}

class DecisionCases : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(DecisionCases, HoldForEveryUser) {
  const toml::table table = toml::parse_file(GetParam().string());
  Keys file(table);
  const Cluster cluster = read_cluster(file);
  const toml::array* const cases = file.array("case");
  ASSERT_NE(cases, nullptr);
  for (const toml::node& each : *cases) run_case(*each.as_table(), cluster);
  file.done();
}

std::vector<std::filesystem::path> case_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_TEST_DATA "/routing")) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, DecisionCases, testing::ValuesIn(case_files()),
                         [](const auto& tested) { return tested.param.stem().string(); });

}  // namespace
}  // namespace tidemark::routing
