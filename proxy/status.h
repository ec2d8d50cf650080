// What /status.json says (docs/status.md), as plain values. The main thread publishes what only it
// knows on a StatusBoard; the counts are added from the metrics when somebody asks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/event.h"
#include "filters/mechanism.h"
#include "proxy/metrics.h"

namespace postern {

using StatusTime = std::chrono::system_clock::time_point;

struct ListenerStatus {
  std::string name, protocol, address, tls, backend;  // as configured
  // From the metrics and the history.
  uint64_t sessions = 0;
  uint64_t connections = 0;
  uint64_t logins = 0;    // accepted
  uint64_t refusals = 0;  // commands blocked, log-ins throttled, connections rejected
  uint64_t bytes_in = 0, bytes_out = 0;  // from and to clients, inside TLS
  double connections_per_second = 0, logins_per_second = 0;
  double bytes_in_per_second = 0, bytes_out_per_second = 0;
  std::vector<uint64_t> sessions_last_hour;  // the most of each minute, the present one last
};

// One cell of the policy table: a mechanism at a listener in the clear or inside TLS.
struct PolicyStatus {
  enum class Action : uint8_t { kPassed, kRewritten, kBlocked, kObserved };

  std::string listener;
  std::string mechanism;  // as the configuration spells it
  Channel channel = Channel::kClear;
  Action action = Action::kBlocked;
  bool shown = false;  // to clients, where the backend has it or Postern speaks it itself
  std::string to;      // kRewritten: the mechanism, or "auto"
  // From the metrics, by AuthResult; "*" has those of all mechanisms that are not in the closed
  // list, and one that is not in it but in the configuration has zeros.
  std::array<uint64_t, 5> counts{};
};

struct BackendStatus {
  std::string backend, server;
  bool up = true;
  std::optional<StatusTime> since;  // of `up`; none: not checked yet
  std::string last_error;           // in a few words of ours; empty: none
  // From the metrics.
  uint64_t sessions = 0;
  uint64_t failures = 0;
  double connect_p50 = 0, connect_p99 = 0;  // seconds
};

struct CertificateStatus {
  std::string file;
  std::vector<std::string> names;
  std::string issuer, key;  // key: "ECDSA P-256"
  StatusTime not_after;
};

struct ThrottledStatus {
  std::string address;  // an IPv6 one as its /64
  uint64_t failures = 0;
  StatusTime until;
};

struct Status {
  std::string version;
  StatusTime started;
  std::string not_ready;  // empty: ready
  bool draining = false;
  std::optional<StatusTime> reload;  // the last one; none since the start
  bool reload_ok = true;
  std::string reload_error;
  std::vector<ListenerStatus> listeners;
  std::vector<PolicyStatus> policy;
  std::vector<BackendStatus> backends;
  std::vector<CertificateStatus> certificates;
  std::vector<ThrottledStatus> throttled;
};

// Something that Postern or a backend refused. No user names.
struct Refusal {
  StatusTime time;
  std::string address;    // the client's, without its port
  std::string listener;   // its name
  std::string mechanism;  // or the name of a command; may be empty
  std::string why;        // a few words of ours
};

// The last kMaxRefusals refusals. Any thread; a worker takes the lock for each refusal alone.
class RefusalRing {
 public:
  static constexpr size_t kMaxRefusals = 50;

  void Add(Refusal refusal);
  std::vector<Refusal> Latest() const;  // newest first

 private:
  mutable std::mutex mutex_;
  std::deque<Refusal> refusals_;
};

// Sessions of the last hour and the rates of the last seconds, listener by listener. Not safe for
// threads: StatusBoard locks.
class History {
 public:
  static constexpr size_t kMinutes = 60;
  static constexpr std::chrono::seconds kRateWindow{10};

  struct Sample {
    uint64_t sessions = 0, connections = 0, logins = 0, bytes_in = 0, bytes_out = 0;
  };
  // Once a second. Listeners that are not in `samples` are forgotten.
  void Add(std::chrono::steady_clock::time_point now, const std::map<std::string, Sample>& samples);
  void Fill(ListenerStatus& status) const;

 private:
  struct Track {
    std::deque<std::pair<std::chrono::steady_clock::time_point, Sample>> recent;
    std::deque<uint64_t> minutes;
  };
  std::map<std::string, Track, std::less<>> tracks_;
  std::optional<std::chrono::steady_clock::time_point> minute_;  // when the present one began
};

class StatusBoard {
 public:
  // The registry outlives the board.
  explicit StatusBoard(const MetricsRegistry& metrics) : metrics_(metrics) {}

  // Main thread: when something changed, or once a second. What comes from the metrics need not be
  // set.
  void Publish(Status status);
  // Main thread, once a second: samples the history.
  void Tick(std::chrono::steady_clock::time_point now);
  RefusalRing& refusals() { return refusals_; }

  // Any thread.
  std::string Json(StatusTime now) const;
  std::string NotReady() const;  // as published

 private:
  const MetricsRegistry& metrics_;
  RefusalRing refusals_;
  mutable std::mutex mutex_;
  Status status_;
  History history_;
};

std::string ToJson(const Status& status, const std::vector<Refusal>& refusals, StatusTime now);

}  // namespace postern
