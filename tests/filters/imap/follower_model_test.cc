// The follower against a model of a server: whatever a client sends, however it is cut, the server
// never carries out UNAUTHENTICATE or STARTTLS, and where the follower says that the session is at
// rest, it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "filters/imap/imap_follower.h"
#include "filters/imap/imap_line.h"
#include "filters/imap/imap_syntax.h"
#include "filters/text.h"

namespace postern {
namespace {

// A strict server: it says what its RFC says, and writes down what was done to it.
class Server {
 public:
  Server(std::mt19937& random, bool literal_plus) : random_(random), literal_plus_(literal_plus) {}

  // Returns what it answers.
  std::string Take(std::string_view bytes) {
    input_ += bytes;
    std::string out;
    while (Step(out)) {
    }
    return out;
  }
  // It has carried out what never may reach it.
  bool forbidden() const { return forbidden_; }
  // Nothing of a command is here, and none goes on.
  bool waits_for_command() const { return input_.empty() && !literal_ && tag_.empty(); }

 private:
  bool Step(std::string& out) {
    if (literal_) {
      if (input_.size() < *literal_) return false;
      input_.erase(0, *literal_);
      literal_.reset();
      return true;
    }
    const size_t feed = input_.find('\n');
    if (feed == std::string::npos) return false;
    std::string line = input_.substr(0, feed);
    if (line.ends_with('\r')) line.pop_back();
    input_.erase(0, feed + 1);
    if (idling_) {
      idling_ = false;
      out += std::exchange(tag_, {}) +
             (EqualsIgnoreCase(line, "DONE") ? " OK done\r\n" : " BAD x\r\n");
    } else {
      TakeLine(line, out);
    }
    return true;
  }

  void TakeLine(const std::string& line, std::string& out) {
    if (tag_.empty()) {
      imap::Command command;
      if (imap::ReadCommand(line, command) != imap::Shape::kCommand) {
        out += "* BAD no command\r\n";
        return;
      }
      tag_ = command.tag;
      verb_ = command.name;
    }
    imap::Literal literal;
    if (imap::FindLiteral(line, literal) == imap::Tail::kLiteral) {
      const bool early = !literal.synchronizing && literal_plus_ && random_() % 4 == 0;
      if (early && !std::exchange(answered_, true)) out += tag_ + " NO [TRYCREATE] early\r\n";
      if (literal.synchronizing && answered_) return CarryOut(out);
      if (literal.synchronizing && random_() % 3 != 0) {
        out += "+ go\r\n";
        literal_ = literal.size;
        return;
      }
      if (!literal.synchronizing && literal_plus_) {
        literal_ = literal.size;
        return;
      }
      out += std::exchange(tag_, {}) + " BAD no such literal\r\n";
      return;
    }
    CarryOut(out);
  }

  void CarryOut(std::string& out) {
    if (std::exchange(answered_, false)) {  // the rest of a command that was refused: dropped
      tag_.clear();
      return;
    }
    forbidden_ = forbidden_ || EqualsIgnoreCase(verb_, "UNAUTHENTICATE") ||
                 EqualsIgnoreCase(verb_, "STARTTLS");
    if (EqualsIgnoreCase(verb_, "IDLE")) {
      out += "+ idling\r\n";
      idling_ = true;
      return;
    }
    if (random_() % 3 == 0) out += "* 1 FETCH (BODY[] {11}\r\na OK fine\r\n)\r\n";
    if (random_() % 3 == 0) out += "* OK not a literal {5}\r\n";
    const bool no = EqualsIgnoreCase(verb_, "COMPRESS") || random_() % 4 == 0;
    out += std::exchange(tag_, {}) + (no ? " NO x\r\n" : " OK x {3}\r\n");
  }

  std::mt19937& random_;
  const bool literal_plus_;
  std::string input_;
  std::string tag_;
  std::string verb_;
  std::optional<uint64_t> literal_;
  bool answered_ = false;  // the command that is coming
  bool idling_ = false;
  bool forbidden_ = false;
};

constexpr std::string_view kPieces[] = {
    "a NOOP\r\n",
    "b SELECT INBOX\n",
    "c UNAUTHENTICATE\r\n",
    "d unauthenticate\n",
    "l StartTLS\r\n",
    "e IDLE\r\n",
    "DONE\r\n",
    "f APPEND x {20}\r\n",
    "g APPEND x {20+}\r\n",
    "h APPEND x {0}\r\n",
    " {5}\r\n",
    "m STARTTLS {2}\r\n",
    "i UNAUTHENTICATE {3+}\r\nabc\r\n",
    "x UNAUTHENTICATE\r\n\r\n",
    "j COMPRESS DEFLATE\r\n",
    "k ID (\"x\" \"y\")\r\n",
    "\r\n",
    "\r",
    " ",
    "a",
    "{",
    "}",
    "\"",
};

void Play(uint32_t seed, bool strange, bool literal_plus) {
  std::mt19937 random(seed);
  Server server(random, literal_plus);
  const auto follower = MakeImapFollower({.literal_plus = literal_plus});
  std::string from_client;
  std::string from_server;
  // The last pieces are no complete lines, or none that a client in its right mind sends.
  const size_t pieces = strange ? std::size(kPieces) : std::size(kPieces) - 7;
  for (int round = 0; round < 400; ++round) {
    if (random() % 2 == 0) from_client += kPieces[random() % pieces];
    const size_t shown = std::min<size_t>(from_client.size(), 1 + random() % 40);
    const size_t passed = follower->OnClientBytes(from_client.data(), shown);
    ASSERT_LE(passed, shown);
    from_server += server.Take(from_client.substr(0, passed));
    from_client.erase(0, passed);
    ASSERT_FALSE(server.forbidden()) << "seed " << seed;
    const size_t told = std::min<size_t>(from_server.size(), random() % 30);
    follower->OnServerBytes(std::string_view(from_server).substr(0, told));
    from_server.erase(0, told);
    if (follower->AtRest()) {
      ASSERT_TRUE(from_server.empty() || server.waits_for_command()) << "seed " << seed;
    }
  }
  // What is still held is let go once the server has said all.
  for (int round = 0; round < 1000 && !from_client.empty(); ++round) {
    follower->OnServerBytes(std::exchange(from_server, {}));
    const size_t passed = follower->OnClientBytes(from_client.data(), from_client.size());
    from_server = server.Take(from_client.substr(0, passed));
    from_client.erase(0, passed);
  }
  EXPECT_TRUE(from_client.empty()) << "stuck, seed " << seed << ": " << from_client;
  ASSERT_FALSE(server.forbidden()) << "seed " << seed;
}

TEST(ImapFollower, IsThroughOnceLogoutIsAnswered) {
  const auto follower = MakeImapFollower({});
  std::string commands = "a NOOP\r\nb LOGOUT\r\n";
  follower->OnClientBytes(commands.data(), commands.size());
  follower->OnServerBytes("a OK\r\n* BYE see you\r\n");
  EXPECT_FALSE(follower->Through());
  follower->OnServerBytes("b OK\r\n");
  EXPECT_TRUE(follower->Through());
}

// A server that refuses LOGOUT goes on.
TEST(ImapFollower, IsNotThroughWithoutABye) {
  const auto follower = MakeImapFollower({});
  std::string commands = "a LOGOUT\r\n";
  follower->OnClientBytes(commands.data(), commands.size());
  follower->OnServerBytes("a BAD not now\r\n");
  EXPECT_TRUE(follower->ClientLeft());
  EXPECT_FALSE(follower->Through());
}

TEST(ImapFollower, KeepsStepWithAServer) {
  for (uint32_t seed = 0; seed < 500; ++seed) Play(seed, false, seed % 2 == 0);
}

TEST(ImapFollower, IsNotLedAstrayByStrangeLines) {
  for (uint32_t seed = 0; seed < 500; ++seed) Play(seed, true, seed % 2 == 0);
}

}  // namespace
}  // namespace postern
