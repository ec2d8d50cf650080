// The buffers that all sessions of one worker read into and write from. An idle session holds none:
// what a socket would not take at once is the only thing that is ever copied into a session.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "filters/secret.h"

namespace postern {

// Bytes on their way to one socket, gathered during one event so that they leave in one write.
class OutBuffer {
 public:
  explicit OutBuffer(size_t capacity) : data_(new char[capacity]), capacity_(capacity) {}

  size_t room() const { return capacity_ - size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_.get(), size_}; }
  // `bytes` fit into room(): the caller has looked.
  void Append(const void* bytes, size_t size) {
    std::memcpy(data_.get() + size_, bytes, size);
    size_ += size;
  }
  void Clear() { size_ = 0; }
  void WipeAndClear() {
    Wipe(data_.get(), size_);
    size_ = 0;
  }

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_;
  size_t size_ = 0;
};

struct Scratch {
  // One read of a socket. Seven full TLS records; more brings nothing (docs/benchmarks.md).
  static constexpr size_t kRead = 128 * 1024;
  // A record begun in an earlier read can make more plaintext come out than ciphertext went in.
  static constexpr size_t kPlain = kRead + 32 * 1024;
  // A write is cut into pieces of this size before encryption; room for one is made first.
  static constexpr size_t kPiece = 64 * 1024;
  static constexpr size_t kOut = kPlain + 2 * kPiece;

  std::unique_ptr<char[]> read{new char[kRead]};
  std::unique_ptr<char[]> plain{new char[kPlain]};
  OutBuffer to_client{kOut};
  OutBuffer to_server{kOut};
};

}  // namespace postern
