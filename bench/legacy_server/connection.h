// One client's socket: reads for its dialogue, writes what the dialogue said, at the pace that the
// options ask for. Owned by a loop, lives on that loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bench/legacy_server/dialogue.h"
#include "bench/legacy_server/journal.h"
#include "bench/legacy_server/output.h"

namespace postern::legacy {

using Clock = std::chrono::steady_clock;

// The buffer of a loop into which all its connections read. What a dialogue could not use yet is
// kept by the connection and put before the next bytes.
class ReadBuffer {
 public:
  static constexpr size_t kChunk = size_t{256} << 10;
  char* data() { return bytes_.get(); }
  size_t size() const { return kSize; }

 private:
  static constexpr size_t kSize = kChunk + Dialogue::kMaxLine + kChunk;
  std::unique_ptr<char[]> bytes_ = std::make_unique<char[]>(kSize);
};

class Connection {
 public:
  // Takes the descriptor over. `label` is what the journal calls this connection.
  Connection(int fd, std::string label, std::unique_ptr<Dialogue> dialogue, const Options& options,
             Journal* journal);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }

  // Each returns false when the connection is over and is to be destroyed.
  bool Start(ReadBuffer& buffer);
  bool OnReadable(ReadBuffer& buffer);
  bool OnWritable(ReadBuffer& buffer);
  bool OnTime(ReadBuffer& buffer);  // due() has come
  bool OnPoll(ReadBuffer& buffer);  // for one that waits for news

  // When OnTime is to be called; nothing where there is no need.
  std::optional<Clock::time_point> due() const { return due_; }
  bool waits_for_news() const { return dialogue_->waits_for_news(); }

  // What epoll is to look for.
  bool wants_read() const { return !due_ && !blocked_ && !ended_; }
  bool wants_write() const { return blocked_; }

  // The interest as epoll has it; for the loop's use.
  uint32_t registered = 0;

 private:
  // Writes, and while there is input that could not be used before, goes on with it.
  bool Converse(ReadBuffer& buffer);
  bool Feed(std::string_view input);
  bool Flush();
  bool paused() const { return due_ || blocked_; }
  void Wait(size_t milliseconds);

  const int fd_;
  const std::string label_;
  const std::unique_ptr<Dialogue> dialogue_;
  const Options& options_;
  Journal* const journal_;  // may be null
  Output out_;
  std::string kept_;      // input that could not be used yet
  bool more_ = false;     // some of it could be used now
  bool blocked_ = false;  // the socket would take no more
  bool ended_ = false;    // the client will send no more
  std::optional<Clock::time_point> due_;
};

}  // namespace postern::legacy
