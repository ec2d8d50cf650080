// Lines of POP3 as the wire has them: found first, understood later. Nothing here copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filters/event.h"

namespace postern::pop3 {

struct Line {
  std::string_view text;  // without its end
  size_t size = 0;        // with it
  bool crlf = false;      // ended in CRLF, not in a lone LF

  std::string_view word() const { return text.substr(0, text.find(' ')); }
  // Behind the first blank; further blanks are kept.
  std::string_view arguments() const {
    const size_t blank = text.find(' ');
    return blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  }
};

// Finds the line that begins `input`. Remembers how far it has looked: the same bytes, shown again
// with more behind them, are not searched twice. Call Reset when the line has been consumed.
class LineFinder {
 public:
  enum class Result : uint8_t { kLine, kIncomplete, kTooLong };

  // `limit`: the most bytes of a line, its end included.
  Result Find(std::string_view input, size_t limit, Line& line);
  void Reset() { scanned_ = 0; }
  // Bytes that are known to hold no line end.
  size_t scanned() const { return scanned_; }

 private:
  size_t scanned_ = 0;
};

// What makes a client's line no command at all: a NUL, or a CR that ends no line.
std::optional<ProtocolFault> FaultOf(const Line& line);

// How a server's line begins.
enum class Status : uint8_t {
  kOk,        // +OK
  kErr,       // -ERR
  kContinue,  // `+`, with or without text, with or without a blank between (RFC 5034, 4)
  kOther,
};
Status StatusOf(std::string_view text);

// The text of a kContinue line; empty where there is none.
std::string_view ChallengeOf(std::string_view text);

// A SASL initial response: `=` stands for an empty one (RFC 5034, 4). nullopt where it is not
// base64. Wipe what comes back.
std::optional<std::string> DecodeInitial(std::string_view text);

// True for a -ERR that is no verdict on who the user is: [SYS/TEMP], [SYS/PERM] (RFC 3206),
// [IN-USE], [LOGIN-DELAY] (RFC 2449, 8.1).
bool IsTemporary(std::string_view text);

}  // namespace postern::pop3
