// The POP3 filter and its follower under any dialogue: see filter_harness.h.
// links: postern_dialogues
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/pop3/pop3_filter.h"
#include "filters/text.h"
#include "tests/fuzz/filter_harness.h"

namespace {

using namespace postern;

bool IsLogIn(std::string_view line) {
  constexpr std::array<std::string_view, 4> kVerbs = {"USER ", "PASS ", "APOP ", "AUTH "};
  for (const std::string_view verb : kVerbs) {
    // A bare AUTH asks for a list.
    if (StartsWithIgnoreCase(line, verb) &&
        line.find_first_not_of(" \r", verb.size()) < line.size()) {
      return true;
    }
  }
  return false;
}

bool FindsLogIn(std::string_view to_server) {
  while (!to_server.empty()) {
    const size_t end = std::min(to_server.find('\n'), to_server.size() - 1);
    if (IsLogIn(to_server.substr(0, end))) return true;
    to_server.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const testing::FilterHarness harness(Protocol::kPop3, MakePop3Filter, FindsLogIn);
  harness.Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
