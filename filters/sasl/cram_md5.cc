#include <openssl/digest.h>

#include "filters/sasl/digest.h"
#include "filters/sasl/mechanisms.h"

namespace postern::sasl {
namespace {

// A challenge is a message id (RFC 2195, section 2): far shorter in practice.
constexpr size_t kMaxChallenge = 1024;

class CramMd5 : public SimpleMechanism {
 public:
  explicit CramMd5(Credentials credentials) : credentials_(std::move(credentials)) {}

  Mechanism mechanism() const override { return Mechanism::kCramMd5; }
  bool client_first() const override { return false; }

  Step Next(std::string_view challenge, Secret& response) override {
    if (sent_) return Fail(kSurprise);
    if (challenge.empty()) return Fail("an empty challenge");
    if (challenge.size() > kMaxChallenge) return Fail("a challenge that is too long");
    sent_ = true;
    const Secret mac = Hmac(EVP_md5(), credentials_.password.Reveal(), {challenge});
    credentials_.password.Clear();
    response = Join({credentials_.user, " ", Hex(mac.Reveal()).Reveal()});
    return Step::kRespond;
  }

 private:
  Credentials credentials_;
  bool sent_ = false;
};

}  // namespace

std::unique_ptr<ClientMechanism> MakeCramMd5(Credentials credentials) {
  return std::make_unique<CramMd5>(std::move(credentials));
}

}  // namespace postern::sasl
