// The path of nearly all bytes: records of a client decrypted, followed, handed on; bytes of a
// server followed and encrypted. No read of it may allocate.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>

#include "bench/micro/allocations.h"
#include "bench/micro/filter_driver.h"
#include "bench/micro/tls_pair.h"

namespace postern::bench {
namespace {

struct Detached {
  Detached()
      : server_context(MakeServerContext(KeyKind::kEcdsaP256)),
        client_context(MakeClientContext()),
        pair(server_context.get(), client_context.get()),
        driver(Protocol::kImap) {
    driver.Greet("* OK legacy ready\r\n");
    driver.Client("a LOGIN fred secret\r\n");
    driver.Server("a OK done\r\n");
    ready = pair.Shake() && driver.detached();
    if (ready) follower = driver.filter().Detached();
  }

  bssl::UniquePtr<SSL_CTX> server_context;
  bssl::UniquePtr<SSL_CTX> client_context;
  TlsPair pair;
  FilterDriver driver;
  std::unique_ptr<Follower> follower;
  bool ready = false;
};

// A read from the backend of `range` bytes on its way to the client.
void Down(benchmark::State& state) {
  Detached session;
  if (!session.ready) return state.SkipWithError("no session");
  std::string answer(static_cast<size_t>(state.range(0)), 'x');
  answer.replace(0, 2, "* ");
  answer.replace(answer.size() - 2, 2, "\r\n");
  auto once = [&] {
    session.follower->OnServerBytes(answer);
    session.pair.server().Write(answer);
    benchmark::DoNotOptimize(session.pair.server_out().view().data());
    session.pair.server_out().Clear();
  };
  once();
  AllocationReport allocations(state);
  for (auto _ : state) once();
  allocations.Finish(AllocationReport::Allowed::kNoCpp);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Down)->Arg(64)->Arg(16 << 10)->Arg(64 << 10);

// Records of a literal on their way to the backend, `range` bytes a read. The client's writing is
// not counted.
void Up(benchmark::State& state) {
  Detached session;
  if (!session.ready) return state.SkipWithError("no session");
  std::string append = "a APPEND INBOX {4000000000}\r\n";
  session.follower->OnClientBytes(append.data(), append.size());
  session.follower->OnServerBytes("+ go on\r\n");
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::string buffer(data.size() + (size_t{32} << 10), '\0');
  AllocationReport allocations(state);
  for (auto _ : state) {
    allocations.Pause();
    session.pair.client().Write(data);
    session.pair.ToServer();
    allocations.Resume();
    auto from = std::chrono::steady_clock::now();
    size_t size = 0;
    while (session.pair.server().Read(buffer.data(), buffer.size(), size) == TlsResult::kDone) {
      benchmark::DoNotOptimize(session.follower->OnClientBytes(buffer.data(), size));
    }
    std::chrono::duration<double> spent = std::chrono::steady_clock::now() - from;
    state.SetIterationTime(spent.count());
  }
  allocations.Finish(AllocationReport::Allowed::kNoCpp);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Up)->Arg(64)->Arg(16 << 10)->Arg(112 << 10)->Iterations(4000)->UseManualTime();

}  // namespace
}  // namespace postern::bench
