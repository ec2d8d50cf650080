// What is owed to the client, in order: "the server's answer to that command" or "this text of
// ours". Text is sent when everything before it has been answered. Bounded: a filter that finds it
// full takes no further command until an answer has come. For protocols whose answers come in the
// order of the commands (POP3, SMTP).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace postern {

template <typename Owed, size_t kCapacity>
class AnswerQueue {
 public:
  bool full() const { return size_ == kCapacity; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // The server owes this answer. Not to be called when full().
  void Expect(Owed owed) { Push(Entry{std::move(owed), {}}); }
  // This text follows what is owed so far. Where nothing is owed the caller sends it directly
  // instead. Not when full().
  void Own(std::string text) { Push(Entry{std::nullopt, std::move(text)}); }

  // What the server's next answer belongs to; null where it owes none. Own text is never at the
  // front when the caller drains it with TakeOwn after each Answered.
  Owed* front() { return !empty() && ring_[head_].owed ? &*ring_[head_].owed : nullptr; }
  const Owed* front() const {
    return !empty() && ring_[head_].owed ? &*ring_[head_].owed : nullptr;
  }
  // The command sent last that still waits for its answer, or null.
  Owed* back() {
    if (empty()) return nullptr;
    Entry& entry = ring_[(head_ + size_ - 1) % kCapacity];
    return entry.owed ? &*entry.owed : nullptr;
  }
  // The front one has been answered in full.
  void Answered() { Pop(); }
  // Text of our own that is due now, or nullopt.
  std::optional<std::string> TakeOwn() {
    if (empty() || ring_[head_].owed) return std::nullopt;
    std::string text = std::move(ring_[head_].text);
    Pop();
    return text;
  }
  void clear() {
    while (!empty()) Pop();
  }

 private:
  struct Entry {
    std::optional<Owed> owed;
    std::string text;
  };
  void Push(Entry entry) {
    ring_[(head_ + size_) % kCapacity] = std::move(entry);
    ++size_;
  }
  void Pop() {
    ring_[head_] = Entry{};
    head_ = (head_ + 1) % kCapacity;
    --size_;
  }

  std::array<Entry, kCapacity> ring_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace postern
