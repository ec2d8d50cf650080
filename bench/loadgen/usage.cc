#include "bench/loadgen/usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>

namespace postern::loadgen {
namespace {

struct Process {
  pid_t parent;
  uint64_t ticks;
};

// Up to the first 4 KiB of a file; empty where it cannot be read: a process may end at any time.
std::string ReadFile(const std::string& path) {
  std::array<char, 4096> buffer;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  ssize_t size = read(fd, buffer.data(), buffer.size());
  close(fd);
  return std::string(buffer.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
}

// proc(5): the fields behind the name, which may itself hold blanks and parentheses.
std::optional<Process> ReadStat(pid_t pid) {
  std::string text = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state;
  Process process = {};
  std::string skipped;
  fields >> state >> process.parent;
  for (int i = 0; i < 9; ++i) fields >> skipped;  // up to utime
  for (int i = 0; i < 4; ++i) {                   // utime stime cutime cstime
    uint64_t ticks = 0;
    fields >> ticks;
    process.ticks += ticks;
  }
  return process;
}

std::map<pid_t, Process> ReadAll() {
  std::map<pid_t, Process> processes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::string name = entry.path().filename();
    pid_t pid = 0;
    auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure != std::errc() || end != name.data() + name.size()) continue;
    if (std::optional<Process> process = ReadStat(pid)) processes[pid] = *process;
  }
  return processes;
}

bool Descends(pid_t pid, const std::vector<pid_t>& roots,
              const std::map<pid_t, Process>& processes) {
  while (pid > 1) {
    for (pid_t root : roots) {
      if (pid == root) return true;
    }
    auto found = processes.find(pid);
    if (found == processes.end()) return false;
    pid = found->second.parent;
  }
  return false;
}

uint64_t PssKib(pid_t pid) {
  std::istringstream file(ReadFile("/proc/" + std::to_string(pid) + "/smaps_rollup"));
  std::string word;
  while (file >> word) {
    uint64_t kib = 0;
    if (word == "Pss:" && file >> kib) return kib;
  }
  return 0;
}

Usage Measure(const std::vector<pid_t>& roots, bool memory) {
  Usage usage;
  if (roots.empty()) return usage;
  std::map<pid_t, Process> processes = ReadAll();
  double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto& [pid, process] : processes) {
    if (!Descends(pid, roots, processes)) continue;
    usage.cpu_seconds += static_cast<double>(process.ticks) * tick;
    if (memory) usage.pss_kib += PssKib(pid);
    ++usage.processes;
  }
  return usage;
}

}  // namespace

Usage CpuOfTrees(const std::vector<pid_t>& roots) { return Measure(roots, false); }

Usage UsageOfTrees(const std::vector<pid_t>& roots) { return Measure(roots, true); }

double OwnCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace postern::loadgen
