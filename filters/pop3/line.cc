#include "filters/pop3/line.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "filters/text.h"

namespace postern::pop3 {

LineFinder::Result LineFinder::Find(std::string_view input, size_t limit, Line& line) {
  const std::string_view searched = input.substr(0, limit);
  const size_t end = searched.find('\n', std::min(scanned_, searched.size()));
  if (end == std::string_view::npos) {
    scanned_ = searched.size();
    return searched.size() == limit ? Result::kTooLong : Result::kIncomplete;
  }
  scanned_ = end;
  line.size = end + 1;
  line.crlf = end > 0 && input[end - 1] == '\r';
  line.text = input.substr(0, line.crlf ? end - 1 : end);
  return Result::kLine;
}

std::optional<ProtocolFault> FaultOf(const Line& line) {
  if (line.text.find('\0') != std::string_view::npos) return ProtocolFault::kNul;
  if (line.text.find('\r') != std::string_view::npos) return ProtocolFault::kBareLf;
  return std::nullopt;
}

Status StatusOf(std::string_view text) {
  if (text.empty()) return Status::kOther;
  const std::string_view word = text.substr(0, text.find(' '));
  if (EqualsIgnoreCase(word, "+OK")) return Status::kOk;
  if (EqualsIgnoreCase(word, "-ERR")) return Status::kErr;
  const bool challenge = word.starts_with('+') && !StartsWithIgnoreCase(word, "+OK");
  return challenge ? Status::kContinue : Status::kOther;
}

std::string_view ChallengeOf(std::string_view text) {
  text.remove_prefix(1);
  if (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

std::optional<std::string> DecodeInitial(std::string_view text) {
  return text == "=" ? std::string() : Base64Decode(text);
}

bool IsTemporary(std::string_view text) {
  TakeWord(text);
  const std::array<std::string_view, 3> kCodes = {"[SYS/", "[IN-USE]", "[LOGIN-DELAY]"};
  return std::any_of(kCodes.begin(), kCodes.end(),
                     [text](std::string_view code) { return StartsWithIgnoreCase(text, code); });
}

}  // namespace postern::pop3
