#include "proxy/log_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <variant>

namespace postern {
namespace {

using nlohmann::json;

// Most lines need no memory from elsewhere.
using Line = fmt::basic_memory_buffer<char, 1024>;

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

// A collector wants the same fields in every line; an eye wants those that say something.
bool LeftOutOfText(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  return text != nullptr && text->empty();
}

bool PlainInJson(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

// In quotes, and plain ASCII, so that neither a terminal nor a collector can be led astray by peer
// text. What needs no escape, as nearly everything, is taken as it is.
void AppendQuoted(Line& line, std::string_view text) {
  if (text.size() <= kMaxLogText && PlainInJson(text)) {
    line.push_back('"');
    line.append(text);
    line.push_back('"');
  } else {
    line.append(json(Cut(text)).dump(-1, ' ', true, json::error_handler_t::replace));
  }
}

struct ValueWriter {
  Line& line;

  void operator()(std::string_view text) const { AppendQuoted(line, text); }
  void operator()(double number) const {
    if (std::isfinite(number)) {
      fmt::format_to(std::back_inserter(line), "{:.6f}", number);
    } else {
      line.append(std::string_view("null"));  // JSON knows no infinity
    }
  }
  template <typename Value>
  void operator()(Value value) const {
    fmt::format_to(std::back_inserter(line), "{}", value);
  }
};

bool NeedsQuotes(std::string_view text) {
  return text.size() > kMaxLogText || !PlainInJson(text) ||
         text.find_first_of(" =") != std::string_view::npos;
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
  Line line;
  const bool is_json = format == LogFormat::kJson;
  if (is_json) {
    fmt::format_to(std::back_inserter(line), R"({{"ts":"{}","level":"{}","event":"{}")",
                   FormatLogTime(time), LevelName(level), event);
  } else {
    fmt::format_to(std::back_inserter(line), "{} {:5} {}", FormatLogTime(time), LevelName(level),
                   event);
  }
  for (const LogField& field : std::span(fields, count)) {
    if (!is_json && LeftOutOfText(field)) continue;
    line.append(std::string_view(is_json ? ",\"" : " "));
    line.append(field.name);
    line.append(std::string_view(is_json ? "\":" : "="));
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (!is_json && text != nullptr && !NeedsQuotes(*text)) {
      line.append(*text);
    } else {
      std::visit(ValueWriter{line}, field.value);
    }
  }
  if (is_json) line.push_back('}');
  return fmt::to_string(line);
}

}  // namespace postern
