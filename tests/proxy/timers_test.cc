#include "proxy/timers.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace postern {
namespace {

using namespace std::chrono_literals;

struct Waiting {
  explicit Waiting(std::vector<int>& calls, int name)
      : calls_(calls),
        name_(name),
        timer([](void* self) { static_cast<Waiting*>(self)->Ring(); }, this) {}
  void Ring() { calls_.push_back(name_); }

  std::vector<int>& calls_;
  int name_;
  Timer timer;
};

TEST(Timers, ExpireInTheirOrderAndOnce) {
  TimerQueues queues;
  std::vector<int> calls;
  Waiting a(calls, 1), b(calls, 2), c(calls, 3);
  queues.Arm(a.timer, 1000ms, 0);
  queues.Arm(b.timer, 1000ms, 500);
  queues.Arm(c.timer, 200ms, 100);
  queues.Expire(299);
  EXPECT_TRUE(calls.empty());
  queues.Expire(300);
  EXPECT_EQ(calls, (std::vector<int>{3}));
  queues.Expire(5000);
  EXPECT_EQ(calls, (std::vector<int>{3, 1, 2}));
  EXPECT_FALSE(a.timer.armed());
  queues.Expire(9000);
  EXPECT_EQ(calls.size(), 3u);
}

TEST(Timers, ArmedAgainMovesBack) {
  TimerQueues queues;
  std::vector<int> calls;
  Waiting a(calls, 1);
  queues.Arm(a.timer, 1000ms, 0);
  queues.Arm(a.timer, 1000ms, 900);
  queues.Expire(1000);
  EXPECT_TRUE(calls.empty());
  a.timer.Disarm();
  queues.Expire(5000);
  EXPECT_TRUE(calls.empty());
}

TEST(Timers, WhoeverDiesWaitsNoMoreAndTheQueuesMayDieFirst) {
  std::vector<int> calls;
  auto queues = std::make_unique<TimerQueues>();
  Waiting stays(calls, 1);
  {
    Waiting dies(calls, 2);
    queues->Arm(dies.timer, 10ms, 0);
  }
  queues->Arm(stays.timer, 10ms, 0);
  queues->Expire(10);
  EXPECT_EQ(calls, (std::vector<int>{1}));
  queues->Arm(stays.timer, 10ms, 10);
  queues.reset();
  EXPECT_FALSE(stays.timer.armed());
}

}  // namespace
}  // namespace postern
