// The examples of MS-NLMP, 4.2.4, to the byte, and what a malformed message does.
#include <random>

#include "filters/sasl/digest.h"
#include "filters/sasl/ntlm_message.h"
#include "filters/sasl/ntlm_response.h"
#include "filters/sasl/unicode.h"
#include "tests/filters/sasl/hex.h"
#include "tests/filters/sasl/steps.h"

namespace postern::sasl::ntlm {
namespace {

std::string Utf16(std::string_view text) { return Utf16FromUtf8(text); }

// What all the examples start from (4.2.1).
const std::string kServerNonce = FromHex("0123456789abcdef");
const std::string kClientNonce(8, '\xaa');
const std::string kNoTime(8, '\0');
const std::string kTargetInfo = FromHex("02000c00") + Utf16("Domain") + FromHex("01000c00") +
                                Utf16("Server") + FromHex("00000000");
const std::string kChallengeMessage =
    FromHex(
        "4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef"
        "0000000000000000 24002400 44000000 060070170000000f") +
    Utf16("Server") + kTargetInfo;

Secret ExampleKey() { return ResponseKey(Utf16("Password"), Utf16("User"), Utf16("Domain")); }

V2 ExampleV2() { return ComputeV2(ExampleKey(), kServerNonce, kClientNonce, kNoTime, kTargetInfo); }

TEST(NtlmVectors, ResponseKey) {
  EXPECT_EQ(ToHex(ExampleKey().Reveal()), "0c868a403bfd7a93a3001ef22ef02e3f");
}

TEST(NtlmVectors, Responses) {
  EXPECT_EQ(ToHex(ComputeLmV2(ExampleKey(), kServerNonce, kClientNonce).Reveal()),
            "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
  const V2 v2 = ExampleV2();
  EXPECT_EQ(ToHex(v2.nt_response.Reveal()),
            "68cd0ab851e51c96aabc927bebef6a1c"
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
            "02000c0044006f006d00610069006e00"
            "01000c00530065007200760065007200"
            "0000000000000000");
  EXPECT_EQ(ToHex(v2.session_base_key.Reveal()), "8de40ccadbc14a82f15cb0ad0de95ca3");
  EXPECT_EQ(ToHex(EncryptSessionKey(v2.session_base_key, Secret(std::string(16, 'U')))),
            "c5dad2544fc9799094ce1ce90bc9d03e");
}

TEST(NtlmVectors, ChallengeMessage) {
  const auto challenge = ParseChallenge(kChallengeMessage);
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->flags, 0xe28a8233u);
  EXPECT_EQ(challenge->nonce, kServerNonce);
  EXPECT_EQ(challenge->target_name, Utf16("Server"));
  EXPECT_EQ(challenge->nb_domain_name, Utf16("Domain"));
  EXPECT_TRUE(challenge->has_target_info);
  EXPECT_TRUE(challenge->timestamp.empty());
  EXPECT_EQ(WriteTargetInfo(*challenge, false), kTargetInfo);
}

TEST(NtlmVectors, AuthenticateMessage) {
  V2 v2 = ExampleV2();
  Authenticate message;
  message.flags = 0xe2888235;
  message.domain = Utf16("Domain");
  message.user = Utf16("User");
  message.workstation = Utf16("COMPUTER");
  message.lm_response = ComputeLmV2(ExampleKey(), kServerNonce, kClientNonce);
  message.nt_response = std::move(v2.nt_response);
  message.session_key = EncryptSessionKey(v2.session_base_key, Secret(std::string(16, 'U')));
  message.version = FromHex("0501280a0000000f");
  EXPECT_EQ(ToHex(WriteAuthenticate(message)),
            "4e544c4d5353500003000000180018006c0000005400540084000000"
            "0c000c00480000000800080054000000100010005c000000"
            "10001000d8000000358288e20501280a0000000f"
            "44006f006d00610069006e00550073006500720043004f004d0050005500540045005200"
            "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
            "68cd0ab851e51c96aabc927bebef6a1c"
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
            "02000c0044006f006d00610069006e0001000c00530065007200760065007200"
            "0000000000000000c5dad2544fc9799094ce1ce90bc9d03e");
}

TEST(NtlmMessage, NegotiateIsShortAndNamesNobody) {
  EXPECT_EQ(ToHex(WriteNegotiate(0xa0088207)),
            "4e544c4d5353500001000000078208a000000000000000000000000000000000"
            "0000000000000000");
}

TEST(NtlmMessage, TakesAChallengeOfWindowsNt4) {
  // Neither context nor target information; the name in the OEM character set.
  const std::string message =
      FromHex(
          "4e544c4d53535000 02000000 04000400 28000000 02820100 0123456789abcdef"
          "0000000000000000") +
      "CORP";
  const auto challenge = ParseChallenge(message);
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->target_name, "CORP");
  EXPECT_FALSE(challenge->has_target_info);
  EXPECT_EQ(WriteTargetInfo(*challenge, false), std::string(4, '\0'));
  EXPECT_TRUE(
      ParseChallenge(FromHex("4e544c4d53535000 02000000 00000000 00000000 02820000"
                             "0123456789abcdef")));
}

TEST(NtlmMessage, SaysThatThereIsAMic) {
  Challenge challenge;
  const std::string names = FromHex("02000400") + Utf16("AB");
  challenge.av_pairs = names;
  EXPECT_EQ(ToHex(WriteTargetInfo(challenge, true)), ToHex(names) + "060004000200000000000000");
  const std::string flagged = FromHex("0600040001000000") + names;
  challenge.av_pairs = flagged;
  challenge.av_flags = 1;
  EXPECT_EQ(ToHex(WriteTargetInfo(challenge, true)),
            "0600040003000000" + ToHex(names) + "00000000");
}

TEST(NtlmMessage, RefusesWhatIsNoChallenge) {
  const auto with = [](size_t at, std::string_view hex) {
    std::string message = kChallengeMessage;
    const std::string bytes = FromHex(hex);
    message.replace(at, bytes.size(), bytes);
    return message;
  };
  ASSERT_TRUE(ParseChallenge(with(0, "4e")));
  for (const std::string& message : {
           std::string(),
           std::string("NTLM supported"),
           kChallengeMessage.substr(0, 31),
           with(0, "4f"),
           with(8, "03"),
           with(8, "01"),
           with(12, "0b000b00"),  // half a character
           with(12, "ffffffff"),  // longer than the message
           with(16, "ffffffff"),  // behind its end
           with(16, "fcffffff"),  // where 32 bits would wrap
           with(40, "25002500"),  // one more than there is
           with(44, "ffffff7f"),
           with(40, "20002000"),  // the end of the list cut off
           with(40, "00000000"),  // no list although the flags say so
           with(70, "ff"),        // a pair that is longer than the list
           with(68, "06000c00"),  // flags that have not four bytes
           with(68, "07000c00"),  // a time that has not eight
           kChallengeMessage.substr(0, 40),
           kChallengeMessage + std::string(kMaxChallenge, 'x'),
       }) {
    EXPECT_FALSE(ParseChallenge(message)) << ToHex(message.substr(0, 120));
  }
}

TEST(NtlmMessage, EveryCutAndManyFlipsStayInsideTheMessage) {
  for (size_t size = 0; size < kChallengeMessage.size(); ++size) {
    // Exactly as large as it is, so that a sanitizer sees a read behind the end.
    const std::vector<char> cut(kChallengeMessage.begin(),
                                kChallengeMessage.begin() + static_cast<ptrdiff_t>(size));
    ParseChallenge({cut.data(), cut.size()});
  }
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string message = kChallengeMessage;
    for (int flips = 0; flips < 3; ++flips) {
      message[random() % message.size()] = static_cast<char>(random());
    }
    if (const auto challenge = ParseChallenge(message)) WriteTargetInfo(*challenge, true);
  }
}

TEST(Unicode, Utf16) {
  EXPECT_EQ(ToHex(Utf16("A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), "4100e400ac203dd800de");
  EXPECT_EQ(ToHex(Utf16("A\xe4")), "4100e400");             // no UTF-8: Latin-1
  EXPECT_EQ(ToHex(Utf16("\xc3\xa4\xff")), "c300a400ff00");  // as a whole
  EXPECT_EQ(ToHex(Utf16("\xc0\x80")), "c0008000");          // overlong
  EXPECT_EQ(ToHex(Utf16("\xed\xa0\x80")), "ed00a0008000");  // a surrogate
  EXPECT_EQ(ToHex(Utf16("\xf4\x90\x80\x80")), "f400900080008000");
  EXPECT_EQ(ToHex(Utf16("\xe2\x82")), "e2008200");  // cut off
  EXPECT_EQ(ToHex(Utf16FromBytes("\xc3\xa4")), "c300a400");
  EXPECT_EQ(BytesFromUtf16(Utf16("\xc3\xa4 b")), "\xe4 b");
  EXPECT_EQ(BytesFromUtf16(Utf16("\xe2\x82\xac")), std::nullopt);
}

TEST(Unicode, UpperCaseOfWindows) {
  const auto upper = [](std::string_view text) {
    std::string utf16 = Utf16(text);
    MakeUpperUtf16(utf16);
    return utf16;
  };
  EXPECT_EQ(upper("User-09@z{"), Utf16("USER-09@Z{"));
  EXPECT_EQ(upper("äöüÿžłőß×÷"), Utf16("ÄÖÜŸŽŁŐß×÷"));
  EXPECT_EQ(upper("ΑΒγάέίόύώςσ"), Utf16("ΑΒΓΆΈΊΌΎΏΣΣ"));
  EXPECT_EQ(upper("Иванёђґүӏ"), Utf16("ИВАНЁЂҐҮӀ"));
  EXPECT_EQ(upper("ảỹ"), Utf16("ẢỸ"));
  EXPECT_EQ(upper("ıſµ"), Utf16("ıſµ"));
  EXPECT_EQ(upper("😀a"), Utf16("😀A"));
  // Everything that is upper case already stays so.
  for (int unit = 0; unit < 0xd800; ++unit) {
    const std::string once(1, static_cast<char>(unit & 0xff));
    std::string first = once + static_cast<char>(unit >> 8);
    MakeUpperUtf16(first);
    std::string second = first;
    MakeUpperUtf16(second);
    EXPECT_EQ(first, second) << unit;
  }
}

}  // namespace
}  // namespace postern::sasl::ntlm
