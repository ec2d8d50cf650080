// /status.json as text for a terminal. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern {

// Tables with aligned columns; `colour`: with the escape sequences of a terminal. Text that peers
// have a say in (names in certificates, commands) cannot bring escape sequences of its own.
// nullopt: `json` is not what /status.json says.
std::optional<std::string> StatusTable(std::string_view json, bool colour);

}  // namespace postern
