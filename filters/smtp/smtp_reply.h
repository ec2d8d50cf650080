// Reply lines of a server (RFC 5321, 4.2): `250-text`, `250 text` or `250`.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace postern::smtp {

// Bytes in one reply line: a SASL challenge has up to 12,288 of them (RFC 4954, 4).
inline constexpr size_t kMaxReplyLine = 16 * 1024;
// Lines and bytes in one reply: HELP may be long, endless it may not be.
inline constexpr size_t kMaxReplyLines = 1000;
inline constexpr size_t kMaxReplyBytes = 64 * 1024;
// Of a reply that is kept until it is whole (EHLO, AUTH): a real one has a dozen lines.
inline constexpr size_t kMaxGatheredLines = 200;
inline constexpr size_t kMaxGatheredBytes = 16 * 1024;

struct ReplyLine {
  int code = 0;
  bool last = true;
  std::string_view text;  // behind the code and its separator
  std::string_view line;  // without the line end
};

// `line` has no line end. nullopt where it is no reply line: no code, another separator, a CR or a
// NUL within it.
std::optional<ReplyLine> ParseReplyLine(std::string_view line);

}  // namespace postern::smtp
