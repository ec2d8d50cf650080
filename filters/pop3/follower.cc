#include "filters/pop3/follower.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace postern::pop3 {
namespace {

// Four letters (a shorter verb ends in zeros), upper case, as one number.
constexpr uint32_t Pack(std::string_view verb) {
  uint32_t packed = 0;
  for (size_t i = 0; i < 4; ++i) {
    packed = packed << 8 | (i < verb.size() ? static_cast<uint8_t>(verb[i]) : 0u);
  }
  return packed;
}

// Whether a +OK to it is followed by more lines (RFC 1939, 2449, 6856).
constexpr bool IsList(uint32_t verb, bool has_argument) {
  switch (verb) {
    case Pack("RETR"):
    case Pack("TOP"):
    case Pack("CAPA"):
      return true;
    case Pack("LIST"):
    case Pack("UIDL"):
    case Pack("LANG"):
      return !has_argument;
    default:
      return false;
  }
}

// Which of the answers that are owed may have several lines, in order.
class OwedAnswers {
 public:
  // Answers owed at a time; the client waits where there are more.
  static constexpr uint32_t kCapacity = 256;

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kCapacity; }
  void Push(bool list) {
    const uint32_t at = (head_ + size_++) % kCapacity;
    const uint64_t bit = uint64_t{1} << (at % 64);
    lists_[at / 64] = list ? lists_[at / 64] | bit : lists_[at / 64] & ~bit;
  }
  bool Pop() {
    const uint32_t at = head_;
    head_ = (head_ + 1) % kCapacity;
    --size_;
    return (lists_[at / 64] >> (at % 64) & 1) != 0;
  }

 private:
  std::array<uint64_t, kCapacity / 64> lists_{};
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

// The client's command lines: their verb and whether there is an argument.
class CommandWatcher {
 public:
  // Takes one byte of the line, but not its LF; may overwrite it.
  void OnByte(char& byte) {
    const bool blank = byte == ' ' || byte == '\r';
    if (part_ == Part::kVerb) {
      if (blank) {
        part_ = Part::kBlanks;
      } else {
        OnLetter(byte);
      }
    } else if (part_ == Part::kBlanks && !blank) {
      has_argument_ = true;
      part_ = Part::kRest;
    }
  }
  // True where the rest of the line can't change anything.
  bool settled() const { return part_ == Part::kRest; }

  // Of the line that has ended.
  bool IsList() const { return postern::pop3::IsList(verb_, has_argument_); }
  bool IsQuit() const { return verb_ == Pack("QUIT"); }
  void Reset() { *this = CommandWatcher(); }

 private:
  enum class Part : uint8_t { kVerb, kBlanks, kRest };

  void OnLetter(char& byte) {
    if (length_ == 4) {  // longer than all that matter
      verb_ = 0;
      part_ = Part::kRest;
      return;
    }
    const char upper = byte >= 'a' && byte <= 'z' ? static_cast<char>(byte - 'a' + 'A') : byte;
    verb_ |= static_cast<uint32_t>(static_cast<uint8_t>(upper)) << (8 * (3 - length_));
    // A second STLS would start TLS on the way to the backend: it becomes a word that no server
    // knows.
    if (++length_ == 4 && verb_ == Pack("STLS")) byte = 'X';
  }

  uint32_t verb_ = 0;  // as Pack has it
  uint8_t length_ = 0;
  Part part_ = Part::kVerb;
  bool has_argument_ = false;
};

// The server's lines.
class AnswerWatcher {
 public:
  // Takes all of `bytes`.
  void OnBytes(std::string_view bytes, OwedAnswers& owed) {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      if (place_ == Place::kMiddle) {
        const void* found = std::memchr(at, '\n', static_cast<size_t>(end - at));
        if (found == nullptr) return;
        at = static_cast<const char*>(found);
      }
      OnByte(*at++, owed);
    }
  }
  bool at_line_start() const { return place_ == Place::kStart; }
  bool inside() const { return inside_; }

 private:
  // Where in a line of the server's.
  enum class Place : uint8_t { kStart, kDot, kDotCr, kMiddle };

  void OnByte(char byte, OwedAnswers& owed) {
    if (place_ == Place::kStart) begins_ok_ = byte == '+';
    if (byte == '\n') return OnLineEnd(owed);
    switch (place_) {
      case Place::kStart:
        place_ = byte == '.' && inside_ ? Place::kDot : Place::kMiddle;
        return;
      case Place::kDot:
        place_ = byte == '\r' ? Place::kDotCr : Place::kMiddle;
        return;
      case Place::kDotCr:
      case Place::kMiddle:
        place_ = Place::kMiddle;
        return;
    }
  }

  void OnLineEnd(OwedAnswers& owed) {
    const bool dot = place_ == Place::kDot || place_ == Place::kDotCr;
    place_ = Place::kStart;
    if (inside_) {
      inside_ = !dot;
    } else if (!owed.empty()) {
      inside_ = owed.Pop() && begins_ok_;
    }
  }

  Place place_ = Place::kStart;
  bool begins_ok_ = false;
  bool inside_ = false;  // the lines of a list are coming
};

class Pop3Follower final : public Follower {
 public:
  explicit Pop3Follower(bool pipelining) : pipelining_(pipelining) {}

  size_t OnClientBytes(char* bytes, size_t size) override {
    char* at = bytes;
    char* const end = bytes + size;
    while (at != end && !Waits()) {
      if (command_.settled()) {
        void* found = std::memchr(at, '\n', static_cast<size_t>(end - at));
        if (found == nullptr) return size;
        at = static_cast<char*>(found);
      }
      if (*at == '\n') {
        owed_.Push(command_.IsList());
        left_ = left_ || command_.IsQuit();
        command_.Reset();
      } else {
        command_.OnByte(*at);
      }
      ++at;
    }
    return static_cast<size_t>(at - bytes);
  }

  void OnServerBytes(std::string_view bytes) override { answers_.OnBytes(bytes, owed_); }

  bool AtRest() const override { return !Owes() && answers_.at_line_start(); }
  bool CanSpeak() const override { return !answers_.inside() && answers_.at_line_start(); }
  bool ClientLeft() const override { return left_; }
  bool Through() const override { return left_ && AtRest(); }
  Turn turn() const override { return Owes() ? Turn::kServer : Turn::kClient; }

 private:
  bool Owes() const { return !owed_.empty() || answers_.inside(); }
  bool Waits() const { return owed_.full() || (!pipelining_ && Owes()); }

  bool pipelining_;
  bool left_ = false;
  CommandWatcher command_;
  AnswerWatcher answers_;
  OwedAnswers owed_;
};

}  // namespace

std::unique_ptr<Follower> MakeFollower(bool pipelining) {
  return std::make_unique<Pop3Follower>(pipelining);
}

}  // namespace postern::pop3
