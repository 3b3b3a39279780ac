#include "pools/callback_guard.hpp"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

TEST(CallbackGuard, RunsHandlersWhileItIsOpen) {
  const CallbackGuard guard;
  int sum = 0;
  auto handler = guard.wrap([&](int number) { sum += number; });
  handler(2);
  handler(3);
  EXPECT_EQ(sum, 5);
}

TEST(CallbackGuard, RunsNoHandlerOnceClosed) {
  CallbackGuard guard;
  int runs = 0;
  auto handler = guard.wrap([&] { ++runs; });
  guard.close([] {});
  handler();
  EXPECT_EQ(runs, 0);
}

TEST(CallbackGuard, ClosesOnce) {
  CallbackGuard guard;
  int closings = 0;
  guard.close([&] { ++closings; });
  guard.close([&] { ++closings; });
  EXPECT_EQ(closings, 1);
}

TEST(CallbackGuard, MayBeClosedByTheHandlerThatRuns) {
  CallbackGuard guard;
  bool seen = false;
  auto handler = guard.wrap([&] {
    guard.close([] {});
    seen = guard.closed();
  });
  handler();
  EXPECT_TRUE(seen);
}

TEST(CallbackGuard, HandlersMayOutliveIt) {
  auto guard = std::make_unique<CallbackGuard>();
  int runs = 0;
  auto handler = guard->wrap([&] { ++runs; });
  guard->close([] {});
  guard.reset();
  handler();
  EXPECT_EQ(runs, 0);
}

TEST(CallbackGuard, CloseWaitsForTheHandlerOfAnotherThread) {
  CallbackGuard guard;
  std::atomic<bool> inside{false};
  std::atomic<bool> closed{false};
  std::atomic<int> late{0};
  auto handler = guard.wrap([&] {
    if (closed) ++late;
    inside = true;
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    if (closed) ++late;
  });
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) handler();
  });
  while (!inside) std::this_thread::yield();
  guard.close([] {});
  closed = true;
  other.join();
  EXPECT_EQ(late, 0);
}

}  // namespace
}  // namespace tidemark::pools
