// Commands that are with the server. IMAP's answers name the command that they belong to, and may
// come in any order (RFC 9051, 5.5), so this is a set rather than a queue; where two commands have
// the same tag, the first is answered first. No allocation for tags of up to 15 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "filters/imap/imap_syntax.h"

namespace postern::imap {

class OwedAnswers {
 public:
  static constexpr size_t kCapacity = 32;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // The client has said LOGOUT: nothing that it sends behind that is a command.
  bool leaving() const { return size_ > 0 && At(size_ - 1).verb == Verb::kLogout; }

  // Not with kCapacity of them owed.
  void Expect(std::string_view tag, Verb verb) {
    Entry& entry = ring_[(head_ + size_) % kCapacity];
    entry.tag.assign(tag);
    entry.verb = verb;
    entry.answered = false;
    ++size_;
  }

  // Takes the first one with this tag off; nullopt where there is none.
  std::optional<Verb> Answered(std::string_view tag) {
    for (size_t i = 0; i < size_; ++i) {
      Entry& entry = ring_[(head_ + i) % kCapacity];
      if (entry.answered || entry.tag != tag) continue;
      entry.answered = true;
      const Verb verb = entry.verb;
      DropAnswered();
      return verb;
    }
    return std::nullopt;
  }

  void clear() { size_ = 0; }

 private:
  struct Entry {
    std::string tag;
    Verb verb = Verb::kUnknown;
    bool answered = false;
  };

  const Entry& At(size_t i) const { return ring_[(head_ + i) % kCapacity]; }
  void DropAnswered() {
    while (size_ > 0 && ring_[head_].answered) {
      head_ = (head_ + 1) % kCapacity;
      --size_;
    }
  }

  std::array<Entry, kCapacity> ring_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace postern::imap
