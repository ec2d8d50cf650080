#include "filters/pop3/follower.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

namespace {
std::atomic<size_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace postern::pop3 {
namespace {

size_t Say(Follower& follower, std::string bytes) {
  return follower.OnClientBytes(bytes.data(), bytes.size());
}

TEST(Pop3Follower, FollowsAListToItsEnd) {
  const auto follower = MakeFollower(true);
  EXPECT_TRUE(follower->AtRest());
  Say(*follower, "RETR 1\r\n");
  EXPECT_EQ(follower->turn(), Turn::kServer);
  EXPECT_TRUE(follower->CanSpeak());
  for (const char c : std::string("+OK\r\n.\x20\r\n..\r\n.\rx\r\n+OK\r\n\r\n")) {
    follower->OnServerBytes(std::string_view(&c, 1));
    EXPECT_FALSE(follower->AtRest());
  }
  EXPECT_FALSE(follower->CanSpeak());
  follower->OnServerBytes(".");
  EXPECT_FALSE(follower->AtRest());
  follower->OnServerBytes("\r");
  follower->OnServerBytes("\n");
  EXPECT_TRUE(follower->AtRest());
  EXPECT_EQ(follower->turn(), Turn::kClient);
}

TEST(Pop3Follower, IsThroughOnceQuitIsAnswered) {
  const auto follower = MakeFollower(true);
  Say(*follower, "LIST\r\nquit\r\n");
  EXPECT_TRUE(follower->ClientLeft());
  follower->OnServerBytes("+OK\r\n1 120\r\n.\r\n");
  EXPECT_FALSE(follower->Through());
  follower->OnServerBytes("+OK bye\r");
  EXPECT_FALSE(follower->Through());
  follower->OnServerBytes("\n");
  EXPECT_TRUE(follower->Through());
}

TEST(Pop3Follower, TellsListsFromSingleLines) {
  const char* const kSingle[] = {"LIST 1", "UIDL 1",  "LANG de", "STAT",
                                 "DELE 1", "RETRX 1", "TO",      ""};
  for (const char* const command : kSingle) {
    const auto follower = MakeFollower(true);
    Say(*follower, std::string(command) + "\r\n");
    follower->OnServerBytes("+OK\r\n");
    EXPECT_TRUE(follower->AtRest()) << command;
  }
  const char* const kLists[] = {"LIST", "list ", "UIDL", "LANG", "CAPA", "TOP 1 0", "RETR 1"};
  for (const char* const command : kLists) {
    for (const char* const end : {"\r\n", "\n"}) {
      auto follower = MakeFollower(true);
      Say(*follower, command + std::string(end));
      follower->OnServerBytes("+OK\r\n");
      EXPECT_FALSE(follower->AtRest()) << command;
      follower->OnServerBytes(".\n");
      EXPECT_TRUE(follower->AtRest()) << command;
      Say(*follower, command + std::string(end));
      follower->OnServerBytes("-ERR no\r\n");
      EXPECT_TRUE(follower->AtRest()) << command;
    }
  }
}

TEST(Pop3Follower, BoundsWhatIsOwed) {
  const auto follower = MakeFollower(true);
  std::string commands;
  for (int i = 0; i < 300; ++i) commands += "NOOP\r\n";
  EXPECT_EQ(Say(*follower, commands), 256u * 6);
  EXPECT_EQ(Say(*follower, commands), 0u);
  follower->OnServerBytes("+OK\r\n+OK\r\n");
  EXPECT_EQ(Say(*follower, commands), 2u * 6);
}

TEST(Pop3Follower, PassesOneCommandAtATimeWhereTheServerWantsIt) {
  const auto follower = MakeFollower(false);
  EXPECT_EQ(Say(*follower, "RETR 1\r\nNOOP\r\n"), 8u);
  EXPECT_EQ(Say(*follower, "NOOP\r\n"), 0u);
  follower->OnServerBytes("+OK\r\n");
  EXPECT_EQ(Say(*follower, "NOOP\r\n"), 0u);
  follower->OnServerBytes(".\r\n");
  EXPECT_EQ(Say(*follower, "NO"), 2u);
  EXPECT_EQ(Say(*follower, "OP\r\n"), 4u);
}

TEST(Pop3Follower, SpoilsASecondStls) {
  for (size_t cut = 0; cut <= 6; ++cut) {
    const auto follower = MakeFollower(true);
    std::string first = std::string("StLs\r\n").substr(0, cut);
    std::string second = std::string("StLs\r\n").substr(cut);
    follower->OnClientBytes(first.data(), first.size());
    follower->OnClientBytes(second.data(), second.size());
    EXPECT_EQ(first + second, "StLX\r\n");
  }
}

TEST(Pop3Follower, KnowsThatTheClientHasLeft) {
  const auto follower = MakeFollower(true);
  EXPECT_FALSE(follower->ClientLeft());
  Say(*follower, "quit\r\n");
  EXPECT_TRUE(follower->ClientLeft());
}

TEST(Pop3Follower, AllocatesNothing) {
  const auto follower = MakeFollower(true);
  std::string commands = "RETR 1\r\nLIST\r\nNOOP\r\n";
  const std::string answers = "+OK\r\n" + std::string(100000, 'x') + "\r\n.\r\n+OK\r\n.\r\n+OK\r\n";
  const size_t before = allocations;
  for (int i = 0; i < 10; ++i) {
    follower->OnClientBytes(commands.data(), commands.size());
    follower->OnServerBytes(answers);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(follower->AtRest());
}

}  // namespace
}  // namespace postern::pop3
