#include "filters/sasl/saslprep.h"

#include <stringprep.h>

#include <algorithm>
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

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Secret SaslPrep(std::string_view text, Prepare how) {
  // Printable ASCII is its own preparation, and need not go through the library, which does not
  // wipe what it works on.
  if (IsPrintableAscii(text)) return Secret(text);

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
