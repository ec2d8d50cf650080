// Metrics: plain counters per worker, added up when scraped (docs/metrics.md). A counter is written
// by one worker alone and read by the scraping thread: relaxed atomics, no read-modify-write, no
// lock on any path of bytes.
//
// The registry owns every block; blocks live as long as it does and are kept by name, so a listener
// that goes and comes back with a reload counts on where it stood. Names come from the
// configuration alone, so their number is the postmaster's.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <compare>
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
  static constexpr size_t kBuckets = kBounds.size() + 1;  // the last is +Inf

  void Observe(double seconds) {
    size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
    counts[bucket].Add();
    AddSum(seconds);
  }
  void AddTo(HistogramCells& total) const {
    for (size_t i = 0; i < kBuckets; ++i) total.counts[i].Add(counts[i].value());
    total.AddSum(sum.load(std::memory_order_relaxed));
  }
  // The value below which the share `q` (0 to 1) of all observations lies, taken to be spread
  // evenly within a bucket; 0 where there are none, the highest bound where it is beyond.
  double Quantile(double q) const;

  std::array<Counter, kBuckets> counts;  // not cumulative
  std::atomic<double> sum{0};

 private:
  void AddSum(double seconds) {
    sum.store(sum.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
  }
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

// The words of the labels, in the log too. A version is spelled as in the configuration: "1.3".
std::string_view ToString(RejectReason reason);
std::string_view ToString(TlsVersion version);
std::string_view ToString(TlsFailure reason);

// Blocks of different workers never share a cache line.
inline constexpr size_t kCacheLine = 64;

// One listener's counters in one worker.
struct alignas(kCacheLine) ListenerCounters {
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

  void AddTo(ListenerCounters& total) const;
};

// One server's counters in one worker (or in the main thread's own block, for health checks).
struct alignas(kCacheLine) ServerCounters {
  Counter connections_active;  // gauge
  LatencyHistogram connect_seconds;
  std::array<Counter, 6> failures;  // [BackendFaultReason]

  void AddTo(ServerCounters& total) const;
};

struct alignas(kCacheLine) WorkerCounters {
  LatencyHistogram loop_lag;
};

struct CertificateExpiry {
  std::string certificate;  // label: the chain file's path as configured
  double not_after = 0;     // Unix time
};

// What build_info says, and when the configuration was first read.
struct BuildInfo {
  std::string version, boringssl, libuv;
  std::chrono::system_clock::time_point started = std::chrono::system_clock::now();
};

class MetricsRegistry {
 public:
  explicit MetricsRegistry(size_t workers, BuildInfo build = {});
  ~MetricsRegistry();

  // Any thread; takes a lock; called when a snapshot is put in place, never on a path of bytes.
  // `worker` == workers() is the main thread's own block.
  ListenerCounters& Listener(std::string_view name, size_t worker);
  ServerCounters& Server(std::string_view backend, std::string_view server, size_t worker);
  WorkerCounters& Worker(size_t worker);
  size_t workers() const { return workers_; }

  // What is shown at present: a name that is not in the list is left out once nothing of it is
  // active any more. Nothing is shown before the first call. Main thread.
  void SetListeners(std::vector<std::string> names);
  struct ServerName {
    std::string backend, server;
    auto operator<=>(const ServerName&) const = default;
  };
  void SetServers(std::vector<ServerName> names);
  // A server of which nothing was said counts as up.
  void SetServerUp(std::string_view backend, std::string_view server, bool up);
  void SetCertificates(std::vector<CertificateExpiry> certificates);
  void CountReload(bool ok, std::chrono::system_clock::time_point when);

  // Adds up all workers; `total` starts as the caller hands it over. Any thread.
  void AddUp(std::string_view listener, ListenerCounters& total) const;
  void AddUp(std::string_view backend, std::string_view server, ServerCounters& total) const;

  // Text format 0.0.4 of everything in the contract's section 7. Any thread.
  std::string Scrape() const;

 private:
  struct State;
  size_t workers_;
  std::unique_ptr<State> state_;
};

}  // namespace postern
