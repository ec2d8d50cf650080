// One thread of the server: epoll over its own listening sockets and the connections that came in
// through them. Several loops listen on the same ports (SO_REUSEPORT) and share only the store.
#pragma once

#include <atomic>
#include <memory>
#include <queue>
#include <unordered_set>
#include <vector>

#include "bench/legacy_server/connection.h"
#include "bench/legacy_server/journal.h"
#include "bench/legacy_server/options.h"
#include "bench/legacy_server/store.h"

namespace postern::legacy {

// What all loops share.
struct Shared {
  const Options& options;
  Store& store;
  Journal* journal;  // may be null
  std::atomic<uint64_t> next_number = 1;
};

class Loop {
 public:
  explicit Loop(Shared& shared);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Binds and listens. Puts the port that the kernel chose into `endpoint`. False with errno where
  // that fails.
  bool Listen(Endpoint& endpoint);

  [[noreturn]] void Run();

 private:
  static constexpr int kBacklog = 4096;
  static constexpr int kAcceptsPerTurn = 64;
  static constexpr int kEventsPerTurn = 256;
  // How often clients in IDLE are told of news, and listeners looked at again that ran out of
  // descriptors.
  static constexpr std::chrono::milliseconds kTick{50};

  struct Listener {
    int fd;
    Protocol protocol;
  };
  struct Due {
    Clock::time_point when;
    int fd;
    uint64_t number;
    bool operator>(const Due& other) const { return when > other.when; }
  };
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint64_t number = 0;  // tells a descriptor's users apart
  };

  void Accept(const Listener& listener);
  void OnEvent(int fd, uint32_t events);
  void Settle(int fd, bool alive);
  void RunTimers();
  void Tick();
  int MillisecondsToWait() const;

  Shared& shared_;
  const int epoll_;
  ReadBuffer buffer_;
  std::vector<Listener> listeners_;
  std::vector<Slot> slots_;  // by descriptor
  std::unordered_set<int> idlers_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  Clock::time_point next_tick_ = Clock::now();
  bool starved_ = false;  // no descriptor was left for a connection
};

}  // namespace postern::legacy
