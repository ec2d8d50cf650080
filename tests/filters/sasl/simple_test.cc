#include "filters/sasl/apop.h"
#include "tests/filters/sasl/steps.h"

namespace postern::sasl {
namespace {

using namespace std::string_view_literals;

TEST(Plain, IsOneMessage) {
  const auto plain = MakeTestMechanism(Mechanism::kPlain, MakeCredentials("tim", "tan staaf"));
  EXPECT_TRUE(plain->client_first());
  EXPECT_EQ(plain->mechanism(), Mechanism::kPlain);
  EXPECT_EQ(Respond(*plain, ""), "\0tim\0tan staaf"sv);
  ExpectFailure(*plain, "");
  EXPECT_TRUE(plain->Accept(""));
}

TEST(Login, AnswersTwoPromptsWhateverTheySay) {
  const auto login = MakeTestMechanism(Mechanism::kLogin, MakeCredentials("CORP\\tim", "se\"cret"));
  EXPECT_FALSE(login->client_first());
  EXPECT_EQ(Respond(*login, "User Name\0"sv), "CORP\\tim");
  EXPECT_EQ(Respond(*login, ""), "se\"cret");
  ExpectFailure(*login, "Password:");
  EXPECT_TRUE(login->Accept(""));
}

TEST(CramMd5, ExampleOfRfc2195) {
  const auto cram =
      MakeTestMechanism(Mechanism::kCramMd5, MakeCredentials("tim", "tanstaaftanstaaf"));
  EXPECT_FALSE(cram->client_first());
  EXPECT_EQ(Respond(*cram, "<1896.697170952@postoffice.reston.mci.net>"),
            "tim b913a602c7eda7a495b4e6e7334d3890");
  ExpectFailure(*cram, "<1896.697170952@postoffice.reston.mci.net>");
}

TEST(CramMd5, ChallengeIsBounded) {
  ExpectFailure(*MakeTestMechanism(Mechanism::kCramMd5, MakeCredentials("tim", "x")), "");
  ExpectFailure(*MakeTestMechanism(Mechanism::kCramMd5, MakeCredentials("tim", "x")),
                std::string(1025, 'x'));
  const auto cram = MakeTestMechanism(Mechanism::kCramMd5, MakeCredentials("tim", "x"));
  EXPECT_EQ(Respond(*cram, std::string(1024, 'x')).size(), 4u + 32);
}

TEST(CramMd5, EmptyPasswordIsAnEmptyKey) {
  const auto cram = MakeTestMechanism(Mechanism::kCramMd5, MakeCredentials("u", ""));
  EXPECT_EQ(Respond(*cram, "<a@b>").size(), 2u + 32);
}

TEST(Apop, ExampleOfRfc1939) {
  EXPECT_EQ(ApopDigest("<1896.697170952@dbc.mtview.ca.us>", Secret("tanstaaf")),
            "c4c9334bac560ecc979e58001b3e22fb");
}

TEST(Apop, FindsTheStamp) {
  EXPECT_EQ(FindStamp("+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n"),
            "<1896.697170952@dbc.mtview.ca.us>");
  EXPECT_EQ(FindStamp("+OK <hello> <<1.2@[127.0.0.1]> here"), "<1.2@[127.0.0.1]>");
}

TEST(Apop, RefusesWhatIsNoMessageId) {
  for (const std::string_view greeting :
       {"+OK ready"sv, "+OK <hello>"sv, "+OK <a@b"sv, "+OK a@b>"sv, "+OK <@b>"sv, "+OK <a@>"sv,
        "+OK <a b@c>"sv, "+OK <a\x80@c>"sv, "+OK <a\0@c>"sv, "+OK <a\x7f@c>"sv, "+OK <a@b@c>"sv,
        "><@"sv, ""sv}) {
    EXPECT_EQ(FindStamp(greeting), std::nullopt) << greeting;
  }
  EXPECT_EQ(FindStamp("+OK <" + std::string(600, 'a') + "@b>"), std::nullopt);
}

TEST(Factory, MakesNoOthers) {
  for (size_t i = 0; i < kMechanismCount; ++i) {
    const auto mechanism = static_cast<Mechanism>(i);
    const auto made = MakeTestMechanism(mechanism, MakeCredentials("u", "p"));
    if (made != nullptr) {
      EXPECT_EQ(made->mechanism(), mechanism);
    }
  }
  EXPECT_EQ(MakeTestMechanism(Mechanism::kApop, MakeCredentials("u", "p")), nullptr);
  EXPECT_EQ(MakeTestMechanism(Mechanism::kBasic, MakeCredentials("u", "p")), nullptr);
  EXPECT_EQ(MakeTestMechanism(Mechanism::kGssapi, MakeCredentials("u", "p")), nullptr);
}

}  // namespace
}  // namespace postern::sasl
