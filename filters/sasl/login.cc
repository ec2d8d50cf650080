#include "filters/sasl/mechanisms.h"

namespace postern::sasl {
namespace {

// Two prompts, whose words differ from server to server ("Username:", "User Name", nothing at all)
// and are not looked at.
class LoginMechanism : public SimpleMechanism {
 public:
  explicit LoginMechanism(Credentials credentials) : credentials_(std::move(credentials)) {}

  Mechanism mechanism() const override { return Mechanism::kLogin; }
  bool client_first() const override { return false; }

  Step Next(std::string_view /*prompt*/, Secret& response) override {
    switch (state_) {
      case State::kUser:
        state_ = State::kPassword;
        response = Secret(credentials_.user);
        return Step::kRespond;
      case State::kPassword:
        state_ = State::kDone;
        response = std::move(credentials_.password);
        return Step::kRespond;
      case State::kDone:
        break;
    }
    return Fail(kSurprise);
  }

 private:
  enum class State : uint8_t { kUser, kPassword, kDone };

  Credentials credentials_;
  State state_ = State::kUser;
};

}  // namespace

std::unique_ptr<ClientMechanism> MakeLogin(Credentials credentials) {
  return std::make_unique<LoginMechanism>(std::move(credentials));
}

}  // namespace postern::sasl
