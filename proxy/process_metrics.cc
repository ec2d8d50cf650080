#include "proxy/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace postern {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// The fields of /proc/self/stat that are used, by their numbers in proc(5).
struct Stat {
  double user_ticks = 0;      // 14
  double system_ticks = 0;    // 15
  double threads = 0;         // 20
  double start_ticks = 0;     // 22, since boot
  double virtual_bytes = 0;   // 23
  double resident_pages = 0;  // 24
};

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<Stat> ReadStat() {
  std::string text = ReadFile("/proc/self/stat");
  // The name of the program, in parentheses, may hold blanks and parentheses of its own.
  size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  Stat stat;
  std::string word;
  for (int number = 3; number <= 24; ++number) {
    if (!(fields >> word)) return std::nullopt;
    double value = std::strtod(word.c_str(), nullptr);
    if (number == 14) stat.user_ticks = value;
    if (number == 15) stat.system_ticks = value;
    if (number == 20) stat.threads = value;
    if (number == 22) stat.start_ticks = value;
    if (number == 23) stat.virtual_bytes = value;
    if (number == 24) stat.resident_pages = value;
  }
  return stat;
}

// Unix time at which the machine started.
std::optional<double> BootTime() {
  std::istringstream lines(ReadFile("/proc/stat"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  }
  return std::nullopt;
}

double LimitValue(rlim_t limit) {
  // Without a limit Go's client, whose names these are, shows the largest unsigned number.
  return limit == RLIM_INFINITY ? static_cast<double>(UINT64_MAX) : static_cast<double>(limit);
}

void Gauge(std::vector<MetricFamily>& out, const char* name, const char* help, double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  out.push_back({name, help, MetricType::Gauge, {std::move(metric)}});
}

}  // namespace

double ProcessMetrics::OpenDescriptors() {
  auto now = std::chrono::steady_clock::now();
  if (counted_at_.time_since_epoch().count() != 0 && now - counted_at_ < std::chrono::seconds(1)) {
    return open_descriptors_;
  }
  counted_at_ = now;
  struct stat info {};
  // Since Linux 6.2 the size of the folder is the number of descriptors.
  if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    open_descriptors_ = static_cast<double>(info.st_size);
    return open_descriptors_;
  }
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return open_descriptors_;
  double count = -3;  // ".", ".." and the descriptor of the folder itself
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  open_descriptors_ = count;
  return open_descriptors_;
}

void ProcessMetrics::Append(std::vector<MetricFamily>& out) {
  auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (std::optional<Stat> stat = ReadStat()) {
    ClientMetric cpu;
    cpu.counter.value = (stat->user_ticks + stat->system_ticks) / ticks;
    out.push_back({"process_cpu_seconds_total",
                   "Total user and system CPU time spent in seconds.",
                   MetricType::Counter,
                   {std::move(cpu)}});
    Gauge(out, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
          stat->virtual_bytes);
    Gauge(out, "process_resident_memory_bytes", "Resident memory size in bytes.",
          stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
    Gauge(out, "process_threads", "Number of OS threads in the process.", stat->threads);
    if (std::optional<double> boot = BootTime()) {
      Gauge(out, "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            *boot + stat->start_ticks / ticks);
    }
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0) {
    Gauge(out, "process_virtual_memory_max_bytes",
          "Maximum amount of virtual memory available in bytes.", LimitValue(limit.rlim_cur));
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Gauge(out, "process_max_fds", "Maximum number of open file descriptors.",
          LimitValue(limit.rlim_cur));
  }
  Gauge(out, "process_open_fds", "Number of open file descriptors.", OpenDescriptors());
}

}  // namespace postern
