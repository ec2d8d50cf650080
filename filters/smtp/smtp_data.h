// Message bytes behind DATA (RFC 5321, 4.5.2): finds their one true end, CRLF `.` CRLF, and makes
// sure that no server can see another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/filter.h"

namespace postern::smtp {

// Every LF without CR and every CR without LF goes on as CRLF, and a dot where a lax server would
// see the start of a line is doubled (CVE-2023-51764, 51765, 51766). Clean messages are forwarded
// untouched and uncopied.
class DataScanner {
 public:
  enum class Result : uint8_t {
    kMore,    // the message goes on
    kEnd,     // its end is among the bytes that were consumed
    kBareLf,  // `reject`: a lone LF or CR
  };

  explicit DataScanner(bool reject) : reject_(reject) {}

  // A new message: its first byte is at the start of a line.
  void Begin() { at_ = At::kLineStart; }
  // Consumes what it can of `input` with Forward, Drop and Send, and says how much in `used`. Up to
  // two bytes stay (a CR, a dot, both) where the meaning depends on what follows.
  Result Scan(std::string_view input, Actions& out, size_t& used);

 private:
  // Where the next byte stands in what the server sees.
  enum class At : uint8_t {
    kLineStart,  // behind a CRLF that the client sent
    kMadeStart,  // behind a CRLF that was made of a lone LF or CR
    kMiddle,
  };
  class Output;

  bool TakeDot(std::string_view input, size_t& at, Output& output, bool& end);
  bool TakeLineEnd(std::string_view input, size_t& at, Output& output, bool& bare);

  At at_ = At::kLineStart;
  bool reject_;
};

}  // namespace postern::smtp
