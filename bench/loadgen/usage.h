// What processes have used, by the kernel's own accounting. Wall-clock time lies on a shared
// machine; this does not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace postern::loadgen {

struct Usage {
  double cpu_seconds = 0;  // user and system, of children that have ended too
  uint64_t pss_kib = 0;    // proportional set size
  size_t processes = 0;
};

// CPU time of the processes in `roots`, all their threads and all their descendants.
Usage CpuOfTrees(const std::vector<pid_t>& roots);

// The same and the memory, which takes the kernel longer to find out.
Usage UsageOfTrees(const std::vector<pid_t>& roots);

// CPU time of this process.
double OwnCpuSeconds();

}  // namespace postern::loadgen
