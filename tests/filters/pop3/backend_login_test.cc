#include "filters/pop3/backend_login.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::pop3 {
namespace {

using Next = BackendLogin::Next;

BackendLogin Make(Mechanism mechanism, std::optional<std::string> stamp = std::nullopt) {
  return BackendLogin(mechanism, sasl::Credentials{"tim", Secret("tanstaaftanstaaf"), ""}, stamp,
                      {}, {});
}

TEST(BackendLogin, SpeaksUserThenPass) {
  BackendLogin login = Make(Mechanism::kBasic);
  EXPECT_EQ(login.Begin(), "USER tim\r\n");
  std::string send;
  EXPECT_EQ(login.OnLine("+OK", send), Next::kSend);
  EXPECT_EQ(send, "PASS tanstaaftanstaaf\r\n");
  EXPECT_EQ(login.OnLine("+OK in", send), Next::kAccepted);
}

TEST(BackendLogin, ARefusedUserIsAVerdict) {
  BackendLogin login = Make(Mechanism::kBasic);
  login.Begin();
  std::string send;
  EXPECT_EQ(login.OnLine("-ERR who?", send), Next::kRefused);
}

TEST(BackendLogin, AChallengeWithoutSaslIsBroken) {
  BackendLogin login = Make(Mechanism::kBasic);
  login.Begin();
  std::string send;
  EXPECT_EQ(login.OnLine("+ abc", send), Next::kBroken);
  EXPECT_EQ(login.OnLine("* OK", send), Next::kBroken);
}

TEST(BackendLogin, ApopIsOneLine) {
  BackendLogin login =
      BackendLogin(Mechanism::kApop, sasl::Credentials{"mrose", Secret("tanstaaf"), ""},
                   "<1896.697170952@dbc.mtview.ca.us>", {}, {});
  EXPECT_EQ(login.Begin(), "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
  std::string send;
  EXPECT_EQ(login.OnLine("-ERR no", send), Next::kRefused);
}

TEST(BackendLogin, TheClientBeginsPlainWhateverThePromptSays) {
  BackendLogin login = Make(Mechanism::kPlain);
  EXPECT_EQ(login.Begin(), "AUTH PLAIN\r\n");
  std::string send;
  EXPECT_EQ(login.OnLine("+ go ahead", send), Next::kSend);
  EXPECT_EQ(send, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
  EXPECT_EQ(login.OnLine("-ERR no", send), Next::kRefused);
}

TEST(BackendLogin, AMechanismThatIsNotThereIsNoVerdict) {
  BackendLogin login = Make(Mechanism::kCramMd5);
  login.Begin();
  std::string send;
  EXPECT_EQ(login.OnLine("-ERR unknown mechanism", send), Next::kUnready);
}

TEST(BackendLogin, AChallengeThatIsNoBase64Fails) {
  BackendLogin login = Make(Mechanism::kCramMd5);
  login.Begin();
  std::string send;
  EXPECT_EQ(login.OnLine("+ <1@example>", send), Next::kFailed);
  EXPECT_FALSE(login.failure().empty());
}

TEST(BackendLogin, AServerThatDidNotProveItselfIsToldApart) {
  BackendLogin login = Make(Mechanism::kScramSha256);
  login.Begin();
  std::string send;
  EXPECT_EQ(login.OnLine("+", send), Next::kSend);
  EXPECT_EQ(login.OnLine("+OK", send), Next::kUnproven);
}

}  // namespace
}  // namespace postern::pop3
