#include "conf/scalars.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <regex>

namespace postern::conf {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char ToUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), ToUpper);
  return upper;
}

// A number at the start of a text and the rest behind it; no value without digits or over 10^15,
// which leaves room to multiply by any unit.
struct Number {
  std::optional<uint64_t> value;
  std::string_view unit;
};

Number SplitNumber(std::string_view text) {
  constexpr uint64_t kMost = 1'000'000'000'000'000;
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > kMost) return {std::nullopt, text};
  return {value, text.substr(static_cast<size_t>(stop - text.data()))};
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array kDurations = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                   Unit{"h", 3'600'000}};
constexpr std::array kSizes = {Unit{"", 1},
                               Unit{"B", 1},
                               Unit{"KB", 1000},
                               Unit{"MB", 1000 * 1000},
                               Unit{"GB", 1000 * 1000 * 1000},
                               Unit{"KIB", 1024},
                               Unit{"MIB", 1024 * 1024},
                               Unit{"GIB", 1024 * 1024 * 1024}};

template <size_t kCount>
std::optional<uint64_t> FactorOf(const std::array<Unit, kCount>& units, std::string_view name) {
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  if (found == units.end()) return std::nullopt;
  return found->factor;
}

template <typename Allowed>
bool Consists(std::string_view text, size_t most, Allowed allowed) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

Parsed<milliseconds> ParseDuration(std::string_view text) {
  const Number number = SplitNumber(text);
  if (number.value == 0 && number.unit.empty()) return {milliseconds(0), ""};
  const auto factor = FactorOf(kDurations, number.unit);
  if (number.value && number.unit.empty()) return {std::nullopt, "needs a unit: ms, s, m or h"};
  if (!number.value || !factor) {
    return {std::nullopt, "is no duration: a number and ms, s, m or h, as in 30s"};
  }
  const auto most = static_cast<uint64_t>(kMaxDuration.count());
  if (*number.value > most / *factor) return {std::nullopt, "is longer than 24000h"};
  return {milliseconds(*number.value * *factor), ""};
}

Parsed<milliseconds> ParseTimeout(std::string_view text) {
  auto parsed = ParseDuration(text);
  if (parsed && parsed.value->count() == 0) return {std::nullopt, "must be longer than nothing"};
  return parsed;
}

Parsed<size_t> ParseSize(std::string_view text) {
  const Number number = SplitNumber(text);
  const auto factor = FactorOf(kSizes, Upper(number.unit));
  if (!number.value || !factor) {
    return {std::nullopt, "is no size: a number and nothing, B, KiB, MiB, GiB, KB, MB or GB"};
  }
  constexpr uint64_t kMost = 1ULL << 40;
  if (*number.value > kMost / *factor) return {std::nullopt, "is larger than 1024GiB"};
  return {static_cast<size_t>(*number.value * *factor), ""};
}

Parsed<Rate> ParseRate(std::string_view text) {
  constexpr std::string_view kWrong = "is no rate: a number, a slash and a duration, as in 20/5m";
  if (text == "0") return {Rate{}, ""};
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {std::nullopt, std::string(kWrong)};
  const auto count = ParseCount(text.substr(0, slash));
  const auto window = ParseDuration(text.substr(slash + 1));
  if (!count || !window) return {std::nullopt, std::string(kWrong)};
  if (*window.value < std::chrono::seconds(1) || *window.value > std::chrono::hours(24)) {
    return {std::nullopt, "needs a duration from 1s to 24h behind its slash"};
  }
  return {Rate{*count.value, *window.value}, ""};
}

Parsed<uint64_t> ParseCount(std::string_view text) {
  const Number number = SplitNumber(text);
  if (!number.value || !number.unit.empty() || *number.value > kMaxCount) {
    return {std::nullopt, "is no number from 0 to " + std::to_string(kMaxCount)};
  }
  return {*number.value, ""};
}

Parsed<bool> ParseFlag(std::string_view text) {
  const std::string word = Upper(text);
  if (word == "TRUE" || word == "YES" || word == "ON") return {true, ""};
  if (word == "FALSE" || word == "NO" || word == "OFF") return {false, ""};
  return {std::nullopt, "is neither true nor false"};
}

Parsed<std::string> ParseName(std::string_view text) {
  const bool good = Consists(text, kMaxName, [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '.' || c == '_' || c == '-' || c == ':';
  });
  if (good) return {std::string(text), ""};
  return {std::nullopt,
          "is no name: 1 to " + std::to_string(kMaxName) + " of letters digits . _ - :"};
}

Parsed<std::string> ParseCommand(std::string_view text) {
  const bool good = Consists(
      text, kMaxName, [](char c) { return IsLetter(c) || IsDigit(c) || c == '-' || c == '_'; });
  if (good) return {Upper(text), ""};
  return {std::nullopt, "is no name of a command: letters, digits and - alone"};
}

Parsed<std::string> ParseMechanism(std::string_view text) {
  const bool good = Consists(text, kMaxMechanism, [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_';
  });
  if (good || text == "*") return {Upper(text), ""};
  return {std::nullopt, "is no name of a mechanism: up to " + std::to_string(kMaxMechanism) +
                            " letters, digits, - and _, or \"*\""};
}

Parsed<std::string> ParseHostName(std::string_view text) {
  if (text.empty()) return {"", ""};
  const bool v6 = text.find(':') != std::string_view::npos && !text.starts_with('[');
  const std::string host = v6 ? "[" + std::string(text) + "]" : std::string(text);
  const auto address = ParseAddress(host + ":1");
  if (!address || address.value->is_unix()) {
    return {std::nullopt, "is neither a host's name nor an IP address"};
  }
  return {address.value->host, ""};
}

Parsed<std::string> ParseText(std::string_view text) {
  if (text.size() > kMaxText) {
    return {std::nullopt, "is longer than " + std::to_string(kMaxText) + " bytes"};
  }
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < ' ' || byte == 127;
  });
  if (control) return {std::nullopt, "has a line end or another control character in it"};
  return {std::string(text), ""};
}

}  // namespace postern::conf
