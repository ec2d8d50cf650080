#include "proxy/status.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace postern {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr StatusTime kNow{1764000000s};
constexpr steady_clock::time_point kStart{1000h};

ListenerStatus Listener(const std::string& name) {
  ListenerStatus status;
  status.name = name;
  return status;
}

TEST(RefusalRing, KeepsTheLatest) {
  RefusalRing ring;
  for (int i = 0; i < 1000; ++i) ring.Add({kNow, std::to_string(i), "imaps", "BASIC", "clear"});
  std::vector<Refusal> latest = ring.Latest();
  ASSERT_EQ(latest.size(), RefusalRing::kMaxRefusals);
  EXPECT_EQ(latest.front().address, "999");
  EXPECT_EQ(latest.back().address, "950");
}

TEST(History, RatesAreOverTheLastSeconds) {
  History history;
  for (uint64_t second = 0; second <= 100; ++second) {
    uint64_t connections = second < 50 ? second * 1000 : 50'000 + (second - 50) * 2;
    history.Add(kStart + std::chrono::seconds(second), {{"a", {1, connections, second, 0, 0}}});
  }
  ListenerStatus status = Listener("a");
  history.Fill(status);
  EXPECT_DOUBLE_EQ(status.connections_per_second, 2);
  EXPECT_DOUBLE_EQ(status.logins_per_second, 1);
}

TEST(History, OneSampleIsNoRate) {
  History history;
  history.Add(kStart, {{"a", {3, 500, 0, 0, 0}}});
  ListenerStatus status = Listener("a");
  history.Fill(status);
  EXPECT_EQ(status.connections_per_second, 0);
  EXPECT_EQ(status.sessions_last_hour, std::vector<uint64_t>{3});
}

TEST(History, KeepsTheMostOfEachMinuteForAnHour) {
  History history;
  for (uint64_t second = 0; second < 2 * 3600; ++second) {
    uint64_t sessions = second % 60 == 30 ? 100 + second / 60 : 1;
    history.Add(kStart + std::chrono::seconds(second), {{"a", {sessions, 0, 0, 0, 0}}});
  }
  ListenerStatus status = Listener("a");
  history.Fill(status);
  ASSERT_EQ(status.sessions_last_hour.size(), History::kMinutes);
  EXPECT_EQ(status.sessions_last_hour.front(), 160U);
  EXPECT_EQ(status.sessions_last_hour.back(), 219U);
}

TEST(History, SurvivesAStandstillAndForgetsListenersThatWent) {
  History history;
  history.Add(kStart, {{"a", {5, 0, 0, 0, 0}}, {"b", {}}});
  history.Add(kStart + 48h, {{"a", {7, 0, 0, 0, 0}}});
  ListenerStatus a = Listener("a");
  history.Fill(a);
  ASSERT_EQ(a.sessions_last_hour.size(), History::kMinutes);
  EXPECT_EQ(a.sessions_last_hour.back(), 7U);
  ListenerStatus b = Listener("b");
  history.Fill(b);
  EXPECT_TRUE(b.sessions_last_hour.empty());
}

TEST(StatusBoard, AddsTheCountsOfTheMetrics) {
  MetricsRegistry metrics(2);
  auto& counters = metrics.Listener("imaps", 0);
  counters.connections.Add(9);
  counters.sessions_active.Add(2);
  counters
      .auth[static_cast<size_t>(Mechanism::kNtlm)][static_cast<size_t>(Channel::kTls)]
           [static_cast<size_t>(AuthResult::kAccepted)]
      .Add(4);
  metrics.Listener("imaps", 1).client_in.Add(77);
  metrics.Server("legacy", "10.0.0.5:143", 0).connect_seconds.Observe(0.002);

  StatusBoard board(metrics);
  Status status;
  status.version = "1.0";
  status.started = kNow - 1h;
  status.not_ready = "backend legacy is down";
  status.listeners = {Listener("imaps")};
  PolicyStatus cell;
  cell.listener = "imaps";
  cell.mechanism = "ntlm";
  cell.channel = Channel::kTls;
  cell.action = PolicyStatus::Action::kPassed;
  cell.shown = true;
  status.policy = {cell};
  BackendStatus backend;
  backend.backend = "legacy";
  backend.server = "10.0.0.5:143";
  status.backends = {backend};
  status.certificates = {{"/etc/a.pem", {"mail.example"}, "CA", "ECDSA P-256", kNow + 49h}};
  status.throttled = {{"2001:db8::/64", 20, kNow + 5min}};
  board.Publish(status);
  board.Tick(kStart);
  board.refusals().Add({kNow, "192.0.2.1", "imaps", "LOG\"IN\xFF", "needs TLS"});

  EXPECT_EQ(board.NotReady(), "backend legacy is down");
  json shown = json::parse(board.Json(kNow));
  EXPECT_FALSE(shown["ready"]);
  EXPECT_EQ(shown["reason"], "backend legacy is down");
  EXPECT_EQ(shown["started"], "2025-11-24T15:00:00.000Z");
  EXPECT_TRUE(shown["reload"].is_null());
  EXPECT_EQ(shown["listeners"][0]["connections"], 9);
  EXPECT_EQ(shown["listeners"][0]["logins"], 4);
  EXPECT_EQ(shown["listeners"][0]["bytes_in"], 77);
  EXPECT_EQ(shown["listeners"][0]["sessions_last_hour"], json::array({2}));
  EXPECT_EQ(shown["policy"][0]["counts"]["accepted"], 4);
  EXPECT_EQ(shown["policy"][0]["action"], "passed");
  EXPECT_EQ(shown["policy"][0]["channel"], "tls");
  EXPECT_GT(shown["backends"][0]["connect_p99"], 0.001);
  EXPECT_TRUE(shown["backends"][0]["since"].is_null());
  EXPECT_EQ(shown["certificates"][0]["days_left"], 2);
  EXPECT_EQ(shown["throttled"][0]["address"], "2001:db8::/64");
  EXPECT_EQ(shown["refusals"][0]["mechanism"], "LOG\"IN\xEF\xBF\xBD");
}

TEST(StatusBoard, TellsOfTheLastReload) {
  Status status;
  status.reload = kNow;
  status.reload_ok = false;
  status.reload_error = "postern.yaml:3:1: unknown key";
  json shown = json::parse(ToJson(status, {}, kNow));
  EXPECT_EQ(shown["reload"]["time"], "2025-11-24T16:00:00.000Z");
  EXPECT_EQ(shown["reload"]["ok"], false);
  EXPECT_TRUE(shown["ready"]);
}

}  // namespace
}  // namespace postern
