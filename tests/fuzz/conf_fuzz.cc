// The configuration: no text may make it crash, hang, grow without end or say what it should not.
// Seeded from conf/examples.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <regex>
#include <string>
#include <string_view>

#include "conf/load.h"
#include "conf/matrix.h"

namespace {

using postern::conf::LoadFromString;
using postern::conf::LoadResult;
using postern::conf::Mistake;

void Require(bool condition) {
  if (!condition) std::abort();
}

// A line of `check` is one line, with a place that is in the file.
void CheckLine(const Mistake& mistake) {
  Require(mistake.at.line >= 1 && mistake.at.column >= 1);
  Require(!mistake.message.empty());
  for (char c : mistake.Text()) {
    const auto byte = static_cast<unsigned char>(c);
    Require(byte >= ' ' && byte != 127);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadResult result = LoadFromString(text, "postern.yaml", false);
  bool errors = false;
  for (size_t i = 0; i < result.mistakes.size(); ++i) {
    const Mistake& mistake = result.mistakes[i];
    CheckLine(mistake);
    errors = errors || mistake.severity == Mistake::Severity::kError;
    Require(i == 0 || result.mistakes[i - 1].at <= mistake.at);
  }
  Require(errors == !result.ok());
  if (!result.ok()) return 0;
  for (const auto& listener : result.config->listeners) {
    Require(listener.backend < result.config->backends.size());
    Require(!listener.name.empty() && listener.limits.buffer >= listener.limits.line);
    for (const auto& rule : listener.auth.users) {
      std::cmatch found;
      std::regex_search(text.data(), text.data() + std::min<size_t>(text.size(), 200), found,
                        rule.regex);
    }
  }
  Require(!MatrixText(MatrixOf(*result.config)).empty());
  return 0;
}
