#include "filters/text.h"

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

// Eight letters at once: the bytes of `word` with 'a' to 'z' in upper case.
uint64_t UpperWord(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low = word & 0x7f * kEach;
  // The top bit of each byte: set by a carry from 'a' on, and from '{' on.
  const uint64_t from_a = low + (0x80 - 'a') * kEach;
  const uint64_t from_brace = low + (0x80 - '{') * kEach;
  const uint64_t lower = (from_a ^ from_brace) & ~word & 0x80 * kEach;
  return word ^ lower >> 2;
}

template <typename Word>
bool SameWord(const char* a, const char* b) {
  Word x;
  Word y;
  std::memcpy(&x, a, sizeof(x));
  std::memcpy(&y, b, sizeof(y));
  return UpperWord(x) == UpperWord(y);
}

// Words as long as they fit; the last one may overlap the one before.
template <typename Word>
bool SameWords(const char* a, const char* b, size_t size) {
  for (size_t i = 0; i + sizeof(Word) < size; i += sizeof(Word)) {
    if (!SameWord<Word>(a + i, b + i)) return false;
  }
  const size_t last = size - sizeof(Word);
  return SameWord<Word>(a + last, b + last);
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

bool SameIgnoringCase(const char* a, const char* b, size_t size) {
  if (size >= sizeof(uint64_t)) return SameWords<uint64_t>(a, b, size);
  if (size >= sizeof(uint32_t)) return SameWords<uint32_t>(a, b, size);
  for (size_t i = 0; i < size; ++i) {
    if (Upper(a[i]) != Upper(b[i])) return false;
  }
  return true;
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
