#include "bench/micro/allocations.h"

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POSTERN_OTHER_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POSTERN_OTHER_ALLOCATOR
#endif
#endif

namespace {

thread_local postern::bench::Allocations count;

}  // namespace

#ifndef POSTERN_OTHER_ALLOCATOR

extern "C" {

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t number, size_t size);
void* __libc_realloc(void* old, size_t size);

__attribute__((visibility("default"))) void* malloc(size_t size) noexcept {
  ++count.all;
  return __libc_malloc(size);
}

__attribute__((visibility("default"))) void* calloc(size_t number, size_t size) noexcept {
  ++count.all;
  return __libc_calloc(number, size);
}

__attribute__((visibility("default"))) void* realloc(void* old, size_t size) noexcept {
  ++count.all;
  return __libc_realloc(old, size);
}

}  // extern "C"

__attribute__((visibility("default"))) void* operator new(size_t size) {
  ++count.cpp;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}

__attribute__((visibility("default"))) void operator delete(void* memory) noexcept {
  std::free(memory);
}

__attribute__((visibility("default"))) void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

#endif

namespace postern::bench {

Allocations CountAllocations() { return count; }

void AllocationReport::Resume() {
  Allocations now = CountAllocations();
  before_.cpp += now.cpp - paused_.cpp;
  before_.all += now.all - paused_.all;
}

void AllocationReport::Finish(Allowed allowed) {
  Allocations now = CountAllocations();
  uint64_t cpp = now.cpp - before_.cpp;
  uint64_t all = now.all - before_.all;
  auto per_iteration = [](uint64_t number) {
    return benchmark::Counter(static_cast<double>(number), benchmark::Counter::kAvgIterations);
  };
  state_.counters["new"] = per_iteration(cpp);
  state_.counters["malloc"] = per_iteration(all);
  bool wrong = allowed == Allowed::kNone ? all > 0 : allowed == Allowed::kNoCpp && cpp > 0;
  if (wrong) state_.SkipWithError("allocates");
}

}  // namespace postern::bench
