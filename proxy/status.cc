#include "proxy/status.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/log_format.h"

namespace postern {
namespace {

using nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr std::array kActions = {"passed", "rewritten", "blocked", "observed"};
constexpr size_t kResults = std::tuple_size_v<decltype(PolicyStatus::counts)>;

uint64_t Sum(const auto& counters) {
  uint64_t sum = 0;
  for (const Counter& counter : counters) sum += counter.value();
  return sum;
}

uint64_t Logins(const ListenerCounters& total) {
  uint64_t sum = 0;
  for (const auto& mechanism : total.auth) {
    for (const auto& channel : mechanism) {
      sum += channel[static_cast<size_t>(AuthResult::kAccepted)].value();
    }
  }
  return sum;
}

void FillCounts(ListenerStatus& status, const ListenerCounters& total) {
  status.sessions = total.sessions_active.value();
  status.connections = total.connections.value();
  status.logins = Logins(total);
  status.refusals = Sum(total.blocked) + Sum(total.rejected);
  status.bytes_in = total.client_in.value();
  status.bytes_out = total.client_out.value();
}

void FillCounts(PolicyStatus& status, const ListenerCounters& total) {
  Mechanism mechanism = MechanismFromName(status.mechanism);
  if (mechanism == Mechanism::kOther && status.mechanism != "*") return;
  const auto& results =
      total.auth[static_cast<size_t>(mechanism)][static_cast<size_t>(status.channel)];
  for (size_t i = 0; i < kResults; ++i) status.counts[i] = results[i].value();
}

void FillCounts(BackendStatus& status, const MetricsRegistry& metrics) {
  ServerCounters total;
  metrics.AddUp(status.backend, status.server, total);
  status.sessions = total.connections_active.value();
  status.failures = Sum(total.failures);
  status.connect_p50 = total.connect_seconds.Quantile(0.5);
  status.connect_p99 = total.connect_seconds.Quantile(0.99);
}

// Enough digits for people, and no noise behind them.
double Rounded(double value) { return std::round(value * 1e6) / 1e6; }
double Rate(double value) { return std::round(value * 10) / 10; }

ordered_json Time(const std::optional<StatusTime>& time) {
  return time ? ordered_json(FormatLogTime(*time)) : ordered_json(nullptr);
}

ordered_json Json(const ListenerStatus& status) {
  return {{"name", status.name},
          {"protocol", status.protocol},
          {"address", status.address},
          {"tls", status.tls},
          {"backend", status.backend},
          {"sessions", status.sessions},
          {"connections", status.connections},
          {"logins", status.logins},
          {"refusals", status.refusals},
          {"bytes_in", status.bytes_in},
          {"bytes_out", status.bytes_out},
          {"connections_per_second", Rate(status.connections_per_second)},
          {"logins_per_second", Rate(status.logins_per_second)},
          {"bytes_in_per_second", Rate(status.bytes_in_per_second)},
          {"bytes_out_per_second", Rate(status.bytes_out_per_second)},
          {"sessions_last_hour", status.sessions_last_hour}};
}

ordered_json Json(const PolicyStatus& status) {
  ordered_json counts;
  for (size_t i = 0; i < kResults; ++i) {
    counts[std::string(ToString(static_cast<AuthResult>(i)))] = status.counts[i];
  }
  return {{"listener", status.listener},
          {"mechanism", status.mechanism},
          {"channel", ToString(status.channel)},
          {"shown", status.shown},
          {"action", kActions[static_cast<size_t>(status.action)]},
          {"to", status.to},
          {"counts", std::move(counts)}};
}

ordered_json Json(const BackendStatus& status) {
  return {{"backend", status.backend},
          {"server", status.server},
          {"up", status.up},
          {"since", Time(status.since)},
          {"last_error", status.last_error},
          {"sessions", status.sessions},
          {"failures", status.failures},
          {"connect_p50", Rounded(status.connect_p50)},
          {"connect_p99", Rounded(status.connect_p99)}};
}

ordered_json Json(const CertificateStatus& status, StatusTime now) {
  auto left = std::chrono::floor<std::chrono::days>(status.not_after - now);
  return {{"file", status.file},
          {"names", status.names},
          {"issuer", status.issuer},
          {"key", status.key},
          {"not_after", Time(status.not_after)},
          {"days_left", left.count()}};
}

ordered_json Json(const Refusal& refusal) {
  return {{"time", Time(refusal.time)},
          {"address", refusal.address},
          {"listener", refusal.listener},
          {"mechanism", refusal.mechanism},
          {"why", refusal.why}};
}

ordered_json Json(const ThrottledStatus& status) {
  return {
      {"address", status.address}, {"failures", status.failures}, {"until", Time(status.until)}};
}

template <typename List, typename... More>
ordered_json JsonList(const List& list, More... more) {
  ordered_json array = ordered_json::array();
  for (const auto& entry : list) array.push_back(Json(entry, more...));
  return array;
}

}  // namespace

void RefusalRing::Add(Refusal refusal) {
  std::lock_guard lock(mutex_);
  refusals_.push_front(std::move(refusal));
  if (refusals_.size() > kMaxRefusals) refusals_.pop_back();
}

std::vector<Refusal> RefusalRing::Latest() const {
  std::lock_guard lock(mutex_);
  return {refusals_.begin(), refusals_.end()};
}

void History::Add(steady_clock::time_point now, const std::map<std::string, Sample>& samples) {
  if (!minute_) minute_ = now;
  auto minutes_over = (now - *minute_) / std::chrono::minutes(1);
  *minute_ += minutes_over * std::chrono::minutes(1);
  size_t turn = std::min<size_t>(static_cast<size_t>(minutes_over), kMinutes);
  std::erase_if(tracks_, [&](const auto& track) { return !samples.contains(track.first); });
  for (const auto& [name, sample] : samples) {
    Track& track = tracks_[name];
    // A minute in which nobody looked had what it began with.
    for (size_t i = 0; i < turn || track.minutes.empty(); ++i) {
      track.minutes.push_back(sample.sessions);
    }
    track.minutes.back() = std::max(track.minutes.back(), sample.sessions);
    while (track.minutes.size() > kMinutes) track.minutes.pop_front();
    track.recent.emplace_back(now, sample);
    while (track.recent.size() > 2 && now - track.recent[1].first >= kRateWindow) {
      track.recent.pop_front();
    }
  }
}

void History::Fill(ListenerStatus& status) const {
  auto found = tracks_.find(status.name);
  if (found == tracks_.end()) return;
  const Track& track = found->second;
  status.sessions_last_hour = {track.minutes.begin(), track.minutes.end()};
  const auto& [first_time, first] = track.recent.front();
  const auto& [last_time, last] = track.recent.back();
  double seconds = std::chrono::duration<double>(last_time - first_time).count();
  if (seconds <= 0) return;
  auto rate = [&](uint64_t then, uint64_t now) {
    return static_cast<double>(now - then) / seconds;
  };
  status.connections_per_second = rate(first.connections, last.connections);
  status.logins_per_second = rate(first.logins, last.logins);
  status.bytes_in_per_second = rate(first.bytes_in, last.bytes_in);
  status.bytes_out_per_second = rate(first.bytes_out, last.bytes_out);
}

void StatusBoard::Publish(Status status) {
  std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

void StatusBoard::Tick(steady_clock::time_point now) {
  std::lock_guard lock(mutex_);
  std::map<std::string, History::Sample> samples;
  for (const ListenerStatus& listener : status_.listeners) {
    ListenerCounters total;
    metrics_.AddUp(listener.name, total);
    samples[listener.name] = {total.sessions_active.value(), total.connections.value(),
                              Logins(total), total.client_in.value(), total.client_out.value()};
  }
  history_.Add(now, samples);
}

std::string StatusBoard::Json(StatusTime now) const {
  std::unique_lock lock(mutex_);
  Status status = status_;
  for (ListenerStatus& listener : status.listeners) history_.Fill(listener);
  lock.unlock();
  std::map<std::string, std::unique_ptr<ListenerCounters>, std::less<>> totals;
  auto total_of = [&](const std::string& listener) -> const ListenerCounters& {
    auto& total = totals[listener];
    if (!total) {
      total = std::make_unique<ListenerCounters>();
      metrics_.AddUp(listener, *total);
    }
    return *total;
  };
  for (ListenerStatus& listener : status.listeners) FillCounts(listener, total_of(listener.name));
  for (PolicyStatus& cell : status.policy) FillCounts(cell, total_of(cell.listener));
  for (BackendStatus& server : status.backends) FillCounts(server, metrics_);
  return ToJson(status, refusals_.Latest(), now);
}

std::string StatusBoard::NotReady() const {
  std::lock_guard lock(mutex_);
  return status_.not_ready;
}

std::string ToJson(const Status& status, const std::vector<Refusal>& refusals, StatusTime now) {
  ordered_json reload = nullptr;
  if (status.reload) {
    reload = {
        {"time", Time(status.reload)}, {"ok", status.reload_ok}, {"error", status.reload_error}};
  }
  ordered_json json = {{"version", status.version},
                       {"now", Time(now)},
                       {"started", Time(status.started)},
                       {"ready", status.not_ready.empty()},
                       {"reason", status.not_ready},
                       {"draining", status.draining},
                       {"reload", std::move(reload)},
                       {"listeners", JsonList(status.listeners)},
                       {"policy", JsonList(status.policy)},
                       {"backends", JsonList(status.backends)},
                       {"certificates", JsonList(status.certificates, now)},
                       {"throttled", JsonList(status.throttled)},
                       {"refusals", JsonList(refusals)}};
  // Names come from configurations and certificates, addresses and commands from peers.
  return json.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace postern
