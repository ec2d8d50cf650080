// SASLprep (RFC 4013): one spelling for what looks the same.
#pragma once

#include <string_view>

#include "filters/secret.h"

namespace postern::sasl {

enum class Prepare : uint8_t {
  kQuery,   // a user name: code points that Unicode 3.2 does not know may be there
  kStored,  // a password (RFC 5802, 2.2): they may not
};

// `text` prepared, or as it is where it cannot be (no UTF-8, prohibited, nothing left): the
// server then has it as it is too, or says no.
Secret SaslPrep(std::string_view text, Prepare how);
// The same without the short way for common letters: for tests.
Secret SaslPrepByLibrary(std::string_view text, Prepare how);

}  // namespace postern::sasl
