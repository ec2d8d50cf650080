// Metrics: plain counters per worker, added up when scraped (docs/metrics.md). A counter is written
// by one worker alone and read by the scraping thread: relaxed atomics, no read-modify-write, no
// lock on any path of bytes.
//
// The registry owns every block; blocks live as long as it does and are kept by name, so a listener
// that goes and comes back with a reload counts on where it stood.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filters/event.h"
#include "filters/mechanism.h"

namespace postern {

class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n = 1) {  // gauges
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Bucket bounds in seconds, closed lists.
inline constexpr std::array kLatencyBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                              0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
inline constexpr std::array kDurationBounds = {0.1,  1.0,   5.0,   15.0,   60.0,   300.0,
                                               900., 3600., 7200., 14400., 28800., 86400.};

template <const auto& kBounds>
class HistogramCells {
 public:
  void Observe(double seconds);
  static constexpr size_t kBuckets = kBounds.size() + 1;  // the last is +Inf
  std::array<Counter, kBuckets> counts;                   // not cumulative
  std::atomic<double> sum{0};
};
using LatencyHistogram = HistogramCells<kLatencyBounds>;
using DurationHistogram = HistogramCells<kDurationBounds>;

enum class RejectReason : uint8_t { kLimit, kIpLimit, kThrottled, kProxyProtocol, kCount };
enum class TlsVersion : uint8_t { kTls10, kTls11, kTls12, kTls13, kCount };
enum class TlsFailure : uint8_t {
  kTimeout,
  kNoShared,
  kNoAlpn,
  kBadRecord,
  kClientAlert,
  kCertificate,
  kEof,
  kOther,
  kCount
};

template <typename Enum>
inline constexpr size_t kCountOf = static_cast<size_t>(Enum::kCount);

// One listener's counters in one worker.
struct ListenerCounters {
  Counter connections;
  std::array<Counter, kCountOf<RejectReason>> rejected;
  Counter sessions_active;  // gauge
  DurationHistogram session_duration;
  std::array<std::array<Counter, 2>, kCountOf<TlsVersion>> handshakes;  // [version][resumed]
  std::array<Counter, kCountOf<TlsFailure>> handshake_failures;
  LatencyHistogram handshake_seconds;
  Counter injections;
  std::array<std::array<std::array<Counter, 5>, 2>, kMechanismCount>
      auth;  // [mechanism][Channel][AuthResult]
  std::array<std::array<Counter, kMechanismCount>, kMechanismCount> rewrites;  // [from][to]
  std::array<Counter, 7> blocked;                                              // [BlockReason]
  std::array<Counter, 6> protocol_errors;                                      // [ProtocolFault]
  Counter client_in, client_out, server_in, server_out;  // bytes inside TLS, from and to each side
};

// One server's counters in one worker (or in the main thread's own block, for health checks).
struct ServerCounters {
  Counter connections_active;  // gauge
  LatencyHistogram connect_seconds;
  std::array<Counter, 6> failures;  // [BackendFaultReason]
};

struct WorkerCounters {
  LatencyHistogram loop_lag;
};

struct CertificateExpiry {
  std::string certificate;  // label: the chain file's path as configured
  double not_after = 0;     // Unix time
};

class MetricsRegistry {
 public:
  explicit MetricsRegistry(size_t workers);
  ~MetricsRegistry();

  // Any thread; takes a lock; called when a snapshot is put in place, never on a path of bytes.
  // `worker` == workers() is the main thread's own block.
  ListenerCounters& Listener(std::string_view name, size_t worker);
  ServerCounters& Server(std::string_view backend, std::string_view server, size_t worker);
  WorkerCounters& Worker(size_t worker);
  size_t workers() const { return workers_; }

  // What is shown at present: gauges of names that are not in the lists are left out once they are
  // 0. Main thread.
  void SetListeners(std::vector<std::string> names);
  struct ServerName {
    std::string backend, server;
  };
  void SetServers(std::vector<ServerName> names);
  void SetServerUp(std::string_view backend, std::string_view server, bool up);
  void SetCertificates(std::vector<CertificateExpiry> certificates);
  void CountReload(bool ok, std::chrono::system_clock::time_point when);

  // Text format 0.0.4 of everything in the contract's section 7. Any thread.
  std::string Scrape() const;

 private:
  struct State;
  size_t workers_;
  std::unique_ptr<State> state_;
};

}  // namespace postern
