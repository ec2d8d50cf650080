// TLS without sockets: what a handshake's server side and the records cost.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "bench/micro/allocations.h"
#include "bench/micro/tls_pair.h"

namespace postern::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Only the server's calls are timed.
void Handshake(benchmark::State& state, KeyKind kind) {
  bssl::UniquePtr<SSL_CTX> server_context = MakeServerContext(kind);
  bssl::UniquePtr<SSL_CTX> client_context = MakeClientContext();
  for (auto _ : state) {
    TlsPair pair(server_context.get(), client_context.get());
    std::chrono::duration<double> spent{};
    pair.client().Handshake();
    while (!pair.server().up()) {
      pair.ToServer();
      Clock::time_point from = Clock::now();
      TlsResult result = pair.server().Handshake();
      spent += Clock::now() - from;
      if (result == TlsResult::kError) return state.SkipWithError("the handshake failed");
      pair.ToClient();
      if (!pair.client().up()) pair.client().Handshake();
    }
    state.SetIterationTime(spent.count());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(Handshake, ecdsa_p256, KeyKind::kEcdsaP256)->UseManualTime();
BENCHMARK_CAPTURE(Handshake, rsa_2048, KeyKind::kRsa2048)->UseManualTime();

// Plaintext to records, in the pieces that the proxy writes.
void Encrypt(benchmark::State& state) {
  bssl::UniquePtr<SSL_CTX> server_context = MakeServerContext(KeyKind::kEcdsaP256);
  bssl::UniquePtr<SSL_CTX> client_context = MakeClientContext();
  TlsPair pair(server_context.get(), client_context.get());
  if (!pair.Shake()) return state.SkipWithError("the handshake failed");
  const std::string plaintext(static_cast<size_t>(state.range(0)), 'x');
  pair.server().Write(plaintext);
  pair.server_out().Clear();
  AllocationReport allocations(state);
  for (auto _ : state) {
    pair.server().Write(plaintext);
    benchmark::DoNotOptimize(pair.server_out().view().data());
    pair.server_out().Clear();
  }
  allocations.Finish();
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Encrypt)->Arg(64)->Arg(16 << 10)->Arg(64 << 10);

// Records to plaintext: the client writes them untimed.
void Decrypt(benchmark::State& state) {
  bssl::UniquePtr<SSL_CTX> server_context = MakeServerContext(KeyKind::kEcdsaP256);
  bssl::UniquePtr<SSL_CTX> client_context = MakeClientContext();
  TlsPair pair(server_context.get(), client_context.get());
  if (!pair.Shake()) return state.SkipWithError("the handshake failed");
  const std::string plaintext(static_cast<size_t>(state.range(0)), 'x');
  std::vector<char> buffer(plaintext.size() + (size_t{32} << 10));
  for (auto _ : state) {
    pair.client().Write(plaintext);
    pair.ToServer();
    Clock::time_point from = Clock::now();
    size_t size = 0;
    while (pair.server().Read(buffer.data(), buffer.size(), size) == TlsResult::kDone) {
      benchmark::DoNotOptimize(buffer.data());
    }
    std::chrono::duration<double> spent = Clock::now() - from;
    state.SetIterationTime(spent.count());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Decrypt)->Arg(64)->Arg(16 << 10)->Arg(112 << 10)->UseManualTime();

}  // namespace
}  // namespace postern::bench
