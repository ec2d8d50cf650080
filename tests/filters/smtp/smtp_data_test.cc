#include "filters/smtp/smtp_data.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <variant>

namespace postern::smtp {
namespace {

struct Outcome {
  std::string server;
  DataScanner::Result result = DataScanner::Result::kMore;
  size_t left = 0;  // bytes that were not taken
};

// As a session does it: what is not consumed is shown again with more behind it.
Outcome Feed(std::string_view message, size_t piece, bool reject = false) {
  DataScanner scanner(reject);
  scanner.Begin();
  Outcome outcome;
  std::string pending;
  for (size_t at = 0; at < message.size() && outcome.result == DataScanner::Result::kMore;
       at += piece) {
    pending += message.substr(at, piece);
    Actions out;
    size_t used = 0;
    outcome.result = scanner.Scan(pending, out, used);
    size_t taken = 0;
    for (const Action& action : out.list()) {
      if (const auto* forward = std::get_if<Forward>(&action)) {
        outcome.server += pending.substr(taken, forward->size);
        taken += forward->size;
      }
      if (const auto* drop = std::get_if<Drop>(&action)) taken += drop->size;
      if (const auto* send = std::get_if<Send>(&action)) outcome.server += send->bytes;
    }
    EXPECT_EQ(taken, used);
    pending.erase(0, used);
  }
  outcome.left = pending.size();
  return outcome;
}

TEST(SmtpData, ForwardsACleanMessageInOneAction) {
  std::string message;
  for (int i = 0; i < 1000; ++i) message += std::string(i % 90, 'x') + "\r\n";
  DataScanner scanner(false);
  scanner.Begin();
  Actions out;
  size_t used = 0;
  EXPECT_EQ(scanner.Scan(message, out, used), DataScanner::Result::kMore);
  EXPECT_EQ(used, message.size());
  ASSERT_EQ(out.list().size(), 1u);
  EXPECT_EQ(std::get<Forward>(out.list()[0]).size, message.size());
}

TEST(SmtpData, LeavesWhatIsBehindTheEnd) {
  const Outcome outcome = Feed("a\r\n.\r\nNOOP\r\n", 100);
  EXPECT_EQ(outcome.result, DataScanner::Result::kEnd);
  EXPECT_EQ(outcome.server, "a\r\n.\r\n");
  EXPECT_EQ(outcome.left, 6u);
}

TEST(SmtpData, KeepsBackWhatMayBeTheEnd) {
  EXPECT_EQ(Feed(".", 1).left, 1u);
  EXPECT_EQ(Feed(".\r", 1).left, 2u);
  EXPECT_EQ(Feed("a\r", 1).left, 1u);
  EXPECT_EQ(Feed("a\r\n.\r", 100).left, 2u);
}

TEST(SmtpData, TreatsALongCleanRunAsItsParts) {
  // The end, a lone LF, a lone CR and a dot at every place of a block of 64.
  for (const std::string_view odd :
       {"\r\n.\r\n", "\n", "\r", "\r\n.", "\r\n..\r\n", "\n.\n", "\r.\r\n", "\r\r\n", "\r\n\r\n"}) {
    for (size_t before = 0; before < 140; ++before) {
      std::string message(before, 'a');
      message += odd;
      message += std::string(150, 'b');
      message += "\r\n.\r\n";
      const Outcome whole = Feed(message, message.size());
      EXPECT_EQ(whole.server, Feed(message, 1).server) << before;
      EXPECT_EQ(whole.result, DataScanner::Result::kEnd);
    }
  }
}

// What the most lax of servers could take for a line end or the end of the message.
bool IsSafe(std::string_view message) {
  for (size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '\r' && (i + 1 == message.size() || message[i + 1] != '\n')) return false;
    if (message[i] == '\n' && (i == 0 || message[i - 1] != '\r')) return false;
  }
  return true;
}

TEST(SmtpData, NoServerSeesAnotherEnd) {
  std::mt19937 random(20231218);
  constexpr std::string_view kBytes = "\r\n..ab\r\n";
  for (int round = 0; round < 20000; ++round) {
    std::string message;
    for (size_t i = random() % 24; i > 0; --i) message += kBytes[random() % kBytes.size()];
    message += "z\r\n.\r\n";
    const Outcome whole = Feed(message, message.size());
    ASSERT_EQ(whole.server, Feed(message, 1).server);
    ASSERT_EQ(whole.server, Feed(message, 3).server);
    ASSERT_EQ(whole.result, DataScanner::Result::kEnd);
    ASSERT_TRUE(IsSafe(whole.server));
    // The one end is where the client's own was.
    const std::string framed = "\r\n" + message;
    const size_t end = framed.find("\r\n.\r\n");
    ASSERT_EQ(whole.left, framed.size() - end - 5);
    const std::string at_server = "\r\n" + whole.server;
    ASSERT_EQ(at_server.find("\r\n.\r\n"), at_server.size() - 5);
  }
}

TEST(SmtpData, RejectsAtTheFirstLoneLfOrCr) {
  EXPECT_EQ(Feed("abc\ndef\r\n", 100, true).result, DataScanner::Result::kBareLf);
  EXPECT_EQ(Feed("abc\rdef\r\n", 1, true).result, DataScanner::Result::kBareLf);
  EXPECT_EQ(Feed("abc\r\n.\r\n", 1, true).result, DataScanner::Result::kEnd);
}

}  // namespace
}  // namespace postern::smtp
