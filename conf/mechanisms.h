// The mechanisms that this program can name: for suggestions and for the table of `check --matrix`.
#pragma once

#include <span>
#include <string_view>

namespace postern::conf {

// Every name that is somebody's, so that a rule for it is no typing mistake.
std::span<const std::string_view> KnownMechanisms();

// The rows of the table: basic ones, challenge and response, tokens, and at the end "*".
std::span<const std::string_view> TableMechanisms();

}  // namespace postern::conf
