#include "filters/sasl/unicode.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace postern::sasl {
namespace {

void AppendUnit(std::string& utf16, char32_t unit) {
  utf16 += static_cast<char>(unit & 0xff);
  utf16 += static_cast<char>(unit >> 8 & 0xff);
}

char16_t UnitAt(std::string_view utf16, size_t at) {
  return static_cast<char16_t>(static_cast<uint8_t>(utf16[at]) | static_cast<uint8_t>(utf16[at + 1])
                                                                     << 8);
}

// Letters from `first` to `last` that change by `distance`; with `pairs` only every second one, the
// small letter following its capital.
struct CaseRange {
  char16_t first;
  char16_t last;
  int16_t distance;
  bool pairs = false;
};

// Simple case mapping (UnicodeData.txt), in ascending order, small letters only. Windows leaves
// U+00B5, U+0131 and U+017F as they are, which Unicode maps out of their block.
constexpr auto kCaseRanges = std::to_array<CaseRange>({
    {0x0061, 0x007a, -32},      {0x00e0, 0x00f6, -32},      {0x00f8, 0x00fe, -32},
    {0x00ff, 0x00ff, 121},      {0x0101, 0x012f, -1, true}, {0x0133, 0x0137, -1, true},
    {0x013a, 0x0148, -1, true}, {0x014b, 0x0177, -1, true}, {0x017a, 0x017e, -1, true},
    {0x01a1, 0x01a5, -1, true}, {0x01b0, 0x01b0, -1},       {0x01ce, 0x01dc, -1, true},
    {0x01df, 0x01ef, -1, true}, {0x01f9, 0x021f, -1, true}, {0x0223, 0x0233, -1, true},
    {0x03ac, 0x03ac, -38},      {0x03ad, 0x03af, -37},      {0x03b1, 0x03c1, -32},
    {0x03c2, 0x03c2, -31},      {0x03c3, 0x03cb, -32},      {0x03cc, 0x03cc, -64},
    {0x03cd, 0x03ce, -63},      {0x03d9, 0x03ef, -1, true}, {0x0430, 0x044f, -32},
    {0x0450, 0x045f, -80},      {0x0461, 0x0481, -1, true}, {0x048b, 0x04bf, -1, true},
    {0x04c2, 0x04ce, -1, true}, {0x04cf, 0x04cf, -15},      {0x04d1, 0x052f, -1, true},
    {0x0561, 0x0586, -48},      {0x1e01, 0x1e95, -1, true}, {0x1ea1, 0x1eff, -1, true},
    {0xff41, 0xff5a, -32},
});

char16_t ToUpperUnit(char16_t unit) {
  for (const CaseRange& range : kCaseRanges) {
    if (unit < range.first) break;
    if (unit > range.last) continue;
    if (range.pairs && (unit - range.first) % 2 != 0) break;
    return static_cast<char16_t>(unit + range.distance);
  }
  return unit;
}

}  // namespace

std::optional<char32_t> TakeCodePoint(std::string_view& text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) {
    text.remove_prefix(1);
    return lead;
  }
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return std::nullopt;
  char32_t code_point = lead & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    code_point = code_point << 6 | (byte & 0x3f);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[size] || code_point > 0x10ffff || surrogate) return std::nullopt;
  text.remove_prefix(size);
  return code_point;
}

void AppendUtf8(std::string& text, char32_t code_point) {
  const auto tail = [&text, code_point](int shift) {
    text += static_cast<char>(0x80 | (code_point >> shift & 0x3f));
  };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xc0 | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xe0 | code_point >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | code_point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string Utf16FromUtf8(std::string_view text) {
  std::string utf16;
  utf16.reserve(2 * text.size());  // never more than two bytes for one
  for (std::string_view rest = text; !rest.empty();) {
    const std::optional<char32_t> code_point = TakeCodePoint(rest);
    if (!code_point) {
      utf16.clear();  // and written over from its start, in the same place
      for (const char c : text) AppendUnit(utf16, static_cast<uint8_t>(c));
      return utf16;
    }
    if (*code_point < 0x10000) {
      AppendUnit(utf16, *code_point);
    } else {
      AppendUnit(utf16, 0xd800 + ((*code_point - 0x10000) >> 10));
      AppendUnit(utf16, 0xdc00 + (*code_point & 0x3ff));
    }
  }
  return utf16;
}

std::string Utf16FromBytes(std::string_view bytes) {
  std::string utf16;
  utf16.reserve(2 * bytes.size());
  for (const char c : bytes) AppendUnit(utf16, static_cast<uint8_t>(c));
  return utf16;
}

std::optional<std::string> BytesFromUtf16(std::string_view utf16) {
  std::string bytes;
  bytes.reserve(utf16.size() / 2);
  for (size_t i = 0; i + 1 < utf16.size(); i += 2) {
    if (utf16[i + 1] != '\0') return std::nullopt;
    bytes += utf16[i];
  }
  return bytes;
}

void MakeUpperUtf16(std::string& utf16) {
  for (size_t i = 0; i + 1 < utf16.size(); i += 2) {
    const char16_t upper = ToUpperUnit(UnitAt(utf16, i));
    utf16[i] = static_cast<char>(upper & 0xff);
    utf16[i + 1] = static_cast<char>(upper >> 8);
  }
}

}  // namespace postern::sasl
