// Lines and literals of IMAP (RFC 9051, 4.3; RFC 7888): found first, before any verb is looked at.
// Nothing here copies or keeps input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace postern::imap {

enum class LineState : uint8_t {
  kWhole,
  kPartial,  // no line end yet
  kTooLong,
  kNul,
  kBareCr,  // a CR that no LF follows
};

struct Line {
  std::string_view text;  // without the line end
  size_t size = 0;        // with it: CRLF or LF
};

// Looks for the end of the line that the input starts with, and remembers how far it has looked
// when the same input is shown again with more behind it.
class LineScanner {
 public:
  // `limit`: bytes of text. Of a NUL, a bare CR and a line end the first one in the input counts,
  // however it was cut.
  LineState Next(std::string_view input, size_t limit, Line& line);
  // The line was taken: the next input starts with another.
  void Reset() { scanned_ = 0; }
  bool begun() const { return scanned_ != 0; }

 private:
  size_t scanned_ = 0;
};

// The same for a server's lines, in which NUL and CR are no business of ours.
class ServerLineScanner {
 public:
  LineState Next(std::string_view input, size_t limit, Line& line);
  void Reset() { scanned_ = 0; }
  bool begun() const { return scanned_ != 0; }

 private:
  size_t scanned_ = 0;
};

// `{n}`, `{n+}`, `~{n}` at the end of a line: n bytes follow it.
struct Literal {
  static constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

  uint64_t size = 0;  // kHuge where the number is 2^64 - 1 or more
  bool synchronizing = true;
  bool binary = false;  // literal8 (RFC 3516)
  size_t brace = 0;     // where in the line `{` stands
};

enum class Tail : uint8_t {
  kNone,
  kLiteral,
  kOdd,  // looks like a literal, but is none: some servers might take it for one all the same
};

Tail FindLiteral(std::string_view line, Literal& literal);

}  // namespace postern::imap
