#include "proxy/status_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace postern {
namespace {

using nlohmann::json;

enum class Tone { kPlain, kBold, kGood, kWarn, kBad, kDim };

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
  bool right = false;
};
using Row = std::vector<Cell>;

constexpr int64_t kWarnDays = 21;
constexpr int64_t kBadDays = 7;

const char* Escape(Tone tone) {
  switch (tone) {
    case Tone::kBold:
      return "\033[1m";
    case Tone::kGood:
      return "\033[32m";
    case Tone::kWarn:
      return "\033[33m";
    case Tone::kBad:
      return "\033[31m";
    case Tone::kDim:
      return "\033[2m";
    case Tone::kPlain:
      break;
  }
  return "";
}

// Controls become '?': C0, DEL and the C1 ones, which are C2 80 to C2 9F in UTF-8.
std::string Safe(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) text.erase(i, 1);
    if (c1 || c < ' ' || c == 0x7F) text[i] = '?';
  }
  return text;
}

// In characters of UTF-8.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Painted(const std::string& text, Tone tone, bool colour) {
  if (!colour || tone == Tone::kPlain) return text;
  return Escape(tone) + text + "\033[0m";
}

std::string Text(const json& value) { return Safe(value.get<std::string>()); }
Cell Number(const json& value) {
  return {std::to_string(value.get<uint64_t>()), Tone::kPlain, true};
}
Cell PerSecond(const json& value) {
  return {fmt::format("{:.1f}/s", value.get<double>()), Tone::kPlain, true};
}

Cell Bytes(const json& value) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto number = value.get<double>();
  size_t unit = 0;
  for (; number >= 1024 && unit + 1 < kUnits.size(); ++unit) number /= 1024;
  return {fmt::format("{:.{}f} {}", number, unit == 0 ? 0 : 1, kUnits[unit]), Tone::kPlain, true};
}

Cell Millis(const json& value) {
  return {fmt::format("{:.1f} ms", value.get<double>() * 1000), Tone::kPlain, true};
}

// "2026-11-24T11:07:20.042Z" as "2026-11-24 11:07:20".
std::string Time(const json& value) {
  if (value.is_null()) return "-";
  std::string text = Text(value);
  constexpr size_t kSeconds = 19;
  if (text.size() > kSeconds) text.resize(kSeconds);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

class Printer {
 public:
  explicit Printer(bool colour) : colour_(colour) {}

  void Line(const Row& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) text_ += "  ";
      text_ += Painted(cells[i].text, cells[i].tone, colour_);
    }
    text_ += '\n';
  }

  // Nothing at all where there are no rows.
  void Table(std::vector<std::string> heads, std::vector<Row> rows) {
    if (rows.empty()) return;
    Row head;
    for (size_t i = 0; i < heads.size(); ++i) {
      head.push_back({std::move(heads[i]), Tone::kBold, rows[0][i].right});
    }
    rows.insert(rows.begin(), std::move(head));
    std::vector<size_t> widths(rows[0].size());
    for (const Row& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i].text));
    }
    text_ += '\n';
    for (const Row& row : rows) text_ += Aligned(row, widths);
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string Aligned(const Row& row, const std::vector<size_t>& widths) const {
    std::string line;
    size_t blanks = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      size_t pad = widths[i] - Width(row[i].text);
      line.append(blanks + (row[i].right ? pad : 0), ' ');
      line += Painted(row[i].text, row[i].tone, colour_);
      blanks = 2 + (row[i].right ? 0 : pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + '\n';
  }

  bool colour_;
  std::string text_;
};

void PrintState(Printer& out, const json& status) {
  Row line = {{"Postern " + Text(status.at("version")), Tone::kBold}};
  if (status.at("ready").get<bool>()) {
    line.push_back({"ready", Tone::kGood});
  } else {
    line.push_back({"not ready: " + Text(status.at("reason")), Tone::kBad});
  }
  if (status.at("draining").get<bool>()) line.push_back({"draining", Tone::kWarn});
  line.push_back({"up since " + Time(status.at("started"))});
  out.Line(line);
  const json& reload = status.at("reload");
  if (reload.is_null()) return;
  if (reload.at("ok").get<bool>()) {
    out.Line({{"reloaded " + Time(reload.at("time"))}});
  } else {
    out.Line({{"reload of " + Time(reload.at("time")) + " failed: " + Text(reload.at("error")),
               Tone::kBad}});
  }
}

void PrintListeners(Printer& out, const json& status) {
  std::vector<Row> rows;
  for (const json& one : status.at("listeners")) {
    rows.push_back({{Text(one.at("name"))},
                    {Text(one.at("protocol"))},
                    {Text(one.at("address"))},
                    {Text(one.at("tls"))},
                    Number(one.at("sessions")),
                    PerSecond(one.at("connections_per_second")),
                    PerSecond(one.at("logins_per_second")),
                    Number(one.at("logins")),
                    Number(one.at("refusals")),
                    Bytes(one.at("bytes_in")),
                    Bytes(one.at("bytes_out"))});
  }
  out.Table({"LISTENER", "PROTOCOL", "ADDRESS", "TLS", "SESSIONS", "NEW", "LOG-INS", "LOGGED IN",
             "REFUSED", "IN", "OUT"},
            std::move(rows));
}

Cell PolicyCell(const json& cell) {
  std::string action = Text(cell.at("action"));
  Tone tone = action == "blocked" ? Tone::kDim : Tone::kPlain;
  std::string text = action == "rewritten" ? "as " + Text(cell.at("to")) : action;
  if (!cell.at("shown").get<bool>() && action != "blocked") text += ", hidden";
  std::string counts;
  for (const auto& [result, count] : cell.at("counts").items()) {
    if (count.get<uint64_t>() != 0) {
      counts +=
          fmt::format("{}{} {}", counts.empty() ? "" : ", ", count.get<uint64_t>(), Safe(result));
    }
  }
  if (!counts.empty()) text += " (" + counts + ")";
  return {text, tone};
}

void PrintPolicy(Printer& out, const json& status) {
  std::map<std::pair<std::string, std::string>, size_t> row_of;
  std::vector<Row> rows;
  for (const json& cell : status.at("policy")) {
    auto key = std::pair(Text(cell.at("listener")), Text(cell.at("mechanism")));
    auto [found, is_new] = row_of.try_emplace(key, rows.size());
    if (is_new) rows.push_back({{key.first}, {key.second}, {"-"}, {"-"}});
    rows[found->second][Text(cell.at("channel")) == "clear" ? 2 : 3] = PolicyCell(cell);
  }
  out.Table({"LISTENER", "MECHANISM", "IN THE CLEAR", "INSIDE TLS"}, std::move(rows));
}

void PrintBackends(Printer& out, const json& status) {
  std::vector<Row> rows;
  for (const json& one : status.at("backends")) {
    Cell state = one.at("up").get<bool>() ? Cell{"up", Tone::kGood} : Cell{"down", Tone::kBad};
    rows.push_back({{Text(one.at("backend"))},
                    {Text(one.at("server"))},
                    state,
                    {Time(one.at("since"))},
                    Number(one.at("sessions")),
                    Number(one.at("failures")),
                    Millis(one.at("connect_p50")),
                    Millis(one.at("connect_p99")),
                    {Text(one.at("last_error"))}});
  }
  out.Table({"BACKEND", "SERVER", "STATE", "SINCE", "SESSIONS", "FAILURES", "CONNECT P50", "P99",
             "LAST ERROR"},
            std::move(rows));
}

void PrintCertificates(Printer& out, const json& status) {
  std::vector<Row> rows;
  for (const json& one : status.at("certificates")) {
    auto days = one.at("days_left").get<int64_t>();
    Tone tone = days < kBadDays ? Tone::kBad : days < kWarnDays ? Tone::kWarn : Tone::kPlain;
    std::string names;
    for (const json& name : one.at("names")) names += (names.empty() ? "" : ", ") + Text(name);
    rows.push_back({{Text(one.at("file"))},
                    {std::to_string(days), tone, true},
                    {Text(one.at("key"))},
                    {names},
                    {Text(one.at("issuer"))}});
  }
  out.Table({"CERTIFICATE", "DAYS LEFT", "KEY", "NAMES", "ISSUER"}, std::move(rows));
}

void PrintThrottled(Printer& out, const json& status) {
  std::vector<Row> rows;
  for (const json& one : status.at("throttled")) {
    rows.push_back(
        {{Text(one.at("address"))}, Number(one.at("failures")), {Time(one.at("until"))}});
  }
  out.Table({"THROTTLED", "FAILURES", "UNTIL"}, std::move(rows));
}

void PrintRefusals(Printer& out, const json& status) {
  std::vector<Row> rows;
  for (const json& one : status.at("refusals")) {
    rows.push_back({{Time(one.at("time"))},
                    {Text(one.at("address"))},
                    {Text(one.at("listener"))},
                    {Text(one.at("mechanism"))},
                    {Text(one.at("why"))}});
  }
  out.Table({"REFUSED", "ADDRESS", "LISTENER", "MECHANISM", "WHY"}, std::move(rows));
}

}  // namespace

std::optional<std::string> StatusTable(std::string_view text, bool colour) {
  Printer out(colour);
  // nlohmann-json reports a missing or foreign value by throwing; it goes no further than here.
  try {
    const json status = json::parse(text);
    PrintState(out, status);
    PrintListeners(out, status);
    PrintPolicy(out, status);
    PrintBackends(out, status);
    PrintCertificates(out, status);
    PrintThrottled(out, status);
    PrintRefusals(out, status);
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return out.Take();
}

}  // namespace postern
