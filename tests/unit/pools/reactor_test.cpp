#include "pools/reactor.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/pools/socket_pair.hpp"

namespace tidemark::pools {
namespace {

using std::chrono::milliseconds;

struct Handler final : EventHandler {
  std::function<void(IoEvents)> call;
  explicit Handler(std::function<void(IoEvents)> function) : call(std::move(function)) {}
  void on_events(IoEvents events) override { call(events); }
};

class ReactorTest : public testing::Test {
 protected:
  /// Runs until somebody stops, at the latest at the limit, which only bounds a failure.
  void run(std::function<void()> after_turn = [] {}) {
    Reactor::Timer limit(reactor_, [this] {
      ADD_FAILURE() << "nothing happened";
      reactor_.stop();
    });
    limit.expires_at(Reactor::Clock::now() + std::chrono::seconds(20));
    reactor_.run([] {},
                 [&] {
                   ++turns_;
                   after_turn();
                 });
  }

  Reactor reactor_;
  int turns_ = 0;
};

TEST_F(ReactorTest, TimersFireInTheirOrderAndNotEarly) {
  std::string fired;
  const auto start = Reactor::Clock::now();
  Reactor::Timer third(reactor_, [&] {
    fired += '3';
    EXPECT_GE(Reactor::Clock::now(), start + milliseconds(4));
    reactor_.stop();
  });
  Reactor::Timer first(reactor_, [&] { fired += '1'; });
  Reactor::Timer second(reactor_, [&] { fired += '2'; });
  third.expires_at(start + milliseconds(4));
  second.expires_at(start + milliseconds(2));
  first.expires_at(start + milliseconds(1));
  run();
  EXPECT_EQ(fired, "123");
}

TEST_F(ReactorTest, ATimerFiresOnceAndCanBeArmedAnew) {
  int fired = 0;
  Reactor::Timer timer(reactor_, [] {});
  Reactor::Timer counted(reactor_, [&] { ++fired; });
  Reactor::Timer end(reactor_, [&] { reactor_.stop(); });
  const auto start = Reactor::Clock::now();
  counted.expires_at(start + std::chrono::hours(1));
  counted.expires_at(start);  // replaces the former time
  EXPECT_TRUE(counted.armed());
  end.expires_at(start + milliseconds(2));
  run();
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(counted.armed());
}

TEST_F(ReactorTest, ATimeAlreadyPastNeverFiresFromWithinTheCall) {
  bool fired = false;
  Reactor::Timer timer(reactor_, [&] {
    fired = true;
    reactor_.stop();
  });
  timer.expires_at(Reactor::Clock::now() - std::chrono::hours(1));
  EXPECT_FALSE(fired);
  run();
  EXPECT_TRUE(fired);
}

TEST_F(ReactorTest, ATimerThatIsAlwaysDueLeavesTheTurnToOthers) {
  int fired = 0;
  Reactor::Timer* again = nullptr;
  Reactor::Timer timer(reactor_, [&] {
    ++fired;
    ASSERT_LE(fired, turns_ + 1) << "once a turn";
    if (fired == 5) return reactor_.stop();
    again->expires_at(reactor_.now());
  });
  again = &timer;
  timer.expires_at(Reactor::Clock::now());
  run();
  EXPECT_EQ(fired, 5);
}

TEST_F(ReactorTest, TimersThatArmEachOtherForNowLeaveTheTurnToOthers) {
  int fired = 0;
  std::unique_ptr<Reactor::Timer> first;
  std::unique_ptr<Reactor::Timer> second;
  const auto go_on = [&](Reactor::Timer& other) {
    ++fired;
    ASSERT_LE(fired, turns_ + 1);
    if (fired == 6) return reactor_.stop();
    other.expires_at(reactor_.now() - milliseconds(5));
  };
  first = std::make_unique<Reactor::Timer>(reactor_, [&] { go_on(*second); });
  second = std::make_unique<Reactor::Timer>(reactor_, [&] { go_on(*first); });
  first->expires_at(Reactor::Clock::now());
  run();
  EXPECT_EQ(fired, 6);
}

TEST_F(ReactorTest, ACancelledOrDestroyedTimerDoesNotFire) {
  const auto now = Reactor::Clock::now();
  Reactor::Timer cancelled(reactor_, [] { FAIL(); });
  auto destroyed = std::make_unique<Reactor::Timer>(reactor_, [] { FAIL(); });
  Reactor::Timer by_another(reactor_, [] { FAIL(); });
  Reactor::Timer end(reactor_, [&] { reactor_.stop(); });
  cancelled.expires_at(now);
  destroyed->expires_at(now);
  Reactor::Timer canceller(reactor_, [&] { by_another.cancel(); });
  canceller.expires_at(now - milliseconds(1));
  by_another.expires_at(now);  // due in the same turn, after the canceller
  end.expires_at(now + milliseconds(1));
  cancelled.cancel();
  cancelled.cancel();
  destroyed.reset();
  run();
  EXPECT_FALSE(by_another.armed());
}

TEST_F(ReactorTest, TellsWhatHappensToADescriptor) {
  auto ends = socket_pair();
  std::vector<IoEvents> heard;
  Handler handler([&](IoEvents events) {
    heard.push_back(events);
    if (heard.size() == 1) {
      ASSERT_TRUE(ends.second.send("x"));
    } else if (heard.size() == 2) {
      EXPECT_EQ(receive_all(ends.first), "x");
      ends.second.close();
    } else {
      reactor_.stop();
    }
  });
  ASSERT_TRUE(reactor_.add(ends.first.descriptor(), handler));
  run();
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_TRUE(heard[0].writable);
  EXPECT_FALSE(heard[0].readable || heard[0].peer_closed || heard[0].broken);
  EXPECT_TRUE(heard[1].readable);
  EXPECT_FALSE(heard[1].peer_closed);
  EXPECT_TRUE(heard[2].readable && heard[2].peer_closed);
  reactor_.remove(ends.first.descriptor(), handler);
}

TEST_F(ReactorTest, AnEdgeIsToldOnce) {
  auto ends = socket_pair();
  int heard = 0;
  Handler handler([&](IoEvents) { ++heard; });
  ASSERT_TRUE(ends.second.send("unread"));
  ASSERT_TRUE(reactor_.add(ends.first.descriptor(), handler));
  run([&] {
    if (turns_ < 5) {
      reactor_.wake();
    } else {
      reactor_.stop();
    }
  });
  EXPECT_EQ(heard, 1);
}

TEST_F(ReactorTest, AListenerIsToldOfUntilItIsEmpty) {
  const Socket listener = listen_on("127.0.0.1", 0);
  const Socket client = start_connect({"127.0.0.1", port_of(listener)});
  int heard = 0;
  Handler handler([&](IoEvents) {
    if (++heard < 3) return;
    EXPECT_TRUE(accept_from(listener).is_open());
    reactor_.stop();
  });
  ASSERT_TRUE(reactor_.add_listener(listener.descriptor(), handler));
  run();
  EXPECT_EQ(heard, 3);
}

TEST_F(ReactorTest, RemovingDropsEventsThatWereAlreadyCollected) {
  auto one = socket_pair();
  auto two = socket_pair();
  int heard = 0;
  std::unique_ptr<Handler> first;
  std::unique_ptr<Handler> second;
  // Both have an event in the first turn; whoever hears first removes, and destroys, the other.
  first = std::make_unique<Handler>([&](IoEvents) {
    ++heard;
    if (!second) return;
    reactor_.remove(two.first.descriptor(), *second);
    second.reset();
  });
  second = std::make_unique<Handler>([&](IoEvents) {
    ++heard;
    if (!first) return;
    reactor_.remove(one.first.descriptor(), *first);
    first.reset();
  });
  ASSERT_TRUE(reactor_.add(one.first.descriptor(), *first));
  ASSERT_TRUE(reactor_.add(two.first.descriptor(), *second));
  run([&] { reactor_.stop(); });
  EXPECT_EQ(heard, 1);
}

TEST_F(ReactorTest, RebindingGivesThePresentStateToTheNewHandler) {
  auto ends = socket_pair();
  std::string log;
  Handler to([&](IoEvents events) {
    log += events.readable ? "new:readable " : "new ";
    reactor_.stop();
  });
  Handler from([](IoEvents) {});
  from.call = [&](IoEvents) {
    log += "old ";
    ASSERT_TRUE(ends.second.send("x"));
    ASSERT_TRUE(reactor_.rebind(ends.first.descriptor(), from, to));
  };
  ASSERT_TRUE(reactor_.add(ends.first.descriptor(), from));
  run();
  EXPECT_EQ(log, "old new:readable ");
}

TEST_F(ReactorTest, RefusesWhatCannotBeWatched) {
  Handler handler([](IoEvents) {});
  EXPECT_FALSE(reactor_.add(-1, handler));
  EXPECT_FALSE(reactor_.add_listener(-1, handler));
  EXPECT_FALSE(reactor_.rebind(-1, handler, handler));
  reactor_.remove(-1, handler);
}

TEST_F(ReactorTest, PostedTasksRunInOrderAndNotWithinOneAnother) {
  std::string log;
  int turn_of_inner = 0;
  reactor_.post([&] {
    log += 'a';
    reactor_.post([&] {
      log += 'c';
      turn_of_inner = turns_;
      reactor_.stop();
    });
  });
  reactor_.post([&] { log += 'b'; });
  run();
  EXPECT_EQ(log, "abc");
  EXPECT_EQ(turn_of_inner, 1) << "a task that posts leaves the turn to others";
}

TEST_F(ReactorTest, TasksOfManyThreadsAllRunOnItsThread) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  const auto own = std::this_thread::get_id();
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTasks; ++i) {
        reactor_.post([&] {
          ASSERT_EQ(std::this_thread::get_id(), own);
          if (++ran == kThreads * kTasks) reactor_.stop();
        });
      }
    });
  }
  run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kTasks);
}

TEST_F(ReactorTest, NoWakeIsLost) {
  // The other thread wakes again as soon as its last wake was seen: any that is lost ends in the time limit.
  std::atomic<int> wakes{0};
  std::atomic<int> seen{0};
  std::atomic<bool> done{false};
  std::thread other([&] {
    for (int i = 1; i <= 2000; ++i) {
      wakes.store(i);
      reactor_.wake();
      while (seen.load() < i && !done.load()) std::this_thread::yield();
    }
    reactor_.stop();
  });
  run([&] { seen.store(wakes.load()); });
  done.store(true);
  other.join();
  EXPECT_EQ(seen.load(), 2000);
}

TEST_F(ReactorTest, StoppedBeforeItRuns) {
  reactor_.stop();
  run();
  EXPECT_EQ(turns_, 0);
}

TEST_F(ReactorTest, TheTimeIsThatOfTheTurn) {
  const auto before = Reactor::Clock::now();
  reactor_.post([&] {
    EXPECT_GE(reactor_.now(), before);
    EXPECT_LE(reactor_.now(), Reactor::Clock::now());
    reactor_.stop();
  });
  run();
}

}  // namespace
}  // namespace tidemark::pools
