#pragma once

#include <string>
#include <string_view>

#include "filters/sasl/digest.h"

namespace postern::sasl {

inline std::string ToHex(std::string_view bytes) { return std::string(Hex(bytes).Reveal()); }

// Lower case; blanks between the bytes mean nothing.
inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  return bytes;
}

}  // namespace postern::sasl
