#include "filters/smtp/smtp_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "filters/text.h"

namespace postern::smtp {
namespace {

struct Entry {
  std::string_view name;
  Verb verb;
  bool before_tls;
};

// Where two names stand for one command, its own comes first. The commonest lead.
constexpr std::array<Entry, 26> kVerbs = {{
    {"RCPT", Verb::kRcpt, false},    {"MAIL", Verb::kMail, false},
    {"DATA", Verb::kData, false},    {"BDAT", Verb::kBdat, false},
    {"NOOP", Verb::kNoop, true},     {"RSET", Verb::kRset, true},
    {"EHLO", Verb::kEhlo, true},     {"HELO", Verb::kHelo, true},
    {"LHLO", Verb::kLhlo, true},     {"QUIT", Verb::kQuit, true},
    {"AUTH", Verb::kAuth, true},     {"STARTTLS", Verb::kStartTls, true},
    {"TLS", Verb::kStartTls, true},  // Exchange 5.5 and its clients
    {"HELP", Verb::kHelp, true},     {"VRFY", Verb::kVrfy, false},
    {"EXPN", Verb::kExpn, false},    {"ETRN", Verb::kEtrn, false},
    {"GET", Verb::kHttp, false},     {"POST", Verb::kHttp, false},
    {"PUT", Verb::kHttp, false},     {"HEAD", Verb::kHttp, false},
    {"DELETE", Verb::kHttp, false},  {"OPTIONS", Verb::kHttp, false},
    {"CONNECT", Verb::kHttp, false}, {"TRACE", Verb::kHttp, false},
    {"PATCH", Verb::kHttp, false},
}};

const Entry* Find(std::string_view word) {
  for (const Entry& entry : kVerbs) {
    if (EqualsIgnoreCase(entry.name, word)) return &entry;
  }
  return nullptr;
}

bool Names(const std::vector<std::string>& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [name](const std::string& own) { return EqualsIgnoreCase(own, name); });
}

}  // namespace

bool Command::before_tls() const {
  const Entry* entry = Find(word);
  return entry != nullptr && entry->before_tls;
}

bool IsAllowed(const FilterOptions& options, std::string_view name) {
  return Names(options.allow, name);
}

bool IsDenied(const FilterOptions& options, std::string_view name) {
  return Names(options.deny, name) && !IsAllowed(options, name);
}

bool IsDenied(const FilterOptions& options, const Command& command) {
  if (options.deny.empty()) return false;
  if (IsDenied(options, command.word)) return true;
  return command.verb == Verb::kStartTls && IsDenied(options, "STARTTLS");
}

Command ParseCommand(const FilterOptions& options, std::string_view line) {
  Command command;
  command.arguments = line;
  command.word = TakeWord(command.arguments);
  if (const Entry* entry = Find(command.word)) {
    command.verb = entry->verb;
  } else if (!command.word.empty() && IsAllowed(options, command.word)) {
    // Exchange's AUTH between servers is an AUTH: the mechanism is judged as everywhere.
    command.verb = EqualsIgnoreCase(command.word, "X-EXPS") ? Verb::kAuth : Verb::kAllowed;
  }
  return command;
}

std::optional<Chunk> ParseChunk(std::string_view arguments) {
  const std::string_view digits = TakeWord(arguments);
  Chunk chunk;
  // from_chars takes no sign, blank or base of an unsigned number, and reports what overflows.
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), chunk.size);
  if (error != std::errc() || end != digits.end() || chunk.size > kMaxChunk) return std::nullopt;
  if (arguments.empty()) return chunk;
  if (!EqualsIgnoreCase(arguments, "LAST")) return std::nullopt;
  chunk.last = true;
  return chunk;
}

}  // namespace postern::smtp
