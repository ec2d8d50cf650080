#include "filters/sasl/saslprep.h"

#include <stringprep.h>

#include <algorithm>
#include <array>
#include <vector>

#include "filters/sasl/unicode.h"

namespace postern::sasl {
namespace {

// The longest that one code point becomes in NFKC (U+FDFA).
constexpr size_t kMaxExpansion = 18;

class WipedCodePoints {
 public:
  explicit WipedCodePoints(size_t size) : points_(size) {}
  WipedCodePoints(const WipedCodePoints&) = delete;
  WipedCodePoints& operator=(const WipedCodePoints&) = delete;
  ~WipedCodePoints() { Wipe(points_.data(), points_.size() * sizeof(points_[0])); }

  std::vector<uint32_t>& operator*() { return points_; }

 private:
  std::vector<uint32_t> points_;
};

struct Range {
  char32_t first;
  char32_t last;
};

// Code points that are their own preparation wherever they stand: written from left to right, in
// NFKC already, and never put together with one before or behind. The letters of most passwords.
constexpr auto kPrepared = std::to_array<Range>({
    {0x0020, 0x007e},  // ASCII
    {0x00c0, 0x0131},  // Latin
    {0x0134, 0x013e},
    {0x0141, 0x0148},
    {0x014a, 0x017e},
    {0x0388, 0x03ce},  // Greek
    {0x0400, 0x0481},  // Cyrillic
    {0x048a, 0x04ce},
    {0x3041, 0x3094},  // Hiragana, Katakana
    {0x30a1, 0x30fa},
    {0x4e00, 0x9fa5},  // Chinese
    {0xac00, 0xd7a3},  // Hangul
});

bool IsPrepared(std::string_view text) {
  while (!text.empty()) {
    const std::optional<char32_t> code_point = TakeCodePoint(text);
    if (!code_point) return false;
    if (std::none_of(kPrepared.begin(), kPrepared.end(), [code_point](const Range& range) {
          return *code_point >= range.first && *code_point <= range.last;
        })) {
      return false;
    }
  }
  return true;
}

}  // namespace

Secret SaslPrep(std::string_view text, Prepare how) {
  // The library does not wipe what it works on: only what needs it goes through.
  return IsPrepared(text) ? Secret(text) : SaslPrepByLibrary(text, how);
}

Secret SaslPrepByLibrary(std::string_view text, Prepare how) {
  WipedCodePoints buffer(text.size() * kMaxExpansion + 1);
  std::vector<uint32_t>& points = *buffer;
  size_t count = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::optional<char32_t> code_point = TakeCodePoint(rest);
    if (!code_point) return Secret(text);
    points[count++] = *code_point;
  }
  const auto flags =
      how == Prepare::kStored ? STRINGPREP_NO_UNASSIGNED : static_cast<Stringprep_profile_flags>(0);
  const int result =
      stringprep_4i(points.data(), &count, points.size(), flags, stringprep_saslprep);
  if (result != STRINGPREP_OK || count == 0) return Secret(text);

  std::string prepared;
  prepared.reserve(4 * count);
  for (size_t i = 0; i < count; ++i) AppendUtf8(prepared, points[i]);
  return Secret::Take(prepared);
}

}  // namespace postern::sasl
