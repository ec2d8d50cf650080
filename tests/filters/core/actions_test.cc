#include <gtest/gtest.h>

#include "filters/farewell.h"
#include "filters/filter.h"
#include "filters/secret.h"

namespace postern {
namespace {

TEST(Actions, JoinsNeighbours) {
  Actions out;
  out.Forward(3);
  out.Forward(4);
  out.Forward(0);
  out.Drop(1);
  out.Drop(2);
  out.Forward(5);
  ASSERT_EQ(out.list().size(), 3u);
  EXPECT_EQ(std::get<Forward>(out.list()[0]).size, 7u);
  EXPECT_EQ(std::get<Drop>(out.list()[1]).size, 3u);
  EXPECT_EQ(std::get<Forward>(out.list()[2]).size, 5u);
}

TEST(Actions, JoinsSendsToOneSideOnly) {
  Actions out;
  out.Send(Side::kClient, "+OK");
  out.Send(Side::kClient, "\r\n");
  out.Send(Side::kServer, "");
  out.Send(Side::kServer, "PASS ");
  out.Send(Side::kServer, std::string(200, 'x'));
  out.Send(Side::kServer, "\r\n");
  ASSERT_EQ(out.list().size(), 2u);
  EXPECT_EQ(std::get<Send>(out.list()[0]).bytes, "+OK\r\n");
  EXPECT_EQ(std::get<Send>(out.list()[1]).bytes, "PASS " + std::string(200, 'x') + "\r\n");
}

TEST(Actions, OrderIsKept) {
  Actions out;
  out.Forward(1);
  out.StartTls();
  out.Forward(1);
  out.Note(ProtocolErrorEvent{ProtocolFault::kNul});
  out.Close(Cause::kProtocolError, "* BYE\r\n", std::chrono::seconds(3));
  ASSERT_EQ(out.list().size(), 5u);
  const auto& close = std::get<Close>(out.list()[4]);
  EXPECT_EQ(close.goodbye, "* BYE\r\n");
  EXPECT_EQ(close.delay, std::chrono::milliseconds(3000));
}

TEST(Farewell, EveryOneIsOneLineInItsProtocol) {
  for (int i = 0; i <= static_cast<int>(Farewell::kFault); ++i) {
    const auto why = static_cast<Farewell>(i);
    for (const auto& [protocol, start] :
         {std::pair(Protocol::kImap, "* BYE "), std::pair(Protocol::kPop3, "-ERR "),
          std::pair(Protocol::kSmtp, "421 4."), std::pair(Protocol::kLmtp, "421 4.")}) {
      const std::string_view line = Goodbye(protocol, why);
      EXPECT_TRUE(line.starts_with(start)) << line;
      EXPECT_EQ(line.find("\r\n"), line.size() - 2) << line;
    }
  }
  EXPECT_TRUE(Goodbye(Protocol::kImap, Farewell::kNoServer).starts_with("* BYE [UNAVAILABLE]"));
  EXPECT_TRUE(Goodbye(Protocol::kPop3, Farewell::kNoServer).starts_with("-ERR [SYS/TEMP]"));
  EXPECT_TRUE(Goodbye(Protocol::kSmtp, Farewell::kNoServer).starts_with("421 4.3.2"));
}

TEST(Event, EveryWordOfTheMetrics) {
  EXPECT_EQ(ToString(Channel::kTls), "tls");
  EXPECT_EQ(ToString(AuthResult::kObserved), "observed");
  EXPECT_EQ(ToString(BlockReason::kNotLoggedIn), "not_logged_in");
  EXPECT_EQ(ToString(ProtocolFault::kLineTooLong), "line_too_long");
  EXPECT_EQ(ToString(BackendFaultReason::kGreeting), "greeting");
}

TEST(Secret, TakeLeavesNothingBehind) {
  for (const size_t size : {size_t{5}, size_t{300}}) {
    std::string text(size, 's');
    const char* const place = text.data();
    const Secret secret = Secret::Take(text);
    EXPECT_EQ(secret.Reveal(), std::string(size, 's'));
    EXPECT_TRUE(text.empty());
    // A long one has moved as it is; a short one was copied, and its place is still ours to see.
    if (size == 5) {
      EXPECT_EQ(place[1], '\0');
    }
  }
}

TEST(Secret, MovesAndWipes) {
  Secret a("short");
  const char* const place = a.Reveal().data();
  Secret b(std::move(a));
  EXPECT_EQ(b.Reveal(), "short");
  EXPECT_EQ(place[0], '\0');
  Secret c("another one that is rather longer than a short string can be");
  c = std::move(b);
  EXPECT_EQ(c.Reveal(), "short");
  EXPECT_TRUE(b.empty());
  c.Clear();
  EXPECT_TRUE(c.empty());
}

TEST(Wipe, CoversTheWholeCapacity) {
  std::string text(100, 'p');
  text.resize(3);
  const char* const place = text.data();
  Wipe(text);
  EXPECT_TRUE(text.empty());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(place[i], '\0') << i;
}

}  // namespace
}  // namespace postern
