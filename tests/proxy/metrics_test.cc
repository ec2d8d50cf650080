#include "proxy/metrics.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace postern {
namespace {

using std::chrono::system_clock;

// The contract's section 7; process_* apart.
const std::set<std::string> kNames = {"postern_build_info",
                                      "postern_connections_total",
                                      "postern_connections_rejected_total",
                                      "postern_sessions_active",
                                      "postern_session_duration_seconds",
                                      "postern_tls_handshakes_total",
                                      "postern_tls_handshake_failures_total",
                                      "postern_tls_handshake_seconds",
                                      "postern_tls_certificate_expiry_timestamp_seconds",
                                      "postern_starttls_injections_total",
                                      "postern_auth_total",
                                      "postern_auth_rewrites_total",
                                      "postern_commands_blocked_total",
                                      "postern_protocol_errors_total",
                                      "postern_bytes_total",
                                      "postern_backend_up",
                                      "postern_backend_connections_active",
                                      "postern_backend_connect_seconds",
                                      "postern_backend_failures_total",
                                      "postern_config_reloads_total",
                                      "postern_config_last_reload_timestamp_seconds",
                                      "postern_event_loop_lag_seconds"};

std::set<std::string> FamiliesOf(const std::string& scrape) {
  std::set<std::string> names;
  std::istringstream lines(scrape);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    std::string name = line.substr(7, line.find(' ', 7) - 7);
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
  }
  return names;
}

bool Has(const std::string& scrape, const std::string& line) {
  return ("\n" + scrape).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, HasEveryNameOfTheContractAndNoOther) {
  MetricsRegistry registry(1, {"1.0", "17", "1.44.2"});
  std::set<std::string> names = FamiliesOf(registry.Scrape());
  for (const std::string& name : kNames) EXPECT_TRUE(names.contains(name)) << name;
  for (const std::string& name : names) {
    EXPECT_TRUE(kNames.contains(name) || name.starts_with("process_")) << name;
  }
  EXPECT_TRUE(names.contains("process_cpu_seconds_total"));
  EXPECT_TRUE(names.contains("process_resident_memory_bytes"));
  EXPECT_TRUE(names.contains("process_open_fds"));
  EXPECT_TRUE(names.contains("process_max_fds"));
  EXPECT_TRUE(names.contains("process_start_time_seconds"));
}

TEST(Metrics, SaysWhatItIsBuiltOf) {
  MetricsRegistry registry(1, {"1.0", "17", "1.44.2"});
  EXPECT_TRUE(Has(registry.Scrape(),
                  R"(postern_build_info{version="1.0",boringssl="17",libuv="1.44.2"} 1)"));
}

TEST(Metrics, AddsUpAllWorkers) {
  MetricsRegistry registry(2);
  registry.SetListeners({"imaps"});
  registry.Listener("imaps", 0).connections.Add(2);
  registry.Listener("imaps", 1).connections.Add(3);
  registry.Listener("imaps", 2).connections.Add(5);  // the main thread's
  registry.Listener("imaps", 0).sessions_active.Add(4);
  registry.Listener("imaps", 0).sessions_active.Sub();
  std::string scrape = registry.Scrape();
  EXPECT_TRUE(Has(scrape, R"(postern_connections_total{listener="imaps"} 10)"));
  EXPECT_TRUE(Has(scrape, R"(postern_sessions_active{listener="imaps"} 3)"));
  ListenerCounters total;
  registry.AddUp("imaps", total);
  EXPECT_EQ(total.connections.value(), 10U);
}

TEST(Metrics, BlocksStayWhereTheyAre) {
  MetricsRegistry registry(1);
  ListenerCounters& first = registry.Listener("a", 0);
  for (int i = 0; i < 100; ++i) registry.Listener("b" + std::to_string(i), 0);
  EXPECT_EQ(&first, &registry.Listener("a", 0));
  EXPECT_NE(&first, &registry.Listener("a", 1));
}

TEST(Metrics, ShowsSmallListsAtZeroAndMatricesOnlyWhereSomethingHappened) {
  MetricsRegistry registry(1);
  registry.SetListeners({"mx"});
  std::string scrape = registry.Scrape();
  EXPECT_TRUE(Has(scrape, R"(postern_connections_rejected_total{listener="mx",reason="limit"} 0)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_tls_handshakes_total{listener="mx",version="1.3",resumed="no"} 0)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_tls_handshake_failures_total{listener="mx",reason="no_shared"} 0)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_commands_blocked_total{listener="mx",reason="not_logged_in"} 0)"));
  EXPECT_TRUE(Has(scrape, R"(postern_protocol_errors_total{listener="mx",reason="bare_lf"} 0)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_bytes_total{listener="mx",side="backend",direction="out"} 0)"));
  EXPECT_EQ(scrape.find("postern_auth_total{"), std::string::npos);

  auto& counters = registry.Listener("mx", 0);
  counters
      .auth[static_cast<size_t>(Mechanism::kNtlm)][static_cast<size_t>(Channel::kTls)]
           [static_cast<size_t>(AuthResult::kObserved)]
      .Add();
  counters
      .rewrites[static_cast<size_t>(Mechanism::kBasic)]
               [static_cast<size_t>(Mechanism::kScramSha256)]
      .Add(2);
  scrape = registry.Scrape();
  EXPECT_TRUE(Has(
      scrape,
      R"(postern_auth_total{listener="mx",mechanism="NTLM",channel="tls",result="observed"} 1)"));
  EXPECT_TRUE(Has(
      scrape, R"(postern_auth_rewrites_total{listener="mx",from="BASIC",to="SCRAM-SHA-256"} 2)"));
}

TEST(Metrics, ListenerThatWentIsShownUntilItsLastSessionEndsAndCountsOnWhenItComesBack) {
  MetricsRegistry registry(1);
  registry.SetListeners({"old"});
  registry.Listener("old", 0).connections.Add(7);
  registry.Listener("old", 0).sessions_active.Add();
  registry.SetListeners({});
  EXPECT_TRUE(Has(registry.Scrape(), R"(postern_sessions_active{listener="old"} 1)"));
  registry.Listener("old", 0).sessions_active.Sub();
  EXPECT_EQ(registry.Scrape().find("old"), std::string::npos);
  registry.SetListeners({"old"});
  EXPECT_TRUE(Has(registry.Scrape(), R"(postern_connections_total{listener="old"} 7)"));
}

TEST(Metrics, Servers) {
  MetricsRegistry registry(1);
  registry.SetServers({{"legacy", "10.0.0.5:143"}, {"legacy", "10.0.0.6:143"}});
  registry.SetServerUp("legacy", "10.0.0.6:143", false);
  registry.Server("legacy", "10.0.0.5:143", 0).connect_seconds.Observe(0.003);
  registry.Server("legacy", "10.0.0.6:143", 1).connect_seconds.Observe(20);
  registry.Server("legacy", "10.0.0.6:143", 1)
      .failures[static_cast<size_t>(BackendFaultReason::kTimeout)]
      .Add();
  std::string scrape = registry.Scrape();
  EXPECT_TRUE(Has(scrape, R"(postern_backend_up{backend="legacy",server="10.0.0.5:143"} 1)"));
  EXPECT_TRUE(Has(scrape, R"(postern_backend_up{backend="legacy",server="10.0.0.6:143"} 0)"));
  EXPECT_TRUE(Has(scrape, R"(postern_backend_connect_seconds_count{backend="legacy"} 2)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_backend_connect_seconds_bucket{backend="legacy",le="0.0025"} 0)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_backend_connect_seconds_bucket{backend="legacy",le="0.005"} 1)"));
  EXPECT_TRUE(
      Has(scrape, R"(postern_backend_connect_seconds_bucket{backend="legacy",le="+Inf"} 2)"));
  EXPECT_TRUE(Has(
      scrape,
      R"(postern_backend_failures_total{backend="legacy",server="10.0.0.6:143",reason="timeout"} 1)"));

  registry.SetServers({{"legacy", "10.0.0.5:143"}});
  EXPECT_EQ(registry.Scrape().find("10.0.0.6"), std::string::npos);
  registry.SetServers({{"legacy", "10.0.0.6:143"}});
  EXPECT_TRUE(
      Has(registry.Scrape(), R"(postern_backend_up{backend="legacy",server="10.0.0.6:143"} 1)"));
}

TEST(Metrics, ReloadsAndCertificates) {
  MetricsRegistry registry(1);
  registry.CountReload(true, system_clock::time_point(std::chrono::seconds(1764000000)));
  registry.CountReload(false, system_clock::time_point(std::chrono::seconds(1764000009)));
  registry.SetCertificates({{"/etc/b.pem", 2e9}, {"/etc/a \"1\".pem", 1.9e9}, {"/etc/b.pem", 2e9}});
  std::string scrape = registry.Scrape();
  EXPECT_TRUE(Has(scrape, R"(postern_config_reloads_total{result="ok"} 1)"));
  EXPECT_TRUE(Has(scrape, R"(postern_config_reloads_total{result="error"} 1)"));
  EXPECT_TRUE(Has(scrape, "postern_config_last_reload_timestamp_seconds 1764000009"));
  std::string b = R"(postern_tls_certificate_expiry_timestamp_seconds{certificate="/etc/b.pem"} )";
  EXPECT_TRUE(Has(scrape, b + "2000000000"));
  EXPECT_EQ(scrape.find(b), scrape.rfind(b));
  EXPECT_NE(scrape.find(R"(certificate="/etc/a \"1\".pem")"), std::string::npos);
}

TEST(Metrics, HistogramBoundsAreInclusive) {
  LatencyHistogram cells;
  cells.Observe(0);
  cells.Observe(0.0005);
  cells.Observe(0.00051);
  cells.Observe(1e9);
  EXPECT_EQ(cells.counts[0].value(), 2U);
  EXPECT_EQ(cells.counts[1].value(), 1U);
  EXPECT_EQ(cells.counts.back().value(), 1U);
}

TEST(Metrics, Quantiles) {
  LatencyHistogram cells;
  EXPECT_EQ(cells.Quantile(0.5), 0);
  for (int i = 0; i < 100; ++i) cells.Observe(0.002);
  EXPECT_DOUBLE_EQ(cells.Quantile(0.5), 0.001 + 0.0015 * 0.5);
  cells.Observe(1e9);
  EXPECT_DOUBLE_EQ(cells.Quantile(1), 10.0);
}

TEST(Metrics, ScrapeOfManyListenersIsSmall) {
  MetricsRegistry registry(4);
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) names.push_back("imap-" + std::to_string(i));
  registry.SetListeners(names);
  for (const std::string& name : names) {
    for (size_t worker = 0; worker < 4; ++worker) registry.Listener(name, worker).connections.Add();
  }
  EXPECT_LT(registry.Scrape().size(), 300U * 8192U);
}

}  // namespace
}  // namespace postern
