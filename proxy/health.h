// Health checks and name resolution of all servers, on the main thread's loop. A check speaks the
// protocol to its end: greeting, STARTTLS where the backend is so configured, capabilities,
// goodbye.
#pragma once

#include <uv.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "filters/probe.h"
#include "proxy/log.h"
#include "proxy/scratch.h"
#include "proxy/snapshot.h"
#include "proxy/stream.h"
#include "proxy/timers.h"
#include "proxy/tls_engine.h"

namespace postern {

class HealthChecker {
 public:
  // `changed` is called when a server has gone up or down, or was checked for the first time.
  HealthChecker(uv_loop_t* loop, Shared& shared, Log& log, std::function<void()> changed);
  ~HealthChecker();

  // Checks the servers of these backends from now on; known ones go on as they were.
  void Watch(const std::vector<std::shared_ptr<Backend>>& backends, const std::string& hostname);
  // Once every 100 ms.
  void Tick();
  void Stop();
  // A look-up is with the system's resolver, which cannot be told to stop.
  bool looking_up() const { return lookups_ > 0; }

 private:
  class Check;
  struct Watched {
    std::shared_ptr<Backend> backend;
    size_t server = 0;
    uint64_t next_check = 0;   // ms
    uint64_t next_lookup = 0;  // ms
    bool checking = false;
    bool looking_up = false;
  };

  void Begin(Watched& watched);
  void End(Watched* watched, bool good, std::string_view error, std::vector<std::string> shown);
  void LookUp(Watched& watched);
  Watched* Find(const Backend* backend, size_t server);

  uv_loop_t* loop_;
  Shared& shared_;
  Log& log_;
  std::function<void()> changed_;
  std::string hostname_;
  Scratch scratch_;
  TlsBio bio_;
  TimerQueues timers_;
  std::list<Watched> watched_;
  std::list<std::unique_ptr<Check>> checks_;
  size_t lookups_ = 0;
  bool stopping_ = false;
};

}  // namespace postern
