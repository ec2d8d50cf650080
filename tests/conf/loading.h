// What the tests of the configuration share: a text in, a Config or the lines of `check` out.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "conf/load.h"

namespace postern::conf {

inline constexpr std::string_view kFile = "postern.yaml";

// Every line that `check` would write about a text, files on disk left alone.
inline std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  for (const Mistake& m : LoadFromString(text, std::string(kFile), false).mistakes) {
    lines.push_back(m.Text());
  }
  return lines;
}

// The lines joined, for tests that look for a part of one.
inline std::string Said(std::string_view text) {
  std::string said;
  for (const std::string& line : Lines(text)) said += line + "\n";
  return said;
}

// The configuration of a text that must be good; warnings are allowed.
inline Config Good(std::string_view text) {
  LoadResult result = LoadFromString(text, std::string(kFile), false);
  EXPECT_TRUE(result.ok()) << text << "\n" << Said(text);
  return result.ok() ? std::move(*result.config) : Config{};
}

inline bool IsGood(std::string_view text) {
  return LoadFromString(text, std::string(kFile), false).ok();
}

// A configuration of one listener, whose further keys are `more` (", key: value"), followed by what
// stands at the top level.
inline std::string OneListener(std::string_view protocol, std::string_view more,
                               std::string_view top = "") {
  std::string text = "tls: { certificates: [ { chain: c.pem, key: k.pem } ] }\n";
  text += "listeners:\n  - { protocol: " + std::string(protocol);
  text += ", address: \"127.0.0.1:9000\"" + std::string(more);
  if (more.find(" backend:") == std::string_view::npos) text += ", backend: \"127.0.0.1:9001\"";
  return text + " }\n" + std::string(top);
}

}  // namespace postern::conf
