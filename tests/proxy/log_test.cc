#include "proxy/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proxy/log_format.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr LogTime kTime{1764000000042ms};

std::string Json(std::vector<LogField> fields) {
  return FormatLogLine(LogFormat::kJson, kTime, LogLevel::kInfo, "auth", fields.data(),
                       fields.size());
}

std::string Text(std::vector<LogField> fields) {
  return FormatLogLine(LogFormat::kText, kTime, LogLevel::kInfo, "auth", fields.data(),
                       fields.size());
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  ~Pipe() {
    CloseWriter();
    close(ends_[0]);
  }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  std::string ReadAll() {
    CloseWriter();
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = read(ends_[0], buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<size_t>(n));
    }
    return all;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(LogFormat, TimeIsUtcWithMilliseconds) {
  EXPECT_EQ(FormatLogTime(kTime), "2025-11-24T16:00:00.042Z");
  EXPECT_EQ(FormatLogTime(LogTime{}), "1970-01-01T00:00:00.000Z");
}

TEST(LogFormat, JsonKeepsOrderAndTypes) {
  EXPECT_EQ(Json({{"id", "a1"},
                  {"bytes", uint64_t{18446744073709551615U}},
                  {"left", int64_t{-3}},
                  {"duration", 0.1234567},
                  {"ok", true}}),
            R"({"ts":"2025-11-24T16:00:00.042Z","level":"info","event":"auth","id":"a1",)"
            R"("bytes":18446744073709551615,"left":-3,"duration":0.123457,"ok":true})");
}

TEST(LogFormat, EmptyTextIsLeftOutForTheEyeAlone) {
  EXPECT_EQ(Json({{"user", ""}}),
            R"({"ts":"2025-11-24T16:00:00.042Z","level":"info","event":"auth","user":""})");
  EXPECT_EQ(Text({{"user", ""}}), "2025-11-24T16:00:00.042Z info  auth");
}

// Every byte there is, alone and next to others: one line, valid JSON, plain ASCII.
TEST(LogFormat, OddPeerTextStaysOneValidAsciiLine) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string odd = std::string("a") + static_cast<char>(byte) + "\"\\\r\n\xC3";
    for (LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
      LogField field{"user", odd};
      std::string line = FormatLogLine(format, kTime, LogLevel::kWarn, "auth", &field, 1);
      for (char c : line) EXPECT_TRUE(c >= ' ' && c < 0x7F) << byte << ' ' << line;
      if (format == LogFormat::kJson) {
        EXPECT_TRUE(nlohmann::json::accept(line)) << line;
      }
    }
  }
}

TEST(LogFormat, Utf8ComesBackWhole) {
  std::string name = "j\xC3\xBCrgen \xE2\x82\xAC \xF0\x9F\x98\x80";
  EXPECT_EQ(nlohmann::json::parse(Json({{"user", name}}))["user"], name);
}

TEST(LogFormat, LongTextIsCutBetweenCharacters) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string text(shift, 'x');
    while (text.size() < 2 * kMaxLogText) text += "\xF0\x9F\x98\x80";
    auto line = nlohmann::json::parse(Json({{"user", text}}));
    std::string cut = line["user"];
    EXPECT_LE(cut.size(), kMaxLogText);
    EXPECT_TRUE(cut.ends_with("...")) << cut;
    EXPECT_EQ(cut.find("\xEF\xBF\xBD"), std::string::npos);
  }
  EXPECT_LE(Json({{"user", std::string(1 << 20, '\x80')}}).size(), 6 * kMaxLogText + 100);
}

TEST(LogFormat, TextQuotesOnlyWhereNeeded) {
  EXPECT_EQ(Text({{"client", "[2001:db8::1]:4711"}, {"reason", "wrong password"}, {"n", 7L}}),
            "2025-11-24T16:00:00.042Z info  auth client=[2001:db8::1]:4711 "
            "reason=\"wrong password\" n=7");
  EXPECT_EQ(Text({{"user", "a=b\x1B[31m"}}),
            "2025-11-24T16:00:00.042Z info  auth user=\"a=b\\u001b[31m\"");
}

TEST(Log, WritesWhatIsQueuedBeforeItEnds) {
  Pipe pipe;
  {
    Log log(LogLevel::kInfo, LogFormat::kJson, pipe.writer());
    log.Write(LogLevel::kDebug, "tls", {});
    for (uint64_t i = 0; i < 200; ++i) log.Write(LogLevel::kInfo, "session", {{"n", i}});
  }
  std::string all = pipe.ReadAll();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 200);
  EXPECT_NE(all.find("\"n\":199}\n"), std::string::npos);
  EXPECT_EQ(all.find("tls"), std::string::npos);
}

TEST(Log, CloseWritesWhatIsQueuedAndBearsLaterLines) {
  Pipe pipe;
  Log log(LogLevel::kInfo, LogFormat::kJson, pipe.writer());
  for (uint64_t i = 0; i < 200; ++i) log.Write(LogLevel::kInfo, "session", {{"n", i}});
  log.Close();
  log.Write(LogLevel::kInfo, "late", {});
  log.Close();
  std::string all = pipe.ReadAll();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 200);
  EXPECT_EQ(all.find("late"), std::string::npos);
}

TEST(Log, LevelAndFormatChangeWhileItRuns) {
  Pipe pipe;
  {
    Log log(LogLevel::kError, LogFormat::kJson, pipe.writer());
    EXPECT_FALSE(log.enabled(LogLevel::kWarn));
    log.Configure(LogLevel::kDebug, LogFormat::kText);
    EXPECT_TRUE(log.enabled(LogLevel::kDebug));
    log.Write(LogLevel::kDebug, "connect", {{"server", "127.0.0.1:143"}});
  }
  std::string all = pipe.ReadAll();
  EXPECT_EQ(all.substr(24), " debug connect server=127.0.0.1:143\n");
}

// Nobody reads: neither writing nor the end waits for him, and the loss is told.
TEST(Log, DoesNotStallOnAReaderThatSleeps) {
  Pipe pipe;
  auto start = std::chrono::steady_clock::now();
  {
    Log log(LogLevel::kInfo, LogFormat::kJson, pipe.writer());
    for (uint64_t i = 0; i < 3 * kLogQueueLines; ++i) {
      log.Write(LogLevel::kInfo, "session", {{"n", i}});
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 40s);
}

TEST(Log, TellsHowManyLinesWereLost) {
  Pipe pipe;
  std::string all;
  {
    Log log(LogLevel::kInfo, LogFormat::kJson, pipe.writer());
    for (uint64_t i = 0; i < 3 * kLogQueueLines; ++i) {
      log.Write(LogLevel::kInfo, "session", {{"n", i}});
    }
    char buffer[65536];
    std::string end = "\"n\":" + std::to_string(3 * kLogQueueLines - 1) + "}\n";
    while (!all.ends_with(end)) {
      ssize_t n = read(pipe.reader(), buffer, sizeof buffer);
      ASSERT_GT(n, 0);
      all.append(buffer, static_cast<size_t>(n));
    }
  }
  uint64_t lost = 0;
  uint64_t lines = 0;
  for (size_t at = 0; at < all.size();) {
    size_t end = all.find('\n', at);
    auto line = nlohmann::json::parse(all.substr(at, end - at));
    if (line["event"] == "log_lost") {
      lost += line["lines"].get<uint64_t>();
    } else {
      ++lines;
    }
    at = end + 1;
  }
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(lost + lines, 3 * kLogQueueLines);
}

}  // namespace
}  // namespace postern
