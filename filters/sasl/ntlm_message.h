// The three messages of NTLM on the wire (MS-NLMP, 2.2.1): read and written, nothing computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filters/secret.h"

namespace postern::sasl::ntlm {

// NegotiateFlags (2.2.2.5).
enum Flag : uint32_t {
  kUnicode = 0x00000001,
  kOem = 0x00000002,
  kRequestTarget = 0x00000004,
  kSign = 0x00000010,
  kSeal = 0x00000020,
  kNtlm = 0x00000200,
  kAlwaysSign = 0x00008000,
  kTargetTypeDomain = 0x00010000,
  kTargetTypeServer = 0x00020000,
  kExtendedSessionSecurity = 0x00080000,
  kTargetInfo = 0x00800000,
  k128 = 0x20000000,
  kKeyExchange = 0x40000000,
  k56 = 0x80000000,
};

// AvId (2.2.2.1).
enum AvId : uint16_t {
  kAvEol = 0,
  kAvNbDomainName = 2,
  kAvFlags = 6,
  kAvTimestamp = 7,
};
inline constexpr uint32_t kAvFlagMic = 2;

// A challenge longer than this is no challenge. Target information of a large domain has a few
// hundred bytes.
inline constexpr size_t kMaxChallenge = 8192;
// Bytes of one name, as encoded.
inline constexpr size_t kMaxName = 4096;

std::string WriteNegotiate(uint32_t flags);

// Views point into the message.
struct Challenge {
  uint32_t flags = 0;
  std::string_view nonce;        // 8 bytes
  std::string_view target_name;  // UTF-16LE with kUnicode (of an even size then), else OEM
  bool has_target_info = false;
  bool leaves_target_info_empty = false;  // the header has room for it, the flags say there is none
  std::string_view av_pairs;              // without the one that ends the list
  std::string_view nb_domain_name;
  std::optional<uint32_t> av_flags;
  std::string_view timestamp;  // 8 bytes, or empty
};

// nullopt where it is malformed, or anything in it points outside of it.
std::optional<Challenge> ParseChallenge(std::string_view message);

// The target information for the client's response: the server's, with the word that there is a
// message integrity code where `mic` says so, ended.
std::string WriteTargetInfo(const Challenge& challenge, bool mic);

struct Authenticate {
  uint32_t flags = 0;
  std::string domain;  // encoded as the flags say, at most kMaxName
  std::string user;
  std::string workstation;
  Secret lm_response;
  Secret nt_response;
  std::string session_key;  // encrypted; empty without a key exchange
  std::string version;      // 8 bytes, or empty for none
  bool mic = false;         // leave room for one
};
inline constexpr size_t kMicOffset = 72;
inline constexpr size_t kMicSize = 16;

// It holds the responses: the caller wipes it.
std::string WriteAuthenticate(const Authenticate& message);

}  // namespace postern::sasl::ntlm
