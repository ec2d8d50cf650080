#include "bench/legacy_server/output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace postern::legacy {
namespace {

// Collects what one sendmsg is to send, cut at a limit.
class Gather {
 public:
  Gather(iovec* vectors, size_t capacity, size_t limit)
      : vectors_(vectors), capacity_(capacity), left_(limit) {}

  bool full() const { return count_ == capacity_ || left_ == 0; }
  size_t count() const { return count_; }

  void Add(std::string_view bytes) {
    bytes = bytes.substr(0, left_);
    if (bytes.empty() || full()) return;
    vectors_[count_++] = {const_cast<char*>(bytes.data()), bytes.size()};
    left_ -= bytes.size();
  }

 private:
  iovec* vectors_;
  size_t capacity_;
  size_t count_ = 0;
  size_t left_;
};

}  // namespace

void Output::AddNumber(uint64_t number) {
  std::array<char, 24> digits;
  auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text_.append(digits.data(), static_cast<size_t>(result.ptr - digits.data()));
}

void Output::AddShared(std::shared_ptr<const std::string> owner, std::string_view bytes) {
  if (bytes.empty()) return;
  pieces_.push_back({text_.size(), std::move(owner), bytes});
}

ssize_t Output::WriteTo(int fd, size_t limit) {
  std::array<iovec, kMaxVectors> vectors;
  Gather gather(vectors.data(), vectors.size(), limit);
  std::string_view text(text_);
  size_t at = text_done_;
  for (size_t i = pieces_done_; i < pieces_.size() && !gather.full(); ++i) {
    gather.Add(text.substr(at, pieces_[i].text_end - at));
    gather.Add(pieces_[i].bytes);
    at = pieces_[i].text_end;
  }
  gather.Add(text.substr(at));
  msghdr message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = gather.count();
  ssize_t written = sendmsg(fd, &message, MSG_NOSIGNAL);
  if (written > 0) Advance(static_cast<size_t>(written));
  return written;
}

void Output::Advance(size_t written) {
  for (; pieces_done_ < pieces_.size(); ++pieces_done_) {
    Piece& piece = pieces_[pieces_done_];
    size_t step = std::min(written, piece.text_end - text_done_);
    text_done_ += step;
    written -= step;
    step = std::min(written, piece.bytes.size());
    piece.bytes.remove_prefix(step);
    written -= step;
    if (text_done_ < piece.text_end || !piece.bytes.empty()) return;
    piece.owner.reset();
  }
  text_done_ += written;
  if (text_done_ == text_.size()) Clear();
}

void Output::Clear() {
  text_.clear();
  pieces_.clear();
  text_done_ = 0;
  pieces_done_ = 0;
}

}  // namespace postern::legacy
