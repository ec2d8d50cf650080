// What waits to be written to one connection: text of the server's own, and slices of messages that
// are shared with the store and never copied. Owned by a connection, used by its thread alone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postern::legacy {

class Output {
 public:
  explicit Output(bool bare_lf) : bare_lf_(bare_lf) {}

  // Adds the parts behind each other.
  template <typename... Parts>
  void Add(const Parts&... parts) {
    (text_.append(parts), ...);
  }

  // The same, and the end of the line.
  template <typename... Parts>
  void Line(const Parts&... parts) {
    Add(parts...);
    text_.append(bare_lf_ ? "\n" : "\r\n");
  }

  void AddNumber(uint64_t number);

  // Adds `bytes`, a part of `*owner`, which is kept alive until they have been written.
  void AddShared(std::shared_ptr<const std::string> owner, std::string_view bytes);

  // Writes up to `limit` bytes to a non-blocking socket. Returns how many went, or -1 with errno.
  ssize_t WriteTo(int fd, size_t limit);

  bool empty() const { return text_.empty() && pieces_.empty(); }

  // True while a client that does not read should not be given more to wait for.
  bool full() const { return text_.size() > kHighMark || pieces_.size() > kManyPieces; }

  void Clear();

 private:
  static constexpr size_t kHighMark = size_t{256} << 10;
  static constexpr size_t kManyPieces = 64;
  static constexpr size_t kMaxVectors = 64;

  struct Piece {
    size_t text_end;  // of the text that goes before it
    std::shared_ptr<const std::string> owner;
    std::string_view bytes;
  };

  void Advance(size_t written);

  const bool bare_lf_;
  std::string text_;
  std::vector<Piece> pieces_;
  size_t text_done_ = 0;    // bytes of text_ that were written
  size_t pieces_done_ = 0;  // pieces of which nothing is left
};

}  // namespace postern::legacy
