#include "bench/loadgen/report.h"

#include <nlohmann/json.hpp>

namespace postern::loadgen {
namespace {

using Json = nlohmann::ordered_json;

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

Json Latency(const Histogram& histogram) {
  auto micro = [](double nanoseconds) { return nanoseconds / 1000; };
  return {{"count", histogram.count()},
          {"mean", micro(histogram.mean())},
          {"p50", micro(static_cast<double>(histogram.Quantile(0.5)))},
          {"p90", micro(static_cast<double>(histogram.Quantile(0.9)))},
          {"p99", micro(static_cast<double>(histogram.Quantile(0.99)))},
          {"p999", micro(static_cast<double>(histogram.Quantile(0.999)))},
          {"max", micro(static_cast<double>(histogram.max()))}};
}

Json Failures(const Result& result) {
  constexpr std::array<const char*, 5> kNames = {"", "connect", "tls", "reply", "end"};
  Json failures = Json::object();
  uint64_t all = 0;
  for (size_t i = 1; i < kNames.size(); ++i) {
    failures[kNames[i]] = result.failures[i];
    all += result.failures[i];
  }
  failures["all"] = all;
  return failures;
}

Json Proxy(const Options& options, const Result& result) {
  double cpu = result.proxy_after.cpu_seconds - result.proxy_before.cpu_seconds;
  Json proxy = {{"cpu_seconds", cpu},
                {"cpu_share", Ratio(cpu, result.seconds)},
                {"operations_per_cpu_second", Ratio(static_cast<double>(result.operations), cpu)},
                {"pss_kib", result.proxy_after.pss_kib},
                {"processes", result.proxy_after.processes}};
  if (options.mode == Mode::kBulkDown || options.mode == Mode::kBulkUp) {
    proxy["cpu_seconds_per_gb"] = Ratio(cpu, static_cast<double>(result.bytes) / 1e9);
  }
  if (options.mode == Mode::kIdle) {
    double grown = static_cast<double>(result.proxy_after.pss_kib) -
                   static_cast<double>(result.proxy_before.pss_kib);
    proxy["pss_kib_before"] = result.proxy_before.pss_kib;
    proxy["kib_per_session"] = Ratio(grown, static_cast<double>(result.open));
  }
  return proxy;
}

}  // namespace

void WriteReport(const Options& options, const Result& result, std::FILE* file) {
  Json report = {
      {"mode", Name(options.mode)},
      {"protocol", Name(options.protocol)},
      {"tls", Name(options.tls)},
      {"connections", options.connections},
      {"open", result.open},
      {"seconds", result.seconds},
      {"operations", result.operations},
      {"operations_per_second", Ratio(static_cast<double>(result.operations), result.seconds)},
      {"resumed", result.resumed},
      {"bytes", result.bytes},
      {"bytes_per_second", Ratio(static_cast<double>(result.bytes), result.seconds)},
      {"failures", Failures(result)},
      {"latency_us", Latency(result.latency)}};
  if (options.mode == Mode::kMixed) {
    report["handshakes"] = result.handshakes;
    report["handshake_latency_us"] = Latency(result.handshake_latency);
  }
  report["proxy"] = Proxy(options, result);
  report["backend"] = {{"cpu_seconds", result.backend_cpu}};
  report["load"] = {{"cpu_seconds", result.own_cpu}};
  std::fprintf(file, "%s\n", report.dump(2).c_str());
}

}  // namespace postern::loadgen
