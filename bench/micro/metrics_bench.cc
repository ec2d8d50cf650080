// What a scrape costs while 9,500 sessions are open, and what counting costs a session.
#include <benchmark/benchmark.h>

#include "proxy/metrics.h"

namespace postern::bench {
namespace {

constexpr size_t kWorkers = 4;
constexpr size_t kSessions = 9500;

void FillRegistry(MetricsRegistry& registry) {
  std::vector<std::string> names = {"imaps", "pop3s", "submission", "imap-143"};
  registry.SetListeners(names);
  registry.SetServers({{"legacy", "127.0.0.1:143"}, {"legacy", "127.0.0.1:110"}});
  registry.SetCertificates({{"fullchain.pem", 2e9}});
  for (size_t i = 0; i < kSessions; ++i) {
    ListenerCounters& counters = registry.Listener(names[i % names.size()], i % kWorkers);
    counters.connections.Add();
    counters.sessions_active.Add();
    counters.handshakes[static_cast<size_t>(TlsVersion::kTls13)][i % 2].Add();
    counters.handshake_seconds.Observe(0.001 * static_cast<double>(i % 100));
    registry.Server("legacy", "127.0.0.1:143", i % kWorkers).connections_active.Add();
  }
}

void Scrape(benchmark::State& state) {
  MetricsRegistry registry(kWorkers);
  FillRegistry(registry);
  size_t size = 0;
  for (auto _ : state) {
    std::string text = registry.Scrape();
    size = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(Scrape)->Unit(benchmark::kMillisecond);

// What one session of a second's length leaves behind.
void CountSession(benchmark::State& state) {
  MetricsRegistry registry(1);
  ListenerCounters& counters = registry.Listener("imaps", 0);
  for (auto _ : state) {
    counters.connections.Add();
    counters.sessions_active.Add();
    counters.handshakes[static_cast<size_t>(TlsVersion::kTls13)][0].Add();
    counters.handshake_seconds.Observe(0.002);
    counters.client_in.Add(100);
    counters.client_out.Add(1000);
    counters.session_duration.Observe(1.0);
    counters.sessions_active.Sub();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(CountSession);

}  // namespace
}  // namespace postern::bench
