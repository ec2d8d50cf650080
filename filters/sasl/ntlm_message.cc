#include "filters/sasl/ntlm_message.h"

#include <algorithm>
#include <cstring>

namespace postern::sasl::ntlm {
namespace {

constexpr std::string_view kSignature{"NTLMSSP\0", 8};

uint16_t Read16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) | static_cast<uint8_t>(bytes[at + 1])
                                                                     << 8);
}

uint32_t Read32(std::string_view bytes, size_t at) {
  return Read16(bytes, at) | static_cast<uint32_t>(Read16(bytes, at + 2)) << 16;
}

void Append16(std::string& bytes, size_t value) {
  bytes += static_cast<char>(value & 0xff);
  bytes += static_cast<char>(value >> 8 & 0xff);
}

void Append32(std::string& bytes, size_t value) {
  Append16(bytes, value & 0xffff);
  Append16(bytes, value >> 16);
}

// What the length and offset at `at` point to. Sizes are 64 bits wide: nothing wraps.
std::optional<std::string_view> ReadField(std::string_view message, size_t at) {
  const size_t size = Read16(message, at);
  const size_t offset = Read32(message, at + 4);
  if (size == 0) return std::string_view();
  if (offset > message.size() || size > message.size() - offset) return std::nullopt;
  return message.substr(offset, size);
}

// Length, maximum length, offset of a field that comes next in the payload.
void AppendField(std::string& header, size_t size, size_t& offset) {
  Append16(header, size);
  Append16(header, size);
  Append32(header, offset);
  offset += size;
}

bool ReadPair(uint16_t id, std::string_view value, Challenge& challenge) {
  switch (id) {
    case kAvNbDomainName:
      if (value.size() % 2 != 0) return false;
      challenge.nb_domain_name = value;
      return true;
    case kAvFlags:
      if (value.size() != 4) return false;
      challenge.av_flags = Read32(value, 0);
      return true;
    case kAvTimestamp:
      if (value.size() != 8) return false;
      challenge.timestamp = value;
      return true;
    default:
      return true;
  }
}

// The list has to end by its own word; what is behind that is not part of it.
bool ReadTargetInfo(std::string_view info, Challenge& challenge) {
  size_t at = 0;
  while (info.size() - at >= 4) {
    const uint16_t id = Read16(info, at);
    const size_t size = Read16(info, at + 2);
    if (id == kAvEol) {
      challenge.av_pairs = info.substr(0, at);
      return size == 0;
    }
    if (size > info.size() - at - 4) return false;
    if (!ReadPair(id, info.substr(at + 4, size), challenge)) return false;
    at += 4 + size;
  }
  return false;
}

}  // namespace

std::string WriteNegotiate(uint32_t flags) {
  std::string message(kSignature);
  Append32(message, 1);
  Append32(message, flags);
  message.append(16, '\0');  // neither domain nor workstation
  message.append(8, '\0');   // no version, but its place: gss-ntlmssp refuses less
  return message;
}

std::optional<Challenge> ParseChallenge(std::string_view message) {
  // Windows NT 4 ends it after the nonce, later ones add a context and the target information.
  constexpr size_t kShortest = 32;
  constexpr size_t kWithTargetInfo = 48;
  if (message.size() < kShortest || message.size() > kMaxChallenge) return std::nullopt;
  if (!message.starts_with(kSignature) || Read32(message, 8) != 2) return std::nullopt;

  Challenge challenge;
  challenge.flags = Read32(message, 20);
  challenge.nonce = message.substr(24, 8);
  const auto target_name = ReadField(message, 12);
  if (!target_name || target_name->size() > kMaxName) return std::nullopt;
  if ((challenge.flags & kUnicode) != 0 && target_name->size() % 2 != 0) return std::nullopt;
  challenge.target_name = *target_name;

  if ((challenge.flags & kTargetInfo) == 0) {
    challenge.leaves_target_info_empty =
        message.size() >= kWithTargetInfo && Read32(message, 16) >= kWithTargetInfo;
    return challenge;
  }
  if (message.size() < kWithTargetInfo) return std::nullopt;
  const auto info = ReadField(message, 40);
  if (!info || !ReadTargetInfo(*info, challenge)) return std::nullopt;
  challenge.has_target_info = true;
  return challenge;
}

std::string WriteTargetInfo(const Challenge& challenge, bool mic) {
  std::string info(challenge.av_pairs);
  if (mic && challenge.av_flags) {
    // Its value is changed where it stands.
    for (size_t at = 0; at < info.size(); at += 4 + Read16(info, at + 2)) {
      if (Read16(info, at) == kAvFlags) info[at + 4] |= static_cast<char>(kAvFlagMic);
    }
  } else if (mic) {
    Append16(info, kAvFlags);
    Append16(info, 4);
    Append32(info, kAvFlagMic);
  }
  Append16(info, kAvEol);
  Append16(info, 0);
  return info;
}

std::string WriteAuthenticate(const Authenticate& message) {
  const std::string_view lm_response = message.lm_response.Reveal();
  const std::string_view nt_response = message.nt_response.Reveal();
  size_t offset = message.mic ? kMicOffset + kMicSize : kMicOffset;
  // The payload is in the order in which Windows writes it, the header in that of 2.2.1.3.
  std::string names;
  AppendField(names, message.domain.size(), offset);
  AppendField(names, message.user.size(), offset);
  AppendField(names, message.workstation.size(), offset);
  std::string text(kSignature);
  text.reserve(offset + lm_response.size() + nt_response.size() + message.session_key.size());
  Append32(text, 3);
  AppendField(text, lm_response.size(), offset);
  AppendField(text, nt_response.size(), offset);
  text += names;
  AppendField(text, message.session_key.size(), offset);
  Append32(text, message.flags);
  text += message.version;
  text.resize(message.mic ? kMicOffset + kMicSize : kMicOffset, '\0');
  text.append(message.domain).append(message.user).append(message.workstation);
  text.append(lm_response).append(nt_response).append(message.session_key);
  return text;
}

}  // namespace postern::sasl::ntlm
