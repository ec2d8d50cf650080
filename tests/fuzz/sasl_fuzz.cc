// Challenges from a hostile server to each mechanism. A password never leaves in a form that can be
// read, a server that does not know it never passes for one that does, and the same exchange always
// goes the same way.
//
// Input: a byte that picks the mechanism, one for the domain, then challenges, each behind its
// length (two bytes, big endian). "%N" in one stands for the nonce of the client.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "filters/sasl/client_mechanism.h"
#include "filters/sasl/unicode.h"

namespace {

using namespace postern;
using namespace postern::sasl;

constexpr std::string_view kPassword =
    "Tr0ub4dor&3 gr\xc3\xbc\xc3\x9f"
    "e";
constexpr std::array kMechanisms = {Mechanism::kPlain,     Mechanism::kLogin,
                                    Mechanism::kCramMd5,   Mechanism::kNtlm,
                                    Mechanism::kScramSha1, Mechanism::kScramSha256};
constexpr std::array<std::string_view, 4> kUsers = {"fred", "CORP\\fred", "j\xc3\xb6rg@example.org",
                                                    "CORP/fred/info"};

void Require(bool condition) {
  if (!condition) std::abort();
}

std::vector<std::string> SplitChallenges(std::string_view input) {
  constexpr size_t kMost = 8;
  std::vector<std::string> challenges;
  while (input.size() >= 2 && challenges.size() < kMost) {
    const size_t size =
        static_cast<size_t>(static_cast<uint8_t>(input[0]) << 8 | static_cast<uint8_t>(input[1]));
    challenges.emplace_back(input.substr(2, size));
    input.remove_prefix(std::min(input.size(), size + 2));
  }
  return challenges;
}

// What the client says to these challenges, one string a step; the last one is how it ended.
class Exchange {
 public:
  Exchange(Mechanism mechanism, uint8_t variant)
      : client_(MakeClientMechanism(
            mechanism,
            Credentials{std::string(kUsers[variant % kUsers.size()]), Secret(kPassword),
                        (variant & 0x80) != 0 ? "Corp" : ""},
            std::array<uint8_t, 32>{}, std::chrono::system_clock::time_point{})) {}

  std::vector<std::string> Run(const std::vector<std::string>& challenges) {
    bool going = !client_->client_first() || Take("");
    for (const std::string& challenge : challenges) {
      if (!going) break;
      going = Take(WithNonce(challenge));
    }
    const bool accepted = client_->Accept(challenges.empty() ? "" : WithNonce(challenges.back()));
    const bool proves = client_->mechanism() == Mechanism::kScramSha1 ||
                        client_->mechanism() == Mechanism::kScramSha256;
    Require(accepted != proves);
    said_.emplace_back(client_->failure());
    return said_;
  }

 private:
  bool Take(const std::string& challenge) {
    heard_ += challenge;
    Secret response;
    Step step = client_->Next(challenge, response);
    if (step == Step::kDerive) {
      std::unique_ptr<Derivation> work = client_->TakeDerivation();
      Require(work != nullptr && work->iterations >= 1 && work->iterations <= 1'000'000);
      // As good as the real one here, and at once.
      work->key = Secret(std::string(work->hash == Hash::kSha1 ? 20 : 32, 'k'));
      step = client_->OnDerived(std::move(work), response);
    }
    Require((step == Step::kFailed) == !client_->failure().empty());
    if (step != Step::kRespond) return false;
    const std::string_view text = response.Reveal();
    if (client_->mechanism() != Mechanism::kPlain && client_->mechanism() != Mechanism::kLogin) {
      RequireUntold(text, std::string(kPassword));
      RequireUntold(text, Utf16FromUtf8(kPassword));
    }
    said_.emplace_back(text);
    return true;
  }

  // NTLM gives back what the server said of itself: that is no telling.
  void RequireUntold(std::string_view text, const std::string& secret) const {
    Require(text.find(secret) == text.npos || heard_.find(secret) != heard_.npos);
  }

  std::string WithNonce(std::string text) const {
    const size_t place = text.find("%N");
    const size_t nonce = said_.empty() ? std::string::npos : said_[0].find(",r=");
    if (place != text.npos && nonce != text.npos)
      text.replace(place, 2, said_[0].substr(nonce + 3));
    return text;
  }

  std::unique_ptr<ClientMechanism> client_;
  std::vector<std::string> said_;
  std::string heard_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Mechanism mechanism = kMechanisms[data[0] % kMechanisms.size()];
  const auto challenges = SplitChallenges({reinterpret_cast<const char*>(data) + 2, size - 2});
  const auto said = Exchange(mechanism, data[1]).Run(challenges);
  Require(said == Exchange(mechanism, data[1]).Run(challenges));
  return 0;
}
