#include "bench/legacy_server/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace postern::legacy {

Connection::Connection(int fd, std::string label, std::unique_ptr<Dialogue> dialogue,
                       const Options& options, Journal* journal)
    : fd_(fd),
      label_(std::move(label)),
      dialogue_(std::move(dialogue)),
      options_(options),
      journal_(journal),
      out_(options.bare_lf_answers) {
  if (journal_ != nullptr) journal_->Event(label_, "open");
}

Connection::~Connection() {
  if (journal_ != nullptr) journal_->Event(label_, "end");
  close(fd_);
}

bool Connection::Start(ReadBuffer& buffer) {
  dialogue_->Greet(out_);
  if (options_.slow_ms > 0) {
    Wait(options_.slow_ms);
    return true;
  }
  return Converse(buffer);
}

bool Connection::OnReadable(ReadBuffer& buffer) {
  std::memcpy(buffer.data(), kept_.data(), kept_.size());
  char* free = buffer.data() + kept_.size();
  ssize_t size = recv(fd_, free, std::min(ReadBuffer::kChunk, buffer.size() - kept_.size()), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) {
    ended_ = true;
    return Converse(buffer);
  }
  std::string_view bytes(free, static_cast<size_t>(size));
  if (journal_ != nullptr) journal_->Received(label_, bytes);
  return Feed({buffer.data(), kept_.size() + bytes.size()}) && (due_ || Converse(buffer));
}

bool Connection::OnWritable(ReadBuffer& buffer) {
  blocked_ = false;
  return Converse(buffer);
}

bool Connection::OnTime(ReadBuffer& buffer) {
  due_.reset();
  return Converse(buffer);
}

bool Connection::OnPoll(ReadBuffer& buffer) {
  if (!out_.empty() || paused()) return true;
  dialogue_->Poll(out_);
  return Converse(buffer);
}

bool Connection::Feed(std::string_view input) {
  size_t used = dialogue_->Consume(input, out_);
  kept_.assign(input.substr(used));
  more_ = !kept_.empty() && (out_.full() || options_.slow_ms > 0) && used > 0;
  if (options_.slow_ms > 0 && !out_.empty()) Wait(options_.slow_ms);
  return !dialogue_->dead();
}

bool Connection::Converse(ReadBuffer& buffer) {
  while (Flush()) {
    if (paused()) return true;
    if (dialogue_->finished()) return false;
    if (!more_) return !ended_;
    std::memcpy(buffer.data(), kept_.data(), kept_.size());
    if (!Feed({buffer.data(), kept_.size()})) return false;
    if (due_) return true;
  }
  return false;
}

bool Connection::Flush() {
  size_t limit =
      options_.split_bytes > 0 ? options_.split_bytes : std::numeric_limits<size_t>::max();
  while (!out_.empty()) {
    if (out_.WriteTo(fd_, limit) < 0) {
      if (errno == EINTR) continue;
      blocked_ = errno == EAGAIN;
      return blocked_;
    }
    if (options_.split_bytes > 0 && !out_.empty()) {
      Wait(options_.split_delay_ms);
      return true;
    }
  }
  return true;
}

void Connection::Wait(size_t milliseconds) {
  due_ = Clock::now() + std::chrono::milliseconds(milliseconds);
}

}  // namespace postern::legacy
