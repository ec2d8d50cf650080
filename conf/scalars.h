// Parsers of single values: durations, sizes, rates, counts, names. Each gives a value or the end
// of a sentence that begins with the text ("is no duration: …"). Private to conf/.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "conf/config.h"

namespace postern::conf {

// The longest duration, 1000 days: far from any overflow in milliseconds or microseconds.
inline constexpr milliseconds kMaxDuration = std::chrono::hours(24'000);

// "250ms", "30s", "35m", "1h", and "0".
Parsed<milliseconds> ParseDuration(std::string_view text);
// The same, of at least a millisecond: a wait that may not be switched off.
Parsed<milliseconds> ParseTimeout(std::string_view text);
// "16KiB", "1MiB", "64KB", "4096", "4096B", "0"; in bytes.
Parsed<size_t> ParseSize(std::string_view text);
// "1200/1m"; "0" for none. The window is 1 s to 24 h.
Parsed<Rate> ParseRate(std::string_view text);
// Digits alone, 0 to kMaxCount.
Parsed<uint64_t> ParseCount(std::string_view text);
inline constexpr uint64_t kMaxCount = 1'000'000'000;
// true false yes no on off, in any case.
Parsed<bool> ParseFlag(std::string_view text);
// A listener's or a backend's name: letters digits . _ - : up to kMaxName.
Parsed<std::string> ParseName(std::string_view text);
inline constexpr size_t kMaxName = 64;
// A command's or a capability's name: letters digits - _, up to kMaxName; in upper case.
Parsed<std::string> ParseCommand(std::string_view text);
// A SASL mechanism's name (letters digits - _) or "*"; in upper case.
Parsed<std::string> ParseMechanism(std::string_view text);
// RFC 4422, 3.1 says 20, but IANA's registry has longer ones: ECDSA-NIST256P-CHALLENGE.
inline constexpr size_t kMaxMechanism = 32;
// A host's name or its IP address, with or without the brackets of an IPv6 one; in lower case. ""
// stays empty.
Parsed<std::string> ParseHostName(std::string_view text);
// Any text without control characters, up to kMaxText bytes.
Parsed<std::string> ParseText(std::string_view text);
inline constexpr size_t kMaxText = 4096;
// Both expression and limits of `auth.users`.
Parsed<std::regex> ParseExpression(std::string_view text);
inline constexpr size_t kMaxExpression = 1024;
// Where an expression has a back-reference (\1), searching may take time that grows exponentially.
bool HasBackReference(std::string_view expression);

}  // namespace postern::conf
