#include "pools/alert_notices.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace tidemark::pools {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Finding kSlot{Alert::slot_inactive, routing::NodeId{}, "s", "", {}};
const Finding kOtherSlot{Alert::slot_inactive, routing::NodeId{}, "t", "", {}};

struct Log {
  AlertNotices notices;
  routing::TimePoint now = routing::TimePoint{} + 1h;

  std::vector<std::string> after(std::chrono::seconds time, const std::vector<Finding>& findings) {
    now += time;
    std::vector<std::string> lines;
    for (const auto& [began, finding] : notices.update(findings, now))
      lines.push_back((began ? "began " : "ended ") + finding.subject);
    return lines;
  }
};

TEST(AlertNotices, TellsBeginningAndEndOnce) {
  Log log;
  EXPECT_THAT(log.after(5s, {kSlot}), ElementsAre("began s"));
  EXPECT_THAT(log.after(5s, {kSlot, kOtherSlot}), ElementsAre("began t"));
  EXPECT_THAT(log.after(1h, {kSlot, kOtherSlot}), IsEmpty());
  EXPECT_THAT(log.after(5s, {kOtherSlot}), ElementsAre("ended s"));
  EXPECT_THAT(log.after(5s, {kOtherSlot}), IsEmpty());
}

TEST(AlertNotices, WhatComesAndGoesIsToldOnceAMinute) {
  Log log;
  EXPECT_THAT(log.after(5s, {kSlot}), ElementsAre("began s"));
  EXPECT_THAT(log.after(5s, {}), ElementsAre("ended s"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(log.after(5s, {kSlot}), IsEmpty());
    EXPECT_THAT(log.after(5s, {}), IsEmpty());
  }
  EXPECT_THAT(log.after(5s, {kSlot}), ElementsAre("began s"));
}

TEST(AlertNotices, WhatStaysIsToldWhenTheMinuteIsOver) {
  Log log;
  EXPECT_THAT(log.after(5s, {kSlot}), ElementsAre("began s"));
  EXPECT_THAT(log.after(5s, {}), ElementsAre("ended s"));
  EXPECT_THAT(log.after(5s, {kSlot}), IsEmpty());
  EXPECT_THAT(log.after(49s, {kSlot}), IsEmpty());
  EXPECT_THAT(log.after(1s, {kSlot}), ElementsAre("began s"));
}

TEST(AlertNotices, WhatWasClearedHasNoEnd) {
  Log log;
  EXPECT_THAT(log.after(5s, {kSlot}), ElementsAre("began s"));
  log.notices.clear();
  EXPECT_THAT(log.after(5s, {}), IsEmpty());
}

}  // namespace
}  // namespace tidemark::pools
