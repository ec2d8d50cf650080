// Finds where a server's reply ends, without keeping what is in it. One per connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::loadgen {

enum class Reply : uint8_t {
  kLine,       // one line that is not a refusal (a greeting, POP3's +OK)
  kTagged,     // IMAP: up to the line with the tag "a"
  kPlus,       // IMAP: one line with +
  kMultiline,  // POP3: up to a line with a dot
  kSmtp,       // up to the last line of a reply
};

class ReplyReader {
 public:
  enum class Status : uint8_t { kMore, kDone, kRefused };

  void Expect(Reply reply);

  // Takes bytes off the front of `input` up to the reply's end at most.
  Status Feed(std::string_view& input);

 private:
  static constexpr size_t kMaxLine = size_t{64} << 10;

  Status OnLine(std::string_view line);
  Status FeedBody(std::string_view& input);

  Reply reply_ = Reply::kLine;
  std::string line_;       // begun in bytes seen before
  uint64_t skip_ = 0;      // bytes left of an IMAP literal
  bool in_body_ = false;   // of a multi-line reply
  std::string body_tail_;  // its last bytes
};

}  // namespace postern::loadgen
