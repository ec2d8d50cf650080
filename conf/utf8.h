// Whether a text is UTF-8. Private to conf/.
#pragma once

#include <cstddef>
#include <string_view>

namespace postern::conf {

// How many bytes from the start are UTF-8 (RFC 3629: no surrogates, nothing longer than needed,
// nothing above U+10FFFF); the size of the text where all are.
size_t ValidUtf8(std::string_view text);

}  // namespace postern::conf
