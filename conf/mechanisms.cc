#include "conf/mechanisms.h"

#include <array>

namespace postern::conf {
namespace {

// IANA's registry of SASL mechanisms, and what mail servers have shown besides. The first
// kInTable of them are rows of the table.
constexpr std::array<std::string_view, 41> kKnown = {"BASIC",
                                                     "PLAIN",
                                                     "LOGIN",
                                                     "APOP",
                                                     "CRAM-MD5",
                                                     "DIGEST-MD5",
                                                     "NTLM",
                                                     "GSSAPI",
                                                     "SCRAM-SHA-1",
                                                     "SCRAM-SHA-256",
                                                     "XOAUTH2",
                                                     "OAUTHBEARER",
                                                     "DPA",
                                                     "EXTERNAL",
                                                     "*",
                                                     "GSS-SPNEGO",
                                                     "GS2-KRB5",
                                                     "KERBEROS_V4",
                                                     "KERBEROS_V5",
                                                     "SCRAM-SHA-224",
                                                     "SCRAM-SHA-384",
                                                     "SCRAM-SHA-512",
                                                     "SCRAM-SHA3-512",
                                                     "ANONYMOUS",
                                                     "OTP",
                                                     "SKEY",
                                                     "SRP",
                                                     "SECURID",
                                                     "SAML20",
                                                     "OPENID20",
                                                     "SXOVER-PLUS",
                                                     "XOAUTH",
                                                     "NMAS-SAMBA-AUTH",
                                                     "NMAS_AUTHEN",
                                                     "NMAS_LOGIN",
                                                     "CRAM-SHA1",
                                                     "9798-U-RSA-SHA1-ENC",
                                                     "ECDSA-NIST256P-CHALLENGE",
                                                     "EAP-AES128",
                                                     "X-NTLM",
                                                     "MSN"};
constexpr size_t kInTable = 15;

}  // namespace

std::span<const std::string_view> KnownMechanisms() { return kKnown; }

std::span<const std::string_view> TableMechanisms() { return std::span(kKnown).first(kInTable); }

}  // namespace postern::conf
