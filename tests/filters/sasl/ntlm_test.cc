// The NTLM mechanism against a server of the test's own, which knows the password and judges what
// it is told by what stands in it.
#include <openssl/digest.h>
#include <openssl/rc4.h>

#include "filters/sasl/digest.h"
#include "filters/sasl/ntlm_message.h"
#include "filters/sasl/unicode.h"
#include "tests/filters/sasl/hex.h"
#include "tests/filters/sasl/steps.h"

namespace postern::sasl {
namespace {

using namespace ntlm;

std::string Utf16(std::string_view text) { return Utf16FromUtf8(text); }

std::string Le32(size_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

size_t ReadNumber(std::string_view message, size_t at, size_t size) {
  size_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(message[at + i]);
  return value;
}

std::string ReadField(std::string_view message, size_t at) {
  return std::string(message.substr(ReadNumber(message, at + 4, 4), ReadNumber(message, at, 2)));
}

std::string Mac(std::string_view key, std::initializer_list<std::string_view> pieces) {
  return std::string(Hmac(EVP_md5(), key, pieces).Reveal());
}

std::string Pair(int id, std::string_view value) {
  return Le32(static_cast<size_t>(id) | value.size() << 16) + std::string(value);
}

constexpr uint32_t kWindowsFlags = kUnicode | kRequestTarget | kNtlm | kAlwaysSign |
                                   kTargetTypeDomain | kExtendedSessionSecurity | kTargetInfo |
                                   k128 | k56;
const std::string kNonce = FromHex("0123456789abcdef");
const std::string kTime = FromHex("00803ed5deb19d01");

struct TestServer {
  uint32_t flags = kWindowsFlags;
  std::string target = Utf16("CORP");
  std::string pairs =
      Pair(2, Utf16("CORP")) + Pair(1, Utf16("MAIL")) + Pair(4, Utf16("corp.example"));

  std::string Challenge() const {
    constexpr size_t kHeader = 48;
    const std::string info = (flags & kTargetInfo) != 0 ? pairs + Pair(0, "") : std::string();
    const auto field = [](size_t size, size_t offset) {
      return Le32(size | size << 16) + Le32(offset);
    };
    return std::string("NTLMSSP\0", 8) + Le32(2) + field(target.size(), kHeader) + Le32(flags) +
           kNonce + std::string(8, '\0') + field(info.size(), kHeader + target.size()) + target +
           info;
  }
};

// A conversation and what came of it.
struct Talk {
  std::string negotiate, challenge, authenticate;

  uint32_t flags() const { return static_cast<uint32_t>(ReadNumber(authenticate, 60, 4)); }
  std::string lm() const { return ReadField(authenticate, 12); }
  std::string nt() const { return ReadField(authenticate, 20); }
  std::string domain() const { return ReadField(authenticate, 28); }
  std::string user() const { return ReadField(authenticate, 36); }
  std::string session_key() const { return ReadField(authenticate, 52); }
  size_t payload() const { return ReadNumber(authenticate, 32, 4); }  // the domain comes first

  // The key of NTLMv2 as the server works it out. `upper` is the user in upper case, UTF-16LE.
  static std::string Key(const std::string& password, const std::string& upper,
                         const std::string& domain) {
    return Mac(Digest(EVP_md4(), {password}).Reveal(), {upper, domain});
  }
  bool Proves(const std::string& key) const {
    const std::string response = nt();
    return response.size() > 44 &&
           response.substr(0, 16) == Mac(key, {kNonce, response.substr(16)});
  }
};

Talk Speak(const TestServer& server, Credentials credentials) {
  Talk talk;
  const auto ntlm = MakeTestMechanism(Mechanism::kNtlm, std::move(credentials));
  talk.negotiate = Respond(*ntlm, "");
  talk.challenge = server.Challenge();
  talk.authenticate = Respond(*ntlm, talk.challenge);
  ExpectFailure(*ntlm, talk.challenge);
  return talk;
}

TEST(Ntlm, ProvesThePassword) {
  const Talk talk = Speak({}, MakeCredentials("fred", "Pass word"));
  EXPECT_EQ(talk.user(), Utf16("fred"));
  EXPECT_EQ(talk.domain(), Utf16("CORP"));
  const std::string key = Talk::Key(Utf16("Pass word"), Utf16("FRED"), Utf16("CORP"));
  EXPECT_TRUE(talk.Proves(key));
  EXPECT_FALSE(talk.Proves(Talk::Key(Utf16("pass word"), Utf16("FRED"), Utf16("CORP"))));
  // LMv2 over the same nonces.
  EXPECT_EQ(talk.lm().substr(0, 16), Mac(key, {kNonce, talk.lm().substr(16)}));
  EXPECT_EQ(talk.lm().substr(16), talk.nt().substr(32, 8));
  EXPECT_EQ(talk.session_key(), "");
  EXPECT_EQ(talk.payload(), 72u);
  EXPECT_EQ(talk.flags() & (kUnicode | kOem), uint32_t{kUnicode});
}

TEST(Ntlm, TellsTheTimeOfDayWhereTheServerDoesNot) {
  const Talk talk = Speak({}, MakeCredentials("fred", "x"));
  // 1,700,000,000 s after 1970 as a FILETIME.
  EXPECT_EQ(ReadNumber(talk.nt(), 24, 8), 133'444'736'000'000'000u);
  EXPECT_EQ(talk.nt().substr(44), TestServer().pairs + Pair(0, "") + std::string(4, '\0'));
}

TEST(Ntlm, SignsTheMessagesWhereTheServerTellsTheTime) {
  TestServer server;
  server.pairs += Pair(7, kTime);
  const Talk talk = Speak(server, MakeCredentials("fred", "x"));
  const std::string key = Talk::Key(Utf16("x"), Utf16("FRED"), Utf16("CORP"));
  EXPECT_TRUE(talk.Proves(key));
  EXPECT_EQ(talk.lm(), std::string(24, '\0'));
  EXPECT_EQ(talk.nt().substr(24, 8), kTime);
  EXPECT_EQ(talk.nt().substr(44),
            server.pairs + Pair(6, Le32(2)) + Pair(0, "") + std::string(4, '\0'));
  EXPECT_EQ(talk.payload(), 88u);
  std::string without = talk.authenticate;
  without.replace(72, 16, 16, '\0');
  const std::string base_key = Mac(key, {talk.nt().substr(0, 16)});
  EXPECT_EQ(talk.authenticate.substr(72, 16),
            Mac(base_key, {talk.negotiate, talk.challenge, without}));
}

TEST(Ntlm, SignsWithTheExchangedKey) {
  TestServer server;
  server.flags |= kKeyExchange | kSign | kSeal;
  server.pairs = Pair(6, Le32(1)) + Pair(7, kTime);
  const Talk talk = Speak(server, MakeCredentials("fred", "x", "elsewhere"));
  EXPECT_EQ(talk.domain(), Utf16("ELSEWHERE"));
  const std::string key = Talk::Key(Utf16("x"), Utf16("FRED"), talk.domain());
  EXPECT_TRUE(talk.Proves(key));
  EXPECT_EQ(talk.nt().substr(44, 8), Pair(6, Le32(3)));
  EXPECT_NE(talk.flags() & kKeyExchange, 0u);

  const std::string base_key = Mac(key, {talk.nt().substr(0, 16)});
  ASSERT_EQ(talk.session_key().size(), 16u);
  std::string session_key(16, '\0');
  RC4_KEY rc4;
  RC4_set_key(&rc4, 16, reinterpret_cast<const uint8_t*>(base_key.data()));
  RC4(&rc4, 16, reinterpret_cast<const uint8_t*>(talk.session_key().data()),
      reinterpret_cast<uint8_t*>(session_key.data()));
  std::string without = talk.authenticate;
  without.replace(72, 16, 16, '\0');
  EXPECT_EQ(talk.authenticate.substr(72, 16),
            Mac(session_key, {talk.negotiate, talk.challenge, without}));
}

TEST(Ntlm, ExchangesNoKeyThatNothingWillUse) {
  TestServer server;
  server.flags |= kKeyExchange;
  const Talk talk = Speak(server, MakeCredentials("fred", "x"));
  EXPECT_EQ(talk.session_key(), "");
  EXPECT_EQ(talk.flags() & kKeyExchange, 0u);
}

TEST(Ntlm, FindsTheDomain) {
  const auto account = [](std::string_view user, std::string_view domain) {
    const Talk talk = Speak({}, MakeCredentials(user, "x", domain));
    return std::pair(talk.domain(), talk.user());
  };
  const auto names = [](std::string_view domain, std::string_view user) {
    return std::pair(Utf16(domain), Utf16(user));
  };
  EXPECT_EQ(account("fred", ""), names("CORP", "fred"));
  EXPECT_EQ(account("fred", "OTHER"), names("OTHER", "fred"));
  EXPECT_EQ(account("fred", "corp"), names("CORP", "fred"));
  EXPECT_EQ(account("OTHER\\fred", ""), names("OTHER", "fred"));
  EXPECT_EQ(account("OTHER\\fred", "CORP"), names("OTHER", "fred"));
  EXPECT_EQ(account("Other/fred", "CORP"), names("OTHER", "fred"));
  EXPECT_EQ(account("CORP/fred/info", "CORP"), names("CORP", "fred"));
  EXPECT_EQ(account("a/b", ""), names("CORP", "a/b"));
  EXPECT_EQ(account("fred@corp.example", ""), names("", "fred@corp.example"));
  EXPECT_EQ(account("fred@corp.example", "OTHER"), names("OTHER", "fred@corp.example"));
}

TEST(Ntlm, SpellsTheDomainAsTheServerDoes) {
  TestServer server;
  server.pairs = Pair(2, Utf16("Corp"));
  const Talk talk = Speak(server, MakeCredentials("fred", "x", "corp"));
  EXPECT_EQ(talk.domain(), Utf16("Corp"));
  EXPECT_TRUE(talk.Proves(Talk::Key(Utf16("x"), Utf16("FRED"), Utf16("Corp"))));
}

TEST(Ntlm, SpeaksUnicode) {
  const Talk talk = Speak({}, MakeCredentials("jürgen", "пароль😀", "köln"));
  EXPECT_EQ(talk.user(), Utf16("jürgen"));
  EXPECT_TRUE(talk.Proves(Talk::Key(Utf16("пароль😀"), Utf16("JÜRGEN"), Utf16("KÖLN"))));
  const Talk latin = Speak({}, MakeCredentials("fred",
                                               "gr\xfc\xdf"
                                               "e"));
  EXPECT_TRUE(latin.Proves(Talk::Key(Utf16("grüße"), Utf16("FRED"), Utf16("CORP"))));
}

TEST(Ntlm, SpeaksToAServerWithoutUnicode) {
  TestServer server;
  server.flags = kOem | kNtlm | kTargetTypeDomain;
  server.target = "CORP";
  const Talk talk = Speak(server, MakeCredentials("j\xc3\xb6rg", "sécret"));
  EXPECT_EQ(talk.user(), "j\xf6rg");
  EXPECT_EQ(talk.domain(), "CORP");
  EXPECT_EQ(talk.flags() & (kUnicode | kOem), uint32_t{kOem});
  EXPECT_TRUE(talk.Proves(Talk::Key(Utf16("sécret"), Utf16("JÖRG"), Utf16("CORP"))));
  EXPECT_EQ(talk.nt().substr(44), std::string(8, '\0'));

  const auto ntlm = MakeTestMechanism(Mechanism::kNtlm, MakeCredentials("иван", "x"));
  Respond(*ntlm, "");
  ExpectFailure(*ntlm, server.Challenge());
}

// Cyrus SASL: no target information but room for it; it hashes the domain in upper case
// and the bytes of the password.
TEST(Ntlm, SpeaksToCyrusSasl) {
  TestServer server;
  server.flags = kUnicode | kRequestTarget | kNtlm | kTargetTypeServer;
  server.target = Utf16("MAIL");
  const Talk talk = Speak(server, MakeCredentials("fred",
                                                  "gr\xc3\xbc\xc3\x9f"
                                                  "e"));
  EXPECT_TRUE(talk.Proves(Talk::Key(Utf16FromBytes("gr\xc3\xbc\xc3\x9f"
                                                   "e"),
                                    Utf16("FRED"), Utf16("MAIL"))));
  const Talk own = Speak(server, MakeCredentials("fred", "x", "corp"));
  EXPECT_EQ(own.domain(), Utf16("CORP"));
  EXPECT_TRUE(own.Proves(Talk::Key(Utf16("x"), Utf16("FRED"), Utf16("CORP"))));
}

TEST(Ntlm, FailsOnWhatIsNoChallenge) {
  for (const std::string_view challenge : {"", "NTLM supported", "NTLMSSP"}) {
    const auto ntlm = MakeTestMechanism(Mechanism::kNtlm, MakeCredentials("u", "p"));
    Respond(*ntlm, "");
    ExpectFailure(*ntlm, challenge);
    ExpectFailure(*ntlm, TestServer().Challenge());
  }
  ExpectFailure(*MakeTestMechanism(Mechanism::kNtlm, MakeCredentials("u", "p")), "x");
}

}  // namespace
}  // namespace postern::sasl
