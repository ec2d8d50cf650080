// Log-ins spoken to the backend: what the client's side of each mechanism costs.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "filters/sasl/client_mechanism.h"

namespace postern::bench {
namespace {

sasl::Credentials Fred() { return {"fred", Secret("correct horse battery staple"), "LEGACY"}; }

// One exchange: made, first step where the client begins, one challenge.
void Answer(benchmark::State& state, Mechanism mechanism, std::string_view challenge) {
  const std::array<uint8_t, 32> seed = {1, 2, 3};
  const auto now = std::chrono::system_clock::now();
  for (auto _ : state) {
    auto client = sasl::MakeClientMechanism(mechanism, Fred(), seed, now);
    Secret response;
    if (client->client_first()) client->Next("", response);
    if (!challenge.empty() && client->Next(challenge, response) == sasl::Step::kFailed) {
      return state.SkipWithError("the mechanism does not take the challenge");
    }
    benchmark::DoNotOptimize(response.Reveal().data());
  }
  state.SetItemsProcessed(state.iterations());
}

// MS-NLMP 2.2.1.2: UNICODE, NTLM, domain target, target information of one pair.
constexpr std::string_view kNtlmChallenge{
    "NTLMSSP\0\2\0\0\0\0\0\0\0\x30\0\0\0\1\2\x81\0\1\2\3\4\5\6\7\x8\0\0\0\0\0\0\0\0"
    "\x14\0\x14\0\x30\0\0\0\2\0\x0c\0L\0E\0G\0A\0C\0Y\0\0\0\0\0",
    68};

BENCHMARK_CAPTURE(Answer, plain, Mechanism::kPlain, "");
BENCHMARK_CAPTURE(Answer, cram_md5, Mechanism::kCramMd5, "<1896.697170952@legacy.example>");
BENCHMARK_CAPTURE(Answer, ntlm, Mechanism::kNtlm, kNtlmChallenge);

// The part of SCRAM that does not run on a worker's thread.
void Derive(benchmark::State& state) {
  for (auto _ : state) {
    sasl::Derivation work;
    work.hash = sasl::Hash::kSha256;
    work.password = Secret("correct horse battery staple");
    work.salt = "0123456789abcdef";
    work.iterations = static_cast<uint32_t>(state.range(0));
    work.Run();
    benchmark::DoNotOptimize(work.key.Reveal().data());
  }
}
BENCHMARK(Derive)->Arg(4096)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace postern::bench
