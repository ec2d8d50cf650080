#include "proxy/timers.h"

namespace postern {

void Timer::Disarm() {
  if (previous_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

TimerQueue::~TimerQueue() {
  while (head_.next_ != &head_) head_.next_->Disarm();
  head_.previous_ = nullptr;  // the head is no member of its ring any more
}

void TimerQueues::Arm(Timer& timer, std::chrono::milliseconds wait, uint64_t now) {
  timer.Disarm();
  Timer& head = queues_[wait.count()].head_;
  timer.deadline_ = now + static_cast<uint64_t>(wait.count());
  timer.previous_ = head.previous_;
  timer.next_ = &head;
  head.previous_->next_ = &timer;
  head.previous_ = &timer;
}

void TimerQueues::Expire(uint64_t now) {
  for (auto& [wait, queue] : queues_) {
    while (queue.head_.next_ != &queue.head_ && queue.head_.next_->deadline_ <= now) {
      Timer& timer = *queue.head_.next_;
      timer.Disarm();
      timer.callback_(timer.owner_);
    }
  }
}

}  // namespace postern
