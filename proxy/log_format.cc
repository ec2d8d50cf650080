#include "proxy/log_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

namespace postern {
namespace {

using nlohmann::ordered_json;

constexpr std::array kLevelNames = {"debug", "info", "warn", "error"};

std::string_view LevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

// At most kMaxLogText bytes, and no UTF-8 sequence cut in two; "..." shows that something is gone.
std::string Cut(std::string_view text) {
  if (text.size() <= kMaxLogText) return std::string(text);
  constexpr std::string_view kMark = "...";
  size_t size = kMaxLogText - kMark.size();
  constexpr size_t kLongestSequence = 4;
  for (size_t back = 0; back < kLongestSequence; ++back) {
    if ((static_cast<unsigned char>(text[size - back]) & 0xC0) != 0x80) {
      size -= back;
      break;
    }
  }
  return std::string(text.substr(0, size)).append(kMark);
}

ordered_json ToJsonValue(const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) return Cut(*text);
  if (const auto* number = std::get_if<double>(&field.value)) {
    return std::round(*number * 1e6) / 1e6;
  }
  return std::visit([](const auto& value) { return ordered_json(value); }, field.value);
}

bool LeftOut(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  return text != nullptr && text->empty();
}

// Plain ASCII, so that neither a terminal nor a collector can be led astray by peer text.
std::string Dump(const ordered_json& value) {
  return value.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

bool NeedsQuotes(std::string_view text) {
  return !std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '=';
  });
}

std::string TextValue(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  if (text != nullptr && text->size() <= kMaxLogText && !NeedsQuotes(*text)) {
    return std::string(*text);
  }
  return Dump(ToJsonValue(field));
}

}  // namespace

std::string FormatLogTime(LogTime time) {
  using namespace std::chrono;
  auto millis = floor<milliseconds>(time);
  auto day = floor<days>(millis);
  year_month_day date(day);
  hh_mm_ss clock(millis - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string FormatLogLine(LogFormat format, LogTime time, LogLevel level, std::string_view event,
                          const LogField* fields, size_t count) {
  if (format == LogFormat::kText) {
    std::string line = fmt::format("{} {:5} {}", FormatLogTime(time), LevelName(level), event);
    for (size_t i = 0; i < count; ++i) {
      if (LeftOut(fields[i])) continue;
      fmt::format_to(std::back_inserter(line), " {}={}", fields[i].name, TextValue(fields[i]));
    }
    return line;
  }
  ordered_json line = {{"ts", FormatLogTime(time)}, {"level", LevelName(level)}, {"event", event}};
  for (size_t i = 0; i < count; ++i) {
    if (!LeftOut(fields[i])) line[std::string(fields[i].name)] = ToJsonValue(fields[i]);
  }
  return Dump(line);
}

}  // namespace postern
