#include "filters/sasl/digest.h"
#include "filters/sasl/mechanisms.h"

namespace postern::sasl {
namespace {

class Plain : public SimpleMechanism {
 public:
  explicit Plain(Credentials credentials) : credentials_(std::move(credentials)) {}

  Mechanism mechanism() const override { return Mechanism::kPlain; }
  bool client_first() const override { return true; }

  Step Next(std::string_view challenge, Secret& response) override {
    if (sent_ || !challenge.empty()) return Fail(kSurprise);
    sent_ = true;
    constexpr std::string_view kNul("\0", 1);
    response = Join({kNul, credentials_.user, kNul, credentials_.password.Reveal()});
    credentials_.password.Clear();
    return Step::kRespond;
  }

 private:
  Credentials credentials_;
  bool sent_ = false;
};

}  // namespace

std::unique_ptr<ClientMechanism> MakePlain(Credentials credentials) {
  return std::make_unique<Plain>(std::move(credentials));
}

}  // namespace postern::sasl
