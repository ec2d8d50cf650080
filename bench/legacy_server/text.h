// Small helpers for protocol text. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::legacy {

std::string Upper(std::string_view text);

// ASCII case does not count.
bool SameWord(std::string_view a, std::string_view b);

// Parts of `text` between any of `separators`, empty ones left out. The parts point into `text`.
std::vector<std::string_view> Split(std::string_view text, std::string_view separators);

// Takes the first word off `rest` together with the blank behind it.
std::string_view TakeWord(std::string_view& rest);

// Decimal digits and nothing else.
std::optional<uint64_t> ParseNumber(std::string_view text);

std::string EncodeBase64(std::string_view bytes);
std::optional<std::string> DecodeBase64(std::string_view text);

// Bytes as they can stand in a line of a log: \r \n \\ and \xNN for the unprintable.
std::string Escape(std::string_view bytes);

}  // namespace postern::legacy
