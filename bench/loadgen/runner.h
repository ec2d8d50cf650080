// Runs one measurement: keeps the connections going, counts, and takes the accounts of the proxy at
// its beginning and its end. One thread, one epoll.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "bench/loadgen/client.h"
#include "bench/loadgen/histogram.h"
#include "bench/loadgen/options.h"
#include "bench/loadgen/usage.h"

namespace postern::loadgen {

struct Result {
  double seconds = 0;
  uint64_t operations = 0;  // handshakes, sessions, messages, round trips
  uint64_t handshakes = 0;  // mixed: besides
  uint64_t resumed = 0;
  uint64_t bytes = 0;  // bulk: of messages, both directions of the plaintext
  size_t open = 0;     // warm modes: connections that stood
  std::array<uint64_t, static_cast<size_t>(Failure::kCount)> failures = {};
  Histogram latency;            // of operations
  Histogram handshake_latency;  // mixed
  Usage proxy_before;           // idle: before the first connection; else at the beginning
  Usage proxy_after;
  double backend_cpu = 0;
  double own_cpu = 0;
};

class Runner {
 public:
  explicit Runner(const Options& options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // False where the target's address cannot be used; else what was seen goes to `result`.
  bool Run(Result& result);

 private:
  static constexpr uint32_t kSources = 8;         // loopback addresses to come from
  static constexpr size_t kOpening = 64;          // warm modes: log-ins at a time
  static constexpr uint64_t kHopeless = 1000;     // failures without one success
  static constexpr double kOpeningSeconds = 120;  // warm modes: until all stand

  bool Resolve();
  void RunCold();
  void RunWarm();
  bool OpenAll();
  void StartActive();
  void StartNext();
  void BeginMeasuring();
  void EndMeasuring();
  void Turn(double seconds);
  void OnClient(Client& client, uint32_t events);
  void OnEvent(Client& client, Client::Event event);
  void OnOpened(Client& client);
  void OnLooped(Client& client);
  void OnFailed(Client& client);
  void Open(Client& client, const Script& script);
  void KeepRate();
  bool Measuring() const { return measuring_; }
  bool Full() const { return options_.count > 0 && result_->operations >= options_.count; }
  bool Hopeless() const;
  static double Since(Clock::time_point time);

  const Options& options_;
  const TlsContext tls_;
  const Script script_;
  const Script handshake_script_;
  Target target_ = {};
  ReadBuffers buffers_;
  int epoll_;
  Result* result_ = nullptr;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> extras_;  // mixed: those that shake hands
  std::vector<Client*> free_extras_;
  std::deque<Client*> ready_;  // warm: logged in, nothing under way
  uint32_t next_source_ = 0;
  bool measuring_ = false;
  bool opening_ = false;  // warm: not all stand yet
  bool stopping_ = false;
  Clock::time_point measured_from_;
  uint64_t extras_started_ = 0;
  Clock::time_point extras_from_;
  double backend_before_ = 0;
  double own_before_ = 0;
};

}  // namespace postern::loadgen
