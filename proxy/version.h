// What this program is and what it is made of.
#pragma once

#include <string>
#include <string_view>

namespace postern {

std::string_view Version();  // "0.1.0"
// `postern version`: the program, its libraries and their versions, and the key exchange groups
// there are.
std::string VersionText();

}  // namespace postern
