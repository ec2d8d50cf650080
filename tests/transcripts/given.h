// The settings of a transcript: `given` lines, read into what a filter is made with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/filter.h"

namespace postern::testing {

struct Given {
  FilterOptions options;
  SessionInfo info;
  Moment moment;
  TlsInfo tls;
  Channel channel = Channel::kClear;
  bool together = false;  // bytes must arrive as the transcript has them: no cuts

  // Policy is worked out once all lines are read.
  std::map<std::string, Rule> mechanisms = {{"BASIC", Rule::kTls}, {"*", Rule::kTls}};
};

Given DefaultGiven(Protocol protocol);
// Reads one line's settings (`key: value, …`). The answer is a complaint, empty where all is well.
std::string ReadGiven(std::string_view text, Given& given);
// To be called once, after the last line.
void FinishGiven(Given& given);

}  // namespace postern::testing
