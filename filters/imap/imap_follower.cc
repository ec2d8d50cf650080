#include "filters/imap/imap_follower.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "filters/imap/imap_follower_parts.h"

namespace postern {
namespace imap {
namespace {

// What the client has to hear from the server before its next bytes can be understood.
enum class Wait : uint8_t { kNothing, kLiteral, kIdle, kCompress };

class ImapFollower final : public Follower {
 public:
  explicit ImapFollower(const ImapFollowerOptions& options) : options_(options) {}

  size_t OnClientBytes(char* bytes, size_t size) override;
  void OnServerBytes(std::string_view bytes) override;
  bool AtRest() const override {
    return !opaque_ && !lost_ && owed_ == 0 && wait_ == Wait::kNothing && client_.at_start() &&
           literal_left_ == 0 && server_.at_start();
  }
  // A server that has said BYE has said the last words itself.
  bool CanSpeak() const override {
    return !opaque_ && !server_.lost() && !server_.said_bye() && server_.at_start();
  }
  bool ClientLeft() const override { return left_; }
  bool Through() const override { return left_ && server_.said_bye() && AtRest(); }
  Turn turn() const override {
    return owed_ > 0 || wait_ != Wait::kNothing ? Turn::kServer : Turn::kClient;
  }

 private:
  // More commands without an answer than any client sends: it is we who have lost count.
  static constexpr uint32_t kMaxOwed = 1'000'000;

  bool MayBegin() const { return !options_.one_at_a_time || owed_ == 0; }
  bool EndLine();
  void Guard(char* bytes, size_t size);
  void EndCommand();
  void Lose();
  bool LoseAtLineEnd();
  void OnServerLine(ServerStream::Kind kind);

  ImapFollowerOptions options_;
  ClientLine client_;
  ClientLine guard_;  // answered_early_: what is to come, taken for lines of their own
  ServerStream server_;
  uint64_t literal_left_ = 0;  // of the client's
  uint32_t owed_ = 0;          // complete commands without their tagged answer
  Wait wait_ = Wait::kNothing;
  bool answered_early_ = false;  // the command that is passing
  bool idle_ = false;            // inside IDLE: the next line ends it
  bool opaque_ = false;          // COMPRESS is on
  bool left_ = false;            // LOGOUT was said
  bool lost_ = false;            // a line was too odd: every line may be a command from here on
};

// A line whose end makes the server speak in a way that matters here ends only once nothing else is
// owed, so that the server's next `+` or tagged answer is known to be the answer to it.
size_t ImapFollower::OnClientBytes(char* bytes, size_t size) {
  if (opaque_) return size;
  for (size_t i = 0; i < size;) {
    if (lost_) {
      client_.Guard(bytes + i, size - i);
      return size;
    }
    if (wait_ != Wait::kNothing) return i;
    if (literal_left_ > 0) {
      const uint64_t step = std::min<uint64_t>(literal_left_, size - i);
      client_.TakeLiteral(bytes + i, static_cast<size_t>(step));
      Guard(bytes + i, static_cast<size_t>(step));
      literal_left_ -= step;
      i += static_cast<size_t>(step);
      continue;
    }
    if (client_.at_start() && !idle_ && !MayBegin()) return i;
    if (bytes[i] == '\n') {
      if (!EndLine()) return i;
      Guard(bytes + i, 1);
      ++i;
      continue;
    }
    Guard(bytes + i, 1);
    if (client_.Take(bytes[i], options_.unauthenticate)) {
      ++i;
    } else {
      Lose();
    }
  }
  return size;
}

// The line's LF is next. False where it has to wait.
bool ImapFollower::EndLine() {
  const ClientLine::End end = client_.JudgeEnd();
  if (end == ClientLine::End::kOdd) return LoseAtLineEnd();
  if (idle_) {
    if (client_.has_verb()) return LoseAtLineEnd();
    idle_ = false;
    EndCommand();
    return true;
  }
  if (end == ClientLine::End::kLiteral) {
    const bool waits = client_.literal_synchronizing();
    if (waits && answered_early_) return LoseAtLineEnd();
    if (waits && owed_ > 0) return false;
    // Without LITERAL+: is it data, or are they commands? Only the server knows.
    if (!waits && !options_.literal_plus) return LoseAtLineEnd();
    if (waits) wait_ = Wait::kLiteral;
    literal_left_ = client_.literal_size();
    client_.ContinueBehindLiteral();
    return true;
  }
  if (client_.at_start()) {  // an empty line: no server gives it a tagged answer
    client_.Restart();
    return true;
  }
  if (!client_.has_verb()) return LoseAtLineEnd();
  if (answered_early_) {
    EndCommand();
    return true;
  }
  const bool idle = client_.verb() == ClientLine::Verb::kIdle;
  if (idle || client_.verb() == ClientLine::Verb::kCompress) {
    if (owed_ > 0) return false;
    wait_ = idle ? Wait::kIdle : Wait::kCompress;
    client_.Restart();
  } else {
    left_ = left_ || client_.verb() == ClientLine::Verb::kLogout;
    EndCommand();
  }
  return true;
}

// A server that answers before it has had the whole command (APPEND to a mailbox that is not there)
// may drop the rest of it, or take it for commands (Dovecot does either).
void ImapFollower::Guard(char* bytes, size_t size) {
  if (answered_early_) guard_.Guard(bytes, size);
}

void ImapFollower::EndCommand() {
  client_.Restart();
  if (std::exchange(answered_early_, false)) return;
  if (++owed_ > kMaxOwed) Lose();
}

void ImapFollower::Lose() {
  // What comes next may be a line of its own, whatever it was meant to be.
  if (wait_ != Wait::kNothing || literal_left_ > 0) client_.Restart();
  lost_ = true;
  answered_early_ = false;
  wait_ = Wait::kNothing;
  idle_ = false;
  literal_left_ = 0;
}

bool ImapFollower::LoseAtLineEnd() {
  Lose();
  client_.Restart();
  return true;
}

void ImapFollower::OnServerBytes(std::string_view bytes) {
  if (opaque_) return;
  while (!bytes.empty()) {
    const ServerStream::Kind kind = server_.Take(bytes);
    if (kind != ServerStream::Kind::kNone) OnServerLine(kind);
    if (opaque_) return;
  }
  if (server_.showed_unauthenticate()) options_.unauthenticate = true;
  if (server_.showed_literal_plus()) options_.literal_plus = true;
  if (server_.lost() && !lost_) Lose();
}

void ImapFollower::OnServerLine(ServerStream::Kind kind) {
  if (lost_) return;
  if (kind == ServerStream::Kind::kContinuation) {
    if (wait_ == Wait::kCompress || (wait_ == Wait::kNothing && !idle_)) return Lose();
    if (wait_ == Wait::kIdle) idle_ = true;
    wait_ = Wait::kNothing;
    return;
  }
  const Wait wait = std::exchange(wait_, Wait::kNothing);
  switch (wait) {
    case Wait::kLiteral:  // refused: what the client sends next is a command
      literal_left_ = 0;
      client_.Restart();
      break;
    case Wait::kIdle:
      break;
    case Wait::kCompress:
      opaque_ = kind == ServerStream::Kind::kTaggedOk;
      break;
    case Wait::kNothing:
      if (idle_) {
        idle_ = false;  // ended by the server
      } else if (owed_ > 0) {
        --owed_;
      } else if (!answered_early_ && (literal_left_ > 0 || !client_.at_start())) {
        answered_early_ = true;
        guard_.Restart();
      } else {
        Lose();
      }
      break;
  }
}

}  // namespace
}  // namespace imap

std::unique_ptr<Follower> MakeImapFollower(const ImapFollowerOptions& options) {
  return std::make_unique<imap::ImapFollower>(options);
}

}  // namespace postern
