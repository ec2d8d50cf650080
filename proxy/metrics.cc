#include "proxy/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <utility>

#include "proxy/process_metrics.h"

namespace postern {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kRejectReasons = {"limit", "ip_limit", "throttled", "proxy_protocol"};
constexpr std::array kTlsVersions = {"1.0", "1.1", "1.2", "1.3"};
constexpr std::array kTlsFailures = {"timeout",      "no_shared",   "no_alpn", "bad_record",
                                     "client_alert", "certificate", "eof",     "other"};
static_assert(kRejectReasons.size() == kCountOf<RejectReason>);
static_assert(kTlsVersions.size() == kCountOf<TlsVersion>);
static_assert(kTlsFailures.size() == kCountOf<TlsFailure>);

// The word of the `index`th value of a closed list.
template <typename Enum>
std::string Word(size_t index) {
  return std::string(ToString(static_cast<Enum>(index)));
}

template <size_t kSize>
void AddAll(const std::array<Counter, kSize>& from, std::array<Counter, kSize>& to) {
  for (size_t i = 0; i < kSize; ++i) to[i].Add(from[i].value());
}

MetricFamily Family(const char* name, const char* help, MetricType type) {
  return {std::string("postern_") + name, help, type, {}};
}

void AddCounter(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  metric.counter.value = value;
}

void AddCounter(MetricFamily& family, Labels labels, const Counter& counter) {
  AddCounter(family, std::move(labels), static_cast<double>(counter.value()));
}

void AddGauge(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  metric.gauge.value = value;
}

template <const auto& kBounds>
void AddHistogram(MetricFamily& family, Labels labels, const HistogramCells<kBounds>& cells) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  // The count is the sum of the buckets as they were read here, so that the two always agree.
  uint64_t count = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    count += cells.counts[i].value();
    metric.histogram.bucket.push_back({count, kBounds[i]});
  }
  metric.histogram.sample_count = count + cells.counts[kBounds.size()].value();
  metric.histogram.sample_sum = cells.sum.load(std::memory_order_relaxed);
}

// All families that have a listener in their labels, filled listener by listener. Small closed
// lists are shown whole, so that a rate over them sees the first event; of the matrices of
// mechanisms only what has happened, which keeps a scrape small.
class ListenerFamilies {
 public:
  void Add(const std::string& name, const ListenerCounters& total) {
    const ClientMetric::Label listener{"listener", name};
    AddCounter(connections_, {listener}, total.connections);
    for (size_t i = 0; i < total.rejected.size(); ++i) {
      AddCounter(rejected_, {listener, {"reason", Word<RejectReason>(i)}}, total.rejected[i]);
    }
    AddGauge(sessions_, {listener}, static_cast<double>(total.sessions_active.value()));
    AddHistogram(duration_, {listener}, total.session_duration);
    AddTls(listener, total);
    AddAuth(listener, total);
    for (size_t i = 0; i < total.blocked.size(); ++i) {
      AddCounter(blocked_, {listener, {"reason", Word<BlockReason>(i)}}, total.blocked[i]);
    }
    for (size_t i = 0; i < total.protocol_errors.size(); ++i) {
      AddCounter(errors_, {listener, {"reason", Word<ProtocolFault>(i)}}, total.protocol_errors[i]);
    }
    AddBytes(listener, "client", "in", total.client_in);
    AddBytes(listener, "client", "out", total.client_out);
    AddBytes(listener, "backend", "in", total.server_in);
    AddBytes(listener, "backend", "out", total.server_out);
  }

  void MoveTo(std::vector<MetricFamily>& out) {
    for (MetricFamily* family :
         {&connections_, &rejected_, &sessions_, &duration_, &handshakes_, &handshake_failures_,
          &handshake_seconds_, &injections_, &auth_, &rewrites_, &blocked_, &errors_, &bytes_}) {
      out.push_back(std::move(*family));
    }
  }

 private:
  void AddTls(const ClientMetric::Label& listener, const ListenerCounters& total) {
    for (size_t version = 0; version < total.handshakes.size(); ++version) {
      for (size_t resumed = 0; resumed < 2; ++resumed) {
        AddCounter(handshakes_,
                   {listener,
                    {"version", Word<TlsVersion>(version)},
                    {"resumed", resumed == 1 ? "yes" : "no"}},
                   total.handshakes[version][resumed]);
      }
    }
    for (size_t i = 0; i < total.handshake_failures.size(); ++i) {
      AddCounter(handshake_failures_, {listener, {"reason", Word<TlsFailure>(i)}},
                 total.handshake_failures[i]);
    }
    AddHistogram(handshake_seconds_, {listener}, total.handshake_seconds);
    AddCounter(injections_, {listener}, total.injections);
  }

  void AddAuth(const ClientMetric::Label& listener, const ListenerCounters& total) {
    for (size_t mechanism = 0; mechanism < kMechanismCount; ++mechanism) {
      for (size_t channel = 0; channel < 2; ++channel) {
        for (size_t result = 0; result < total.auth[mechanism][channel].size(); ++result) {
          const Counter& counter = total.auth[mechanism][channel][result];
          if (counter.value() == 0) continue;
          AddCounter(auth_,
                     {listener,
                      {"mechanism", Word<Mechanism>(mechanism)},
                      {"channel", Word<Channel>(channel)},
                      {"result", Word<AuthResult>(result)}},
                     counter);
        }
      }
    }
    for (size_t from = 0; from < kMechanismCount; ++from) {
      for (size_t to = 0; to < kMechanismCount; ++to) {
        if (total.rewrites[from][to].value() == 0) continue;
        AddCounter(rewrites_,
                   {listener, {"from", Word<Mechanism>(from)}, {"to", Word<Mechanism>(to)}},
                   total.rewrites[from][to]);
      }
    }
  }

  void AddBytes(const ClientMetric::Label& listener, const char* side, const char* direction,
                const Counter& counter) {
    AddCounter(bytes_, {listener, {"side", side}, {"direction", direction}}, counter);
  }

  MetricFamily connections_ =
      Family("connections_total", "Client connections accepted.", MetricType::Counter);
  MetricFamily rejected_ =
      Family("connections_rejected_total",
             "Client connections closed before they were served, by reason.", MetricType::Counter);
  MetricFamily sessions_ = Family("sessions_active", "Sessions open now.", MetricType::Gauge);
  MetricFamily duration_ =
      Family("session_duration_seconds", "How long sessions lasted.", MetricType::Histogram);
  MetricFamily handshakes_ =
      Family("tls_handshakes_total", "TLS handshakes with clients completed.", MetricType::Counter);
  MetricFamily handshake_failures_ =
      Family("tls_handshake_failures_total", "TLS handshakes with clients that failed, by reason.",
             MetricType::Counter);
  MetricFamily handshake_seconds_ =
      Family("tls_handshake_seconds", "How long completed TLS handshakes with clients took.",
             MetricType::Histogram);
  MetricFamily injections_ = Family(
      "starttls_injections_total",
      "Sessions ended because bytes came behind STARTTLS in the clear.", MetricType::Counter);
  MetricFamily auth_ = Family(
      "auth_total", "Log-ins by mechanism, how their bytes came, and result.", MetricType::Counter);
  MetricFamily rewrites_ =
      Family("auth_rewrites_total", "Log-ins spoken to the backend in another mechanism.",
             MetricType::Counter);
  MetricFamily blocked_ =
      Family("commands_blocked_total", "Commands answered by Postern and not passed on, by reason.",
             MetricType::Counter);
  MetricFamily errors_ = Family("protocol_errors_total", "Breaches of the mail protocol, by kind.",
                                MetricType::Counter);
  MetricFamily bytes_ =
      Family("bytes_total", "Bytes carried inside TLS, from (in) and to (out) each side.",
             MetricType::Counter);
};

}  // namespace

std::string_view ToString(RejectReason reason) {
  return kRejectReasons[static_cast<size_t>(reason)];
}
std::string_view ToString(TlsVersion version) { return kTlsVersions[static_cast<size_t>(version)]; }
std::string_view ToString(TlsFailure reason) { return kTlsFailures[static_cast<size_t>(reason)]; }

template <const auto& kBounds>
double HistogramCells<kBounds>::Quantile(double q) const {
  uint64_t count = 0;
  for (const Counter& cell : counts) count += cell.value();
  if (count == 0) return 0;
  double rank = q * static_cast<double>(count);
  double below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    auto here = static_cast<double>(counts[i].value());
    if (here > 0 && below + here >= rank) {
      double low = i == 0 ? 0 : kBounds[i - 1];
      return low + (kBounds[i] - low) * (rank - below) / here;
    }
    below += here;
  }
  return kBounds.back();
}
template class HistogramCells<kLatencyBounds>;
template class HistogramCells<kDurationBounds>;

void ListenerCounters::AddTo(ListenerCounters& total) const {
  total.connections.Add(connections.value());
  AddAll(rejected, total.rejected);
  total.sessions_active.Add(sessions_active.value());
  session_duration.AddTo(total.session_duration);
  for (size_t i = 0; i < handshakes.size(); ++i) AddAll(handshakes[i], total.handshakes[i]);
  AddAll(handshake_failures, total.handshake_failures);
  handshake_seconds.AddTo(total.handshake_seconds);
  total.injections.Add(injections.value());
  for (size_t i = 0; i < kMechanismCount; ++i) {
    for (size_t channel = 0; channel < 2; ++channel) {
      AddAll(auth[i][channel], total.auth[i][channel]);
    }
    AddAll(rewrites[i], total.rewrites[i]);
  }
  AddAll(blocked, total.blocked);
  AddAll(protocol_errors, total.protocol_errors);
  total.client_in.Add(client_in.value());
  total.client_out.Add(client_out.value());
  total.server_in.Add(server_in.value());
  total.server_out.Add(server_out.value());
}

void ServerCounters::AddTo(ServerCounters& total) const {
  total.connections_active.Add(connections_active.value());
  connect_seconds.AddTo(total.connect_seconds);
  AddAll(failures, total.failures);
}

// Blocks are reached through pointers, so that they stay where they are while the maps grow. The
// lock is for the maps and the lists; the counters behind it need none.
struct MetricsRegistry::State : public prometheus::Collectable {
  template <typename Block>
  using Blocks = std::vector<std::unique_ptr<Block>>;  // by worker; null: never asked for

  mutable std::mutex mutex;
  BuildInfo build;
  std::map<std::string, Blocks<ListenerCounters>, std::less<>> listeners;
  std::map<ServerName, Blocks<ServerCounters>> servers;
  Blocks<WorkerCounters> workers;
  std::set<std::string> shown_listeners;
  std::set<ServerName> shown_servers;
  std::set<ServerName> servers_down;
  std::vector<CertificateExpiry> certificates;
  uint64_t reloads_ok = 0;
  uint64_t reloads_failed = 0;
  std::chrono::system_clock::time_point last_reload;
  mutable ProcessMetrics process;

  std::vector<MetricFamily> Collect() const override;
  void CollectBuild(std::vector<MetricFamily>& out) const;
  void CollectListeners(std::vector<MetricFamily>& out) const;
  void CollectServers(std::vector<MetricFamily>& out) const;
  void CollectRest(std::vector<MetricFamily>& out) const;
};

std::vector<MetricFamily> MetricsRegistry::State::Collect() const {
  std::lock_guard lock(mutex);
  std::vector<MetricFamily> out;
  CollectBuild(out);
  CollectListeners(out);
  CollectServers(out);
  CollectRest(out);
  process.Append(out);
  return out;
}

void MetricsRegistry::State::CollectBuild(std::vector<MetricFamily>& out) const {
  MetricFamily info = Family("build_info", "Versions of the program and its libraries; always 1.",
                             MetricType::Gauge);
  AddGauge(info,
           {{"version", build.version}, {"boringssl", build.boringssl}, {"libuv", build.libuv}}, 1);
  out.push_back(std::move(info));
}

void MetricsRegistry::State::CollectListeners(std::vector<MetricFamily>& out) const {
  ListenerFamilies families;
  for (const auto& [name, blocks] : listeners) {
    ListenerCounters total;
    for (const auto& block : blocks) {
      if (block) block->AddTo(total);
    }
    if (shown_listeners.contains(name) || total.sessions_active.value() != 0) {
      families.Add(name, total);
    }
  }
  families.MoveTo(out);
}

void MetricsRegistry::State::CollectServers(std::vector<MetricFamily>& out) const {
  MetricFamily up =
      Family("backend_up", "Whether a server of a backend takes sessions.", MetricType::Gauge);
  MetricFamily active = Family("backend_connections_active",
                               "Connections of sessions to a server open now.", MetricType::Gauge);
  MetricFamily connect =
      Family("backend_connect_seconds", "How long it took to connect to a backend's servers.",
             MetricType::Histogram);
  MetricFamily failures =
      Family("backend_failures_total", "Failures of a server in sessions, by reason.",
             MetricType::Counter);
  std::map<std::string, LatencyHistogram> connect_by_backend;
  for (const auto& [name, blocks] : servers) {
    ServerCounters total;
    for (const auto& block : blocks) {
      if (block) block->AddTo(total);
    }
    bool shown = shown_servers.contains(name);
    if (!shown && total.connections_active.value() == 0) continue;
    const Labels labels = {{"backend", name.backend}, {"server", name.server}};
    if (shown) AddGauge(up, labels, servers_down.contains(name) ? 0 : 1);
    AddGauge(active, labels, static_cast<double>(total.connections_active.value()));
    total.connect_seconds.AddTo(connect_by_backend[name.backend]);
    for (size_t i = 0; i < total.failures.size(); ++i) {
      Labels with_reason = labels;
      with_reason.push_back({"reason", Word<BackendFaultReason>(i)});
      AddCounter(failures, std::move(with_reason), total.failures[i]);
    }
  }
  for (const auto& [backend, cells] : connect_by_backend) {
    AddHistogram(connect, {{"backend", backend}}, cells);
  }
  for (MetricFamily* family : {&up, &active, &connect, &failures}) {
    out.push_back(std::move(*family));
  }
}

void MetricsRegistry::State::CollectRest(std::vector<MetricFamily>& out) const {
  MetricFamily expiry = Family("tls_certificate_expiry_timestamp_seconds",
                               "When a certificate expires, as Unix time.", MetricType::Gauge);
  for (const CertificateExpiry& certificate : certificates) {
    AddGauge(expiry, {{"certificate", certificate.certificate}}, certificate.not_after);
  }
  MetricFamily reloads =
      Family("config_reloads_total",
             "Times the configuration or a file that it names was read again, by result.",
             MetricType::Counter);
  AddCounter(reloads, {{"result", "ok"}}, static_cast<double>(reloads_ok));
  AddCounter(reloads, {{"result", "error"}}, static_cast<double>(reloads_failed));
  MetricFamily last =
      Family("config_last_reload_timestamp_seconds",
             "When the configuration or a file that it names was last read, as Unix time.",
             MetricType::Gauge);
  AddGauge(last, {}, std::chrono::duration<double>(last_reload.time_since_epoch()).count());
  MetricFamily lag =
      Family("event_loop_lag_seconds", "How late a worker's timer fired.", MetricType::Histogram);
  for (size_t i = 0; i < workers.size(); ++i) {
    AddHistogram(lag, {{"worker", std::to_string(i)}}, workers[i]->loop_lag);
  }
  for (MetricFamily* family : {&expiry, &reloads, &last, &lag}) out.push_back(std::move(*family));
}

MetricsRegistry::MetricsRegistry(size_t workers, BuildInfo build)
    : workers_(workers), state_(std::make_unique<State>()) {
  state_->last_reload = build.started;
  state_->build = std::move(build);
  for (size_t i = 0; i < workers; ++i) {
    state_->workers.push_back(std::make_unique<WorkerCounters>());
  }
}

MetricsRegistry::~MetricsRegistry() = default;

ListenerCounters& MetricsRegistry::Listener(std::string_view name, size_t worker) {
  std::lock_guard lock(state_->mutex);
  auto& blocks = state_->listeners[std::string(name)];
  blocks.resize(workers_ + 1);
  if (!blocks[worker]) blocks[worker] = std::make_unique<ListenerCounters>();
  return *blocks[worker];
}

ServerCounters& MetricsRegistry::Server(std::string_view backend, std::string_view server,
                                        size_t worker) {
  std::lock_guard lock(state_->mutex);
  auto& blocks = state_->servers[{std::string(backend), std::string(server)}];
  blocks.resize(workers_ + 1);
  if (!blocks[worker]) blocks[worker] = std::make_unique<ServerCounters>();
  return *blocks[worker];
}

WorkerCounters& MetricsRegistry::Worker(size_t worker) { return *state_->workers[worker]; }

void MetricsRegistry::SetListeners(std::vector<std::string> names) {
  std::lock_guard lock(state_->mutex);
  for (const std::string& name : names) state_->listeners[name];
  state_->shown_listeners = {names.begin(), names.end()};
}

void MetricsRegistry::SetServers(std::vector<ServerName> names) {
  std::lock_guard lock(state_->mutex);
  for (const ServerName& name : names) state_->servers[name];
  state_->shown_servers = {names.begin(), names.end()};
  // A server that left and comes back later starts as up again.
  std::erase_if(state_->servers_down,
                [&](const ServerName& name) { return !state_->shown_servers.contains(name); });
}

void MetricsRegistry::SetServerUp(std::string_view backend, std::string_view server, bool up) {
  std::lock_guard lock(state_->mutex);
  ServerName name{std::string(backend), std::string(server)};
  if (up) {
    state_->servers_down.erase(name);
  } else {
    state_->servers_down.insert(std::move(name));
  }
}

void MetricsRegistry::SetCertificates(std::vector<CertificateExpiry> certificates) {
  // Listeners may share a chain file; a label is shown once.
  auto before = [](const CertificateExpiry& a, const CertificateExpiry& b) {
    return a.certificate < b.certificate;
  };
  std::stable_sort(certificates.begin(), certificates.end(), before);
  auto same = [](const CertificateExpiry& a, const CertificateExpiry& b) {
    return a.certificate == b.certificate;
  };
  certificates.erase(std::unique(certificates.begin(), certificates.end(), same),
                     certificates.end());
  std::lock_guard lock(state_->mutex);
  state_->certificates = std::move(certificates);
}

void MetricsRegistry::CountReload(bool ok, std::chrono::system_clock::time_point when) {
  std::lock_guard lock(state_->mutex);
  ++(ok ? state_->reloads_ok : state_->reloads_failed);
  state_->last_reload = when;
}

void MetricsRegistry::AddUp(std::string_view listener, ListenerCounters& total) const {
  std::lock_guard lock(state_->mutex);
  auto found = state_->listeners.find(listener);
  if (found == state_->listeners.end()) return;
  for (const auto& block : found->second) {
    if (block) block->AddTo(total);
  }
}

void MetricsRegistry::AddUp(std::string_view backend, std::string_view server,
                            ServerCounters& total) const {
  std::lock_guard lock(state_->mutex);
  auto found = state_->servers.find({std::string(backend), std::string(server)});
  if (found == state_->servers.end()) return;
  for (const auto& block : found->second) {
    if (block) block->AddTo(total);
  }
}

std::string MetricsRegistry::Scrape() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, state_->Collect());
  return text.str();
}

}  // namespace postern
