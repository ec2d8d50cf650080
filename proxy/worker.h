// A worker: a thread with a loop, its listening sockets, its sessions and its scratch. Nothing on
// the path of a byte is shared between workers. The main thread speaks to it with Post alone.
#pragma once

#include <uv.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "filters/filter.h"
#include "proxy/log.h"
#include "proxy/scratch.h"
#include "proxy/session.h"
#include "proxy/snapshot.h"
#include "proxy/status.h"
#include "proxy/timers.h"
#include "proxy/tls_engine.h"

namespace postern {

class Worker {
 public:
  // Everything by reference outlives the worker.
  Worker(size_t index, Shared& shared, Log& log, RefusalRing& refusals);
  ~Worker();  // joined before
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Main thread.
  void Start(std::shared_ptr<const Snapshot> snapshot);
  void Post(std::function<void(Worker&)> task);
  void Join();

  // The rest: tasks of Post and sessions, on this thread.
  void SetSnapshot(std::shared_ptr<const Snapshot> snapshot) { snapshot_ = std::move(snapshot); }
  // Accepts from `fd` (listening, non-blocking; stays the caller's) for the listener that has this
  // address.
  void Listen(const std::string& address, int fd);
  // Listens no more; what waits in the queue of this socket is accepted first, or with
  // `leave_queue` left for somebody else who has the socket. `done` is called once it is so.
  void Unlisten(int fd, bool leave_queue, std::function<void()> done);
  // Turns of the clock so far: one that stands still is a loop that hangs. Any thread.
  uint64_t beats() const { return beats_.load(std::memory_order_relaxed); }
  // Goodbyes: at once to idle clients that are not logged in, in the second half to those that are,
  // and at its end to all that are left.
  void Drain(std::chrono::milliseconds time);
  // Ends every session and the loop.
  void Stop();

  uv_loop_t* loop() { return &loop_; }
  uint64_t now() const { return uv_now(&loop_); }
  size_t index() const { return index_; }
  Scratch& scratch() { return scratch_; }
  TlsBio& bio() { return bio_; }
  HandshakeTurns& handshake_turns() { return handshake_turns_; }
  TimerQueues& timers() { return timers_; }
  Actions& actions() { return actions_; }
  Shared& shared() { return shared_; }
  Log& log() { return log_; }
  size_t sessions() const { return sessions_.size(); }

  void Erase(Session& session);
  bool CountConnection(const ListenerRuntime& listener);
  void UncountConnection(const ListenerRuntime& listener);
  void NoteRefusal(std::string_view client, std::string_view listener, std::string_view mechanism,
                   std::string_view why);
  void LogSession(LogLevel level, std::string_view event, uint64_t id,
                  std::initializer_list<LogField> fields);
  static std::string IdText(uint64_t id);

 private:
  struct Acceptor {
    Worker* worker = nullptr;
    std::string address;
    int fd = -1;
    uv_poll_t poll{};
    std::function<void()> closed;
    bool resting = false;
    uint64_t rest_told = 0;  // when the log was told of a rest; 0: never
    size_t burst = 1;        // how many to accept at the next wake-up
    uint64_t woken_at = 0;   // the turn of the loop of the last one
  };

  void Run();
  void RunTasks();
  void Tick();
  void TickDrain();
  void Sweep();
  void OnAcceptable(Acceptor& acceptor);
  bool AcceptFrom(Acceptor& acceptor, size_t most);
  void Rest(Acceptor& acceptor, int error);
  void Begin(const Acceptor& acceptor, int fd, const sockaddr_storage& client);

  size_t index_;
  Shared& shared_;
  Log& log_;
  RefusalRing& refusals_;
  std::shared_ptr<const Snapshot> snapshot_;
  uv_loop_t loop_{};
  uv_async_t wake_{};
  uv_timer_t clock_{};
  uv_prepare_t sweep_{};
  Scratch scratch_;
  TlsBio bio_;
  HandshakeTurns handshake_turns_;
  TimerQueues timers_;
  Actions actions_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> doomed_;
  std::atomic<uint64_t> beats_{0};
  uint64_t turn_ = 0;           // of the loop
  uint64_t tick_due_ = 0;       // ns
  uint64_t drain_started_ = 0;  // ms; 0: none under way
  uint64_t drain_ends_ = 0;     // ms
  bool drain_over_ = false;
  bool stopping_ = false;

  std::mutex mutex_;  // of tasks_
  std::vector<std::function<void(Worker&)>> tasks_;
  std::thread thread_;
};

}  // namespace postern
