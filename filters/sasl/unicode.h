// Texts in the encodings that NTLM and SCRAM want. Input from a client is meant to be UTF-8, but
// may be any bytes. Results may be passwords: the caller wipes them; no copy is left behind here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::sasl {

// Takes the first code point off `text` (which is not empty). nullopt where it does not begin with
// well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms); `text` is unchanged then.
std::optional<char32_t> TakeCodePoint(std::string_view& text);
void AppendUtf8(std::string& text, char32_t code_point);

// UTF-16LE, without a byte order mark. What is not UTF-8 as a whole is taken for Latin-1.
std::string Utf16FromUtf8(std::string_view text);
// UTF-16LE, one unit a byte.
std::string Utf16FromBytes(std::string_view bytes);
// Latin-1, or nullopt where a character has no place in it. `utf16` has an even size.
std::optional<std::string> BytesFromUtf16(std::string_view utf16);
// Upper case as Windows has it: unit by unit, whatever the locale. Latin, Greek, Cyrillic, Armenian
// and full-width letters.
void MakeUpperUtf16(std::string& utf16);

}  // namespace postern::sasl
