// Counts this program's heap allocations, so that "does not allocate" can be shown: those of C++
// (operator new), and those of everything (malloc and what is made of it), BoringSSL's record
// buffers among them. Counts stay 0 under a sanitizer, which has an allocator of its own.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace postern::bench {

struct Allocations {
  uint64_t cpp = 0;
  uint64_t all = 0;
};

// Of this thread, since it began.
Allocations CountAllocations();

// Reports allocations per iteration of a benchmark's loop.
class AllocationReport {
 public:
  enum class Allowed : uint8_t { kAny, kNoCpp, kNone };

  explicit AllocationReport(benchmark::State& state) : state_(state), before_(CountAllocations()) {}

  // Leaves out what was allocated between these two.
  void Pause() { paused_ = CountAllocations(); }
  void Resume();

  // Behind the loop. One allocation or more that is not allowed fails the benchmark; those of a
  // first round should have been made before this object.
  void Finish(Allowed allowed = Allowed::kAny);

 private:
  benchmark::State& state_;
  Allocations before_;
  Allocations paused_;
};

}  // namespace postern::bench
