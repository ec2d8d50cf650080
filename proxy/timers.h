// Timeouts of one worker: one coarse clock, and a queue for each length of wait. All entries of a
// queue wait equally long, so its front is always the next to expire; arming and disarming cost a
// few pointers, and no system call.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

namespace postern {

// A place in a queue; part of whoever waits. Disarms itself when it dies.
class Timer {
 public:
  // What happens at the end: set once by the owner.
  using Callback = void (*)(void* owner);
  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { Disarm(); }

  bool armed() const { return previous_ != nullptr; }
  void Disarm();

 private:
  friend class TimerQueues;
  friend class TimerQueue;
  Timer() : callback_(nullptr), owner_(nullptr) {}

  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  uint64_t deadline_ = 0;  // ms
  Callback callback_;
  void* owner_;
};

class TimerQueue {
 public:
  TimerQueue() { head_.previous_ = head_.next_ = &head_; }
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

 private:
  friend class TimerQueues;
  Timer head_;  // of a ring
};

class TimerQueues {
 public:
  // `timer` expires `wait` after `now` (both in ms of the loop's clock); an armed one is moved.
  void Arm(Timer& timer, std::chrono::milliseconds wait, uint64_t now);
  // Calls back whatever has expired. A callback may arm and disarm any timer.
  void Expire(uint64_t now);

 private:
  std::map<int64_t, TimerQueue> queues_;  // by the length of the wait; configured lengths are few
};

}  // namespace postern
