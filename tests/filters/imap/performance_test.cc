// What must not happen on the path of a byte: an allocation. Counted for commands that pass before
// the log-in, and for everything behind it. (How fast it is, bench/ says.)
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "filters/imap/imap_filter.h"
#include "filters/imap/imap_follower.h"

namespace {
size_t allocations = 0;
}

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace postern {
namespace {

TEST(ImapFilter, DoesNotAllocateForACommandThatPasses) {
  FilterOptions options;
  const auto filter = MakeImapFilter(options, SessionInfo{});
  Actions out;
  filter->OnClientUp(Channel::kTls, nullptr, out);
  filter->OnServerUp(out);
  filter->OnServerBytes("* OK ready\r\n", out);
  const std::string commands = "a1 NOOP\r\na2 NOOP\r\na3 CAPABILITY\r\n";
  size_t counted = 0;
  for (int round = 0; round < 100; ++round) {
    out.clear();
    if (round == 1) counted = allocations;
    filter->OnClientBytes(commands, out);
    ASSERT_EQ(out.list().size(), 1U);
    EXPECT_EQ(std::get<Forward>(out.list()[0]).size, commands.size());
    out.clear();
    for (const char* answer : {"a1 OK done\r\n", "a2 OK done\r\n", "a3 OK done\r\n"}) {
      filter->OnServerBytes(answer, out);
    }
  }
  EXPECT_EQ(allocations, counted);
}

TEST(ImapFollower, DoesNotAllocate) {
  const auto follower = MakeImapFollower({});
  const std::string answer = "* 1 FETCH (BODY[] {100000}\r\n" + std::string(100000, 'x') +
                             " FLAGS (\\Seen))\r\na OK done\r\n";
  const std::string commands = "a FETCH 1 BODY[]\r\n";
  std::vector<char> bytes(commands.begin(), commands.end());
  const size_t before = allocations;
  for (int round = 0; round < 100; ++round) {
    ASSERT_EQ(follower->OnClientBytes(bytes.data(), bytes.size()), bytes.size());
    EXPECT_FALSE(follower->AtRest());
    for (size_t at = 0; at < answer.size(); at += 1000) {
      follower->OnServerBytes(std::string_view(answer).substr(at, 1000));
    }
    EXPECT_TRUE(follower->AtRest());
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace postern
