// Every dialogue of tests/transcripts is a test of its own, named after its file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "filters/imap/imap_filter.h"
#include "filters/pop3/pop3_filter.h"
#include "filters/smtp/smtp_filter.h"
#include "tests/transcripts/runner.h"

namespace postern::testing {
namespace {

struct Dialogue {
  std::string path;
  Protocol protocol;

  friend std::ostream& operator<<(std::ostream& out, const Dialogue& dialogue) {
    return out << dialogue.path;
  }
};

std::vector<Dialogue> FindDialogues() {
  std::vector<Dialogue> found;
  const std::pair<const char*, Protocol> folders[] = {{"imap", Protocol::kImap},
                                                      {"pop3", Protocol::kPop3},
                                                      {"smtp", Protocol::kSmtp},
                                                      {"lmtp", Protocol::kLmtp}};
  for (const auto& [folder, protocol] : folders) {
    const auto path = std::filesystem::path(POSTERN_SOURCE_DIR) / "tests/transcripts" / folder;
    if (!std::filesystem::exists(path)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() == ".txt") found.push_back({entry.path().string(), protocol});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Dialogue& a, const Dialogue& b) { return a.path < b.path; });
  return found;
}

std::string NameOf(const ::testing::TestParamInfo<Dialogue>& info) {
  const std::filesystem::path path(info.param.path);
  std::string name = path.parent_path().filename().string() + "_" + path.stem().string();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

FilterMaker MakerOf(Protocol protocol) {
  switch (protocol) {
    case Protocol::kImap:
      return MakeImapFilter;
    case Protocol::kPop3:
      return MakePop3Filter;
    case Protocol::kSmtp:
    case Protocol::kLmtp:
      break;
  }
  return MakeSmtpFilter;
}

class Transcripts : public ::testing::TestWithParam<Dialogue> {};

TEST_P(Transcripts, GoesAsWritten) {
  const Transcript transcript = ReadTranscript(GetParam().path, GetParam().protocol);
  const std::string report = RunTranscript(transcript, MakerOf(GetParam().protocol));
  EXPECT_TRUE(report.empty()) << "\n" << report;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Transcripts);
INSTANTIATE_TEST_SUITE_P(All, Transcripts, ::testing::ValuesIn(FindDialogues()), NameOf);

}  // namespace
}  // namespace postern::testing
