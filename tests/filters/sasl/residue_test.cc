// Fear: a password that stays in memory after the log-in. Looks through heap and stack of this
// process for what a log-in has left there.
#include <fstream>
#include <sstream>

#include "filters/sasl/unicode.h"
#include "tests/filters/sasl/steps.h"

// A sanitizer keeps its own heap, and forbids to read all of the stack.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POSTERN_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POSTERN_SANITIZED 1
#endif
#endif

namespace postern::sasl {
namespace {

constexpr unsigned char kMask = 0x5a;

// The only form in which the test keeps what it looks for.
std::string Masked(std::string_view text) {
  std::string masked(text);
  for (char& c : masked) c = static_cast<char>(c ^ kMask);
  return masked;
}

size_t CountIn(const unsigned char* begin, const unsigned char* end, const std::string& masked) {
  size_t count = 0;
  for (; end - begin >= static_cast<ptrdiff_t>(masked.size()); ++begin) {
    size_t same = 0;
    while (same < masked.size() && (begin[same] ^ kMask) == static_cast<uint8_t>(masked[same])) {
      ++same;
    }
    if (same == masked.size()) ++count;
  }
  return count;
}

size_t CountInMemory(const std::string& masked) {
  size_t count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[heap]") == line.npos && line.find("[stack]") == line.npos) continue;
    std::istringstream fields(line);
    uintptr_t begin = 0;
    uintptr_t end = 0;
    char dash = 0;
    fields >> std::hex >> begin >> dash >> end;
    count += CountIn(reinterpret_cast<const unsigned char*>(begin),
                     reinterpret_cast<const unsigned char*>(end), masked);
  }
  return count;
}

// A password that stands nowhere in the program.
Secret MakePassword(size_t size, std::string_view letter) {
  std::string password;
  password.reserve(size + letter.size());
  for (size_t i = 0; i < size; ++i) password += static_cast<char>('A' + (i * 7 + i / 23) % 26);
  password += letter;
  return Secret::Take(password);
}

std::string MakeChallenge(Mechanism mechanism, std::string_view first) {
  switch (mechanism) {
    case Mechanism::kCramMd5:
      return "<1@b>";
    case Mechanism::kNtlm:
      return std::string("NTLMSSP\0\2\0\0\0\0\0\0\0\x30\0\0\0\5\2\0\0nonceXYZ", 32);
    case Mechanism::kScramSha1:
    case Mechanism::kScramSha256:
      return std::string(first.substr(first.find("r="))) + "x,s=QSXCR+Q6,i=64";
    default:
      return "";
  }
}

// Gives a part of the last response, masked: of the password or its proof.
[[gnu::noinline]] std::string LogIn(Mechanism mechanism, size_t size, std::string_view letter) {
  const auto client =
      MakeTestMechanism(mechanism, Credentials{"fred", MakePassword(size, letter), ""});
  Secret response;
  Step step = Step::kRespond;
  if (client->client_first() || mechanism == Mechanism::kLogin) step = client->Next("", response);
  if (mechanism != Mechanism::kPlain) {
    step = client->Next(MakeChallenge(mechanism, response.Reveal()), response);
  }
  if (step == Step::kDerive) {
    std::unique_ptr<Derivation> work = client->TakeDerivation();
    work->Run();
    step = client->OnDerived(std::move(work), response);
  }
  EXPECT_EQ(step, Step::kRespond) << client->failure();
  constexpr size_t kSome = 9;
  // That of NTLM ends in zeros; its LMv2 response is behind a header of 72 and a user of 8 bytes.
  const size_t place = mechanism == Mechanism::kNtlm ? 80 : response.size() - kSome;
  return Masked(response.Reveal().substr(place, kSome));
}

TEST(Residue, NothingOfALoginStays) {
#ifdef POSTERN_SANITIZED
  GTEST_SKIP() << "not under a sanitizer";
#endif
  for (const Mechanism mechanism :
       {Mechanism::kPlain, Mechanism::kLogin, Mechanism::kCramMd5, Mechanism::kNtlm,
        Mechanism::kScramSha1, Mechanism::kScramSha256}) {
    for (const size_t size : {size_t{9}, size_t{40}, size_t{300}}) {
      for (const std::string_view letter : {"", "\xc3\xbc"}) {
        const std::string response = LogIn(mechanism, size, letter);
        std::string utf16 = Utf16FromUtf8(MakePassword(5, "").Reveal());
        const std::string wide = Masked(Secret::Take(utf16).Reveal());
        const std::string narrow = Masked(MakePassword(9, "").Reveal());
        for (const std::string& wanted : {response, wide, narrow}) {
          EXPECT_EQ(CountInMemory(wanted), 0u) << ToString(mechanism) << ' ' << size << letter;
        }
      }
    }
  }
}

}  // namespace
}  // namespace postern::sasl
