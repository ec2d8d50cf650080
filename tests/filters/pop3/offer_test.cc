#include "filters/pop3/offer.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace postern::pop3 {
namespace {

std::string Capabilities(Offer& offer, std::initializer_list<std::string_view> lines) {
  std::string out;
  offer.BeginList();
  for (const std::string_view line : lines) offer.EditCapability(line, out);
  offer.EndCapabilities(out);
  return out;
}

Policy Rules(Rule basic, Rule others) {
  return Policy({{"BASIC", basic}, {"PLAIN", basic}, {"LOGIN", basic}}, others);
}

TEST(Offer, ShowsTheUpgradeInTheClearOfAStarttlsListenerAlone) {
  FilterOptions options;
  options.starttls = true;
  options.policy = Rules(Rule::kTls, Rule::kTls);
  Offer offer(options);
  EXPECT_EQ(Capabilities(offer, {"TOP", "STLS", "USER", "SASL PLAIN"}), "TOP\r\nSTLS\r\n.\r\n");
  offer.set_channel(Channel::kTls);
  EXPECT_EQ(Capabilities(offer, {"TOP", "STLS", "USER", "SASL PLAIN"}),
            "TOP\r\nUSER\r\nSASL PLAIN\r\n.\r\n");
  options.starttls = false;
  offer.set_channel(Channel::kClear);
  EXPECT_EQ(Capabilities(offer, {"STLS"}), ".\r\n");
}

TEST(Offer, JudgesEachMechanismByItsOwnName) {
  FilterOptions options;
  options.policy = Policy({{"BASIC", Rule::kNever},
                           {"PLAIN", Rule::kAlways},
                           {"LOGIN", Rule::kNever},
                           {"NTLM", Rule::kNever}},
                          Rule::kAlways);
  Offer offer(options);
  EXPECT_EQ(Capabilities(offer, {"USER", "sasl plain login NTLM  X-Y", "SASL GSSAPI"}),
            "SASL plain X-Y\r\nSASL GSSAPI\r\n.\r\n");
}

TEST(Offer, ShowsWhatPosternTakesItselfOnce) {
  FilterOptions options;
  options.policy = Rules(Rule::kAlways, Rule::kAlways);
  options.to_backend = ToBackend::kNtlm;
  Offer offer(options);
  EXPECT_EQ(Capabilities(offer, {"SASL LOGIN NTLM", "SASL PLAIN", "USER", "USER"}),
            "SASL PLAIN LOGIN NTLM\r\nUSER\r\n.\r\n");
  EXPECT_EQ(Capabilities(offer, {}), "USER\r\nSASL PLAIN LOGIN\r\n.\r\n");
  std::string out;
  offer.BeginList();
  offer.EditMechanism("PLAIN", out);
  offer.EditMechanism("NTLM", out);
  offer.EndMechanisms(out);
  EXPECT_EQ(out, "NTLM\r\nPLAIN\r\nLOGIN\r\n.\r\n");
}

TEST(Offer, NeverShowsWhatNoProxyCanCarry) {
  FilterOptions options;
  options.policy = Rules(Rule::kAlways, Rule::kAlways);
  options.observe = true;
  Offer offer(options);
  EXPECT_EQ(Capabilities(offer, {"SASL EXTERNAL SCRAM-SHA-1-PLUS SCRAM-SHA-1"}),
            "SASL SCRAM-SHA-1\r\n.\r\n");
}

TEST(Offer, ObservedIsAllowedAndToldApart) {
  FilterOptions options;
  options.policy = Rules(Rule::kNever, Rule::kTls);
  options.observe = true;
  Offer offer(options);
  bool observed = false;
  EXPECT_EQ(offer.Judge("BASIC", &observed), Verdict::kAllow);
  EXPECT_TRUE(observed);
  offer.set_channel(Channel::kTls);
  observed = false;
  EXPECT_EQ(offer.Judge("NTLM", &observed), Verdict::kAllow);
  EXPECT_FALSE(observed);
}

TEST(Offer, TakesEveryStampOutOfAGreetingWhereApopIsNever) {
  FilterOptions options;
  options.policy = Policy({{"APOP", Rule::kNever}}, Rule::kTls);
  const Offer offer(options);
  EXPECT_EQ(offer.EditGreeting("+OK ready <1.2@host>"), "+OK ready");
  EXPECT_EQ(offer.EditGreeting("+OK <1.2@host> ready <3@host>"), "+OK ready");
  EXPECT_EQ(offer.EditGreeting("+OK <\x80@host>x"), "+OKx");
  EXPECT_EQ(offer.EditGreeting("+OK a < b <c> @ >"), "+OK a < b <c> @ >");
  EXPECT_EQ(offer.EditGreeting("+OK <ready"), "+OK <ready");
  EXPECT_EQ(offer.EditGreeting("+OK"), "+OK");
}

}  // namespace
}  // namespace postern::pop3
