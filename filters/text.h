// Small helpers on text, shared by the filters. All are ASCII: locale never matters.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

// `size` bytes from each.
bool SameIgnoringCase(const char* a, const char* b, size_t size);
inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && SameIgnoringCase(a.data(), b.data(), a.size());
}
inline bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         SameIgnoringCase(text.data(), prefix.data(), prefix.size());
}
std::string ToUpper(std::string_view text);
// The text up to the first blank; what is behind that blank (all further blanks kept) is left in
// `text`.
std::string_view TakeWord(std::string_view& text);
// RFC 4648, 4, with padding. Decode is strict: no white space, no missing or surplus padding, no
// stray bits; nullopt otherwise. An empty text is an empty result.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);
// For BlockedEvent::command: printable ASCII of at most 32 bytes, everything else as '?'.
std::string CommandName(std::string_view word);

}  // namespace postern
