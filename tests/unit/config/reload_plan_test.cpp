#include "config/reload_plan.hpp"

#include <string>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Document document_of(const std::string& text) {
  return load("cluster.nodes = [\"a:5432\", \"b:5432\"]\nauth.method = \"trust\"\n" + text).document;
}

ReloadPlan change(const std::string& before, const std::string& after) {
  const Document started = document_of(before);
  return plan_reload(started, started, document_of(after));
}

TEST(ReloadPlan, FindsNothingWhereOnlyTheTextChanged) {
  const auto plan = change("pool.queue_timeout = \"1s\"\n[listen]\nport = 7000\n",
                           "# moved\n[listen]\naddress = \"127.0.0.1\"\nport = 7000\n[pool]\n"
                           "queue_timeout = \"1000ms\"\nserver_lifetime = \"60min\"\n");
  EXPECT_THAT(plan.applied, IsEmpty());
  EXPECT_THAT(plan.needs_restart, IsEmpty());
}

TEST(ReloadPlan, TellsWhatIsAppliedFromWhatNeedsARestart) {
  const auto plan = change("",
                           "log.level = \"debug\"\nlisten.tls.min_version = \"TLSv1.3\"\n"
                           "pool.size = 7\nlisten.port = 7000\n");
  EXPECT_THAT(plan.applied, ElementsAre("listen.tls.min_version", "log.level"));
  EXPECT_THAT(plan.needs_restart, ElementsAre("listen.port", "pool.size"));
}

TEST(ReloadPlan, NoticesThatAKeyWentBackToItsDefault) {
  EXPECT_THAT(change("pool.size = 7\n", "").needs_restart, ElementsAre("pool.size"));
  EXPECT_THAT(change("pool.queue_timeout = \"7s\"\n", "").needs_restart, ElementsAre("pool.queue_timeout"));
}

TEST(ReloadPlan, NamesAListOfTablesAsAWhole) {
  const std::string one = "[[cluster.node]]\naddress = \"a:5432\"\nweight = 2\n";
  const std::string two = one + "[[cluster.node]]\naddress = \"b:5432\"\n";
  EXPECT_THAT(change(one, two).needs_restart, ElementsAre("cluster.node"));
  EXPECT_THAT(change(one, "[[cluster.node]]\naddress = \"a:5432\"\nweight = 3\n").needs_restart,
              ElementsAre("cluster.node"));
  EXPECT_THAT(change(two, two + "weight = 1\n").needs_restart, IsEmpty());
}

TEST(ReloadPlan, SeesAChangeInATableOfAList) {
  const std::string rule = "[[routing.rule]]\nconsistency = \"strong\"\nmatch = { user = \"a\" }\n";
  EXPECT_THAT(change("", rule).needs_restart, ElementsAre("routing.rule"));
  EXPECT_THAT(change(rule, "[[routing.rule]]\nconsistency = \"strong\"\n[routing.rule.match]\nuser = \"b\"\n")
                  .needs_restart,
              ElementsAre("routing.rule"));
  EXPECT_THAT(change(rule, "[[routing.rule]]\nmatch.user = \"a\"\nconsistency = \"strong\"\n").needs_restart,
              IsEmpty());
}

TEST(ReloadPlan, RemembersWhatWasStartedWith) {
  const Document started = document_of("");
  const Document current = document_of("pool.size = 7\nlog.level = \"debug\"\n");
  const auto same = plan_reload(started, current, current);
  EXPECT_THAT(same.applied, IsEmpty());
  EXPECT_THAT(same.needs_restart, ElementsAre("pool.size"));
  const auto back = plan_reload(started, current, started);
  EXPECT_THAT(back.applied, ElementsAre("log.level"));
  EXPECT_THAT(back.needs_restart, IsEmpty());
}

}  // namespace
}  // namespace tidemark::config
