#include "filters/sasl/mechanisms.h"
#include "filters/sasl/saslprep.h"
#include "filters/sasl/unicode.h"
#include "tests/filters/sasl/steps.h"

namespace postern::sasl {
namespace {

constexpr std::string_view kNonce = "fyko+d2lbbFgONRv9qkxdawL";
constexpr std::string_view kServerFirst =
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
constexpr std::string_view kServerFinal = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";

std::unique_ptr<ClientMechanism> MakeRfc5802() {
  return MakeScram(Hash::kSha1, MakeCredentials("user", "pencil"), std::string(kNonce));
}

// After the client's proof: the server's is due.
std::unique_ptr<ClientMechanism> MakeProven() {
  auto scram = MakeRfc5802();
  Respond(*scram, "");
  Respond(*scram, kServerFirst);
  return scram;
}

TEST(Scram, ExampleOfRfc5802) {
  const auto scram = MakeRfc5802();
  EXPECT_TRUE(scram->client_first());
  EXPECT_EQ(Respond(*scram, ""), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
  EXPECT_EQ(Respond(*scram, kServerFirst),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  EXPECT_EQ(Respond(*scram, kServerFinal), "");
  EXPECT_TRUE(scram->Accept(""));
  EXPECT_EQ(scram->mechanism(), Mechanism::kScramSha1);
}

TEST(Scram, ExampleOfRfc7677) {
  const auto scram =
      MakeScram(Hash::kSha256, MakeCredentials("user", "pencil"), "rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(Respond(*scram, ""), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(Respond(*scram,
                    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(scram->Accept("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

TEST(Scram, AnOkWithoutTheSignatureIsNoProof) {
  EXPECT_FALSE(MakeRfc5802()->Accept(""));
  EXPECT_FALSE(MakeRfc5802()->Accept(kServerFinal));
  for (const char* data : {"", "v=", "v=AAAA", "v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
                           "rmF9pqV8S7suAoZWja4dJRkFsKQ=", "e=other-error"}) {
    const auto scram = MakeProven();
    EXPECT_FALSE(scram->Accept(data)) << data;
    EXPECT_FALSE(scram->failure().empty());
    // A right one that comes too late does not count.
    EXPECT_FALSE(scram->Accept(kServerFinal));
  }
  EXPECT_TRUE(MakeProven()->Accept(kServerFinal));
  EXPECT_TRUE(MakeProven()->Accept(std::string(kServerFinal) + ",x=more"));
}

TEST(Scram, AWrongSignatureFails) {
  ExpectFailure(*MakeProven(), "");
  ExpectFailure(*MakeProven(), "v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  ExpectFailure(*MakeProven(), "x=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
  const auto scram = MakeProven();
  ExpectFailure(*scram, "v=");
  EXPECT_FALSE(scram->Accept(kServerFinal));
  ExpectFailure(*scram, kServerFinal);
}

TEST(Scram, HearsTheServersNoToItsEnd) {
  const auto scram = MakeProven();
  EXPECT_EQ(Respond(*scram, "e=invalid-proof"), "");
  EXPECT_FALSE(scram->Accept(""));
  const auto other = MakeProven();
  EXPECT_EQ(Respond(*other, "e=invalid-proof"), "");
  ExpectFailure(*other, kServerFinal);
  EXPECT_FALSE(other->Accept(kServerFinal));
}

TEST(Scram, NothingFollowsTheProof) {
  const auto scram = MakeProven();
  Respond(*scram, kServerFinal);
  ExpectFailure(*scram, kServerFinal);
  EXPECT_FALSE(scram->Accept(""));
}

TEST(Scram, RefusesABadServerFirst) {
  const std::string nonce = "r=" + std::string(kNonce);
  for (const std::string& message : {
           std::string(),
           nonce + ",s=QSXCR+Q6sek8bf92,i=4096",  // nothing of the server's own
           std::string("r=other,s=QSXCR+Q6sek8bf92,i=4096"),
           "r=x" + std::string(kNonce) + "y,s=QSXCR+Q6sek8bf92,i=4096",
           "m=ext," + nonce + "x,s=QSXCR+Q6sek8bf92,i=4096",
           nonce + "x,i=4096,s=QSXCR+Q6sek8bf92",
           nonce + "x,s=,i=4096",
           nonce + "x,s=Q,i=4096",
           nonce + "x,s=QSXCR+Q6sek8bf92",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=0",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=04096",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=-1",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=+1",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=4096 ",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=1000001",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=4294967297",
           nonce + "x,s=QSXCR+Q6sek8bf92,i=99999999999999999999",
           nonce + "x\xff,s=QSXCR+Q6sek8bf92,i=4096",
           nonce + "x y,s=QSXCR+Q6sek8bf92,i=4096",
           nonce + std::string(5000, 'x') + ",s=QSXCR+Q6sek8bf92,i=4096",
           std::string("e=other-error"),
       }) {
    const auto scram = MakeRfc5802();
    Respond(*scram, "");
    ExpectFailure(*scram, message);
    EXPECT_FALSE(scram->Accept(kServerFinal));
  }
}

TEST(Scram, TakesTheMostIterationsAndOptionalExtensions) {
  const auto scram = MakeRfc5802();
  Respond(*scram, "");
  Secret response;
  EXPECT_EQ(scram->Next("r=" + std::string(kNonce) + "x,s=AAAA,i=1000000,z=what", response),
            Step::kDerive);
  const auto work = scram->TakeDerivation();
  ASSERT_NE(work, nullptr);
  EXPECT_EQ(work->iterations, 1'000'000u);
  EXPECT_EQ(work->salt, std::string(3, '\0'));
  EXPECT_EQ(work->password.Reveal(), "pencil");
}

TEST(Scram, WaitsForTheDerivation) {
  const auto scram = MakeRfc5802();
  Respond(*scram, "");
  Secret response;
  ASSERT_EQ(scram->Next(kServerFirst, response), Step::kDerive);
  EXPECT_FALSE(scram->Accept(kServerFinal));
  const auto other = MakeRfc5802();
  Respond(*other, "");
  ASSERT_EQ(other->Next(kServerFirst, response), Step::kDerive);
  EXPECT_EQ(other->OnDerived(nullptr, response), Step::kFailed);
}

TEST(Scram, EscapesTheUser) {
  const auto scram = MakeScram(Hash::kSha1, MakeCredentials("a,b=c", "p"), "n");
  EXPECT_EQ(Respond(*scram, ""), "n,,n=a=2Cb=3Dc,r=n");
}

TEST(Scram, NonceIsPrintableAndOfItsSeed) {
  const auto first = [] {
    const auto scram = MakeTestMechanism(Mechanism::kScramSha256, MakeCredentials("u", "p"));
    return Respond(*scram, "");
  };
  EXPECT_EQ(first(), first());
  const std::string nonce = first().substr(first().find("r=") + 2);
  EXPECT_EQ(nonce.size(), 24u);
  EXPECT_EQ(nonce.find(','), std::string::npos);
  const auto other =
      MakeClientMechanism(Mechanism::kScramSha256, MakeCredentials("u", "p"), {}, {});
  EXPECT_NE(first(), Respond(*other, ""));
}

// RFC 4013, section 3.
TEST(SaslPrep, ExamplesOfRfc4013) {
  const auto prepared = [](std::string_view text) {
    return std::string(SaslPrep(text, Prepare::kStored).Reveal());
  };
  EXPECT_EQ(prepared("I\xc2\xadX"), "IX");
  EXPECT_EQ(prepared("user"), "user");
  EXPECT_EQ(prepared("USER"), "USER");
  EXPECT_EQ(prepared("\xc2\xaa"), "a");
  EXPECT_EQ(prepared("\xe2\x85\xa8"), "IX");
  EXPECT_EQ(prepared("a\xc2\xa0"
                     "b"),
            "a b");
  EXPECT_EQ(prepared("u\xcc\x88"), "\xc3\xbc");
}

TEST(SaslPrep, WhatCannotBePreparedStaysAsItIs) {
  for (const std::string_view text : {"\xff\xfe", "\xc3", "\xed\xa0\x80",
                                      "\xd8\xa7"
                                      "1",
                                      "\xc2\xad", "\xc2\x80", ""}) {
    EXPECT_EQ(SaslPrep(text, Prepare::kStored).Reveal(), text);
  }
  // Unicode 3.2 does not know U+1F600: in a password it forbids the whole preparation.
  constexpr std::string_view kSmile = "u\xcc\x88\xf0\x9f\x98\x80";
  EXPECT_EQ(SaslPrep(kSmile, Prepare::kStored).Reveal(), kSmile);
  EXPECT_EQ(SaslPrep(kSmile, Prepare::kQuery).Reveal(), "\xc3\xbc\xf0\x9f\x98\x80");
}

// What takes the short way is as the library would have it, alone and beside its like.
TEST(SaslPrep, CommonLettersArePreparedAlready) {
  std::string before = "a";
  for (char32_t code_point = 0x20; code_point < 0xd800; ++code_point) {
    std::string text;
    AppendUtf8(text, code_point);
    for (const std::string& whole : {text, before + text + "a", "\xea\xb0\x80" + text}) {
      EXPECT_EQ(SaslPrep(whole, Prepare::kStored).Reveal(),
                SaslPrepByLibrary(whole, Prepare::kStored).Reveal())
          << static_cast<uint32_t>(code_point);
    }
    before = text;
  }
}

TEST(SaslPrep, LongestExpansionFits) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "\xef\xb7\xba";  // U+FDFA, 18 code points each
  EXPECT_EQ(SaslPrep(text, Prepare::kQuery).Reveal().substr(0, 2), "\xd8\xb5");
}

// RFC 6070, and the same input for SHA-256.
TEST(Derivation, VectorsOfPbkdf2) {
  const auto run = [](Hash hash, uint32_t iterations) {
    Derivation work;
    work.hash = hash;
    work.password = Secret("password");
    work.salt = "salt";
    work.iterations = iterations;
    work.Run();
    return std::string(work.key.Reveal());
  };
  EXPECT_EQ(run(Hash::kSha1, 4096), std::string("\x4b\x00\x79\x01\xb7\x65\x48\x9a\xbe\xad"
                                                "\x49\xd9\x26\xf7\x21\xd0\x65\xa4\x29\xc1",
                                                20));
  EXPECT_EQ(run(Hash::kSha1, 1).substr(0, 4), "\x0c\x60\xc8\x0f");
  EXPECT_EQ(run(Hash::kSha256, 4096).substr(0, 4), "\xc5\xe4\x78\xd5");
  EXPECT_EQ(run(Hash::kSha256, 1).size(), 32u);
}

}  // namespace
}  // namespace postern::sasl
