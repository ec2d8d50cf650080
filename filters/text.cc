#include "filters/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace postern {
namespace {

constexpr std::array<uint8_t, 256> MakeUpperTable() {
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<uint8_t>(i >= 'a' && i <= 'z' ? i - 'a' + 'A' : i);
  }
  return table;
}
constexpr std::array<uint8_t, 256> kUpper = MakeUpperTable();

uint8_t Upper(char c) { return kUpper[static_cast<uint8_t>(c)]; }

bool SameIgnoringCase(const char* a, const char* b, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (Upper(a[i]) != Upper(b[i])) return false;
  }
  return true;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> MakeBase64Table() {
  std::array<uint8_t, 256> table{};
  table.fill(kNoDigit);
  for (size_t i = 0; i < kBase64.size(); ++i) {
    table[static_cast<uint8_t>(kBase64[i])] = static_cast<uint8_t>(i);
  }
  return table;
}
constexpr std::array<uint8_t, 256> kBase64Value = MakeBase64Table();

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && SameIgnoringCase(a.data(), b.data(), a.size());
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         SameIgnoringCase(text.data(), prefix.data(), prefix.size());
}

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(Upper(c));
  return upper;
}

std::string_view TakeWord(std::string_view& text) {
  const size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  return word;
}

std::string Base64Encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  char* out = text.data();
  size_t left = bytes.size();
  for (; left >= 3; left -= 3, in += 3) {
    *out++ = kBase64[in[0] >> 2];
    *out++ = kBase64[(in[0] & 3) << 4 | in[1] >> 4];
    *out++ = kBase64[(in[1] & 15) << 2 | in[2] >> 6];
    *out++ = kBase64[in[2] & 63];
  }
  if (left > 0) {
    const uint8_t second = left == 2 ? in[1] : 0;
    *out++ = kBase64[in[0] >> 2];
    *out++ = kBase64[(in[0] & 3) << 4 | second >> 4];
    if (left == 2) *out = kBase64[(second & 15) << 2];
  }
  return text;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const size_t digits = text.size() - padding;

  std::string bytes(text.size() / 4 * 3 - padding, '\0');
  char* out = bytes.data();
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const uint8_t value = kBase64Value[static_cast<uint8_t>(text[i])];
    if (value == kNoDigit) return std::nullopt;
    bits = bits << 6 | value;
    if (i % 4 == 3) {
      *out++ = static_cast<char>(bits >> 16);
      *out++ = static_cast<char>(bits >> 8);
      *out++ = static_cast<char>(bits);
      bits = 0;
    }
  }
  // One spelling for each sequence of bytes: the bits that the padding leaves over have to be zero
  // (RFC 4648, 3.5).
  if (padding == 1) {
    if ((bits & 3) != 0) return std::nullopt;
    *out++ = static_cast<char>(bits >> 10);
    *out++ = static_cast<char>(bits >> 2);
  } else if (padding == 2) {
    if ((bits & 15) != 0) return std::nullopt;
    *out++ = static_cast<char>(bits >> 4);
  }
  return bytes;
}

std::string CommandName(std::string_view word) {
  constexpr size_t kLongest = 32;
  std::string name(word.substr(0, kLongest));
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name;
}

}  // namespace postern
