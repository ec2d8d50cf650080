#include "filters/imap/imap_syntax.h"

#include <algorithm>
#include <array>

#include "filters/imap/imap_line.h"
#include "filters/secret.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

struct VerbEntry {
  std::string_view name;
  Verb verb;
};

// The first seven are those that contract and RFC 9051, 6.1 and 6.2 allow before a log-in.
constexpr std::array kVerbs = {
    VerbEntry{"CAPABILITY", Verb::kCapability},
    VerbEntry{"NOOP", Verb::kNoop},
    VerbEntry{"LOGOUT", Verb::kLogout},
    VerbEntry{"STARTTLS", Verb::kStartTls},
    VerbEntry{"AUTHENTICATE", Verb::kAuthenticate},
    VerbEntry{"LOGIN", Verb::kLogin},
    VerbEntry{"ID", Verb::kId},
    VerbEntry{"ENABLE", Verb::kLater},
    VerbEntry{"SELECT", Verb::kLater},
    VerbEntry{"EXAMINE", Verb::kLater},
    VerbEntry{"CREATE", Verb::kLater},
    VerbEntry{"DELETE", Verb::kLater},
    VerbEntry{"RENAME", Verb::kLater},
    VerbEntry{"SUBSCRIBE", Verb::kLater},
    VerbEntry{"UNSUBSCRIBE", Verb::kLater},
    VerbEntry{"LIST", Verb::kLater},
    VerbEntry{"LSUB", Verb::kLater},
    VerbEntry{"NAMESPACE", Verb::kLater},
    VerbEntry{"STATUS", Verb::kLater},
    VerbEntry{"APPEND", Verb::kLater},
    VerbEntry{"IDLE", Verb::kLater},
    VerbEntry{"CHECK", Verb::kLater},
    VerbEntry{"CLOSE", Verb::kLater},
    VerbEntry{"UNSELECT", Verb::kLater},
    VerbEntry{"EXPUNGE", Verb::kLater},
    VerbEntry{"SEARCH", Verb::kLater},
    VerbEntry{"SORT", Verb::kLater},
    VerbEntry{"THREAD", Verb::kLater},
    VerbEntry{"FETCH", Verb::kLater},
    VerbEntry{"STORE", Verb::kLater},
    VerbEntry{"COPY", Verb::kLater},
    VerbEntry{"MOVE", Verb::kLater},
    VerbEntry{"UID", Verb::kLater},
    VerbEntry{"GETQUOTA", Verb::kLater},
    VerbEntry{"GETQUOTAROOT", Verb::kLater},
    VerbEntry{"SETQUOTA", Verb::kLater},
    VerbEntry{"GETACL", Verb::kLater},
    VerbEntry{"SETACL", Verb::kLater},
    VerbEntry{"DELETEACL", Verb::kLater},
    VerbEntry{"LISTRIGHTS", Verb::kLater},
    VerbEntry{"MYRIGHTS", Verb::kLater},
    VerbEntry{"GETMETADATA", Verb::kLater},
    VerbEntry{"SETMETADATA", Verb::kLater},
    VerbEntry{"COMPRESS", Verb::kNever},
    VerbEntry{"UNAUTHENTICATE", Verb::kNever},
    VerbEntry{"NOTIFY", Verb::kLater},
};

// Codes of a NO that pass by themselves, or that tell of the server or the channel and not of the
// password (RFC 5530; REFERRAL: RFC 2221).
constexpr std::array<std::string_view, 7> kTemporaryCodes = {
    "UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT", "CONTACTADMIN", "PRIVACYREQUIRED", "REFERRAL"};

// atom-specials but `]`; a tag may not have `+` either.
bool IsAtomChar(char c) {
  const auto byte = static_cast<uint8_t>(c);
  if (byte <= ' ' || byte >= 0x7f) return false;
  return std::string_view("(){%*\"\\").find(c) == std::string_view::npos;
}

bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTag &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsAtomChar(c) && c != '+'; });
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsAtomChar);
}

Status ReadStatus(std::string_view word) {
  if (EqualsIgnoreCase(word, "OK")) return Status::kOk;
  if (EqualsIgnoreCase(word, "NO")) return Status::kNo;
  if (EqualsIgnoreCase(word, "BAD")) return Status::kBad;
  if (EqualsIgnoreCase(word, "BYE")) return Status::kBye;
  if (EqualsIgnoreCase(word, "PREAUTH")) return Status::kPreauth;
  return Status::kNone;
}

// A code without its end reaches to the end of the line: a client might read it so, too.
std::string_view ReadCode(std::string_view text) {
  if (text.empty() || text.front() != '[') return {};
  const size_t close = text.find(']');
  return text.substr(1, close == std::string_view::npos ? close : close - 1);
}

}  // namespace

Verb FindVerb(std::string_view name) {
  for (const VerbEntry& entry : kVerbs) {
    if (EqualsIgnoreCase(entry.name, name)) return entry.verb;
  }
  return Verb::kUnknown;
}

Shape ReadCommand(std::string_view line, Command& command) {
  const size_t blank = line.find(' ');
  command.tag = line.substr(0, blank);
  if (!IsTag(command.tag)) return Shape::kNoTag;
  if (blank == std::string_view::npos) return Shape::kNoCommand;
  std::string_view rest = line.substr(blank + 1);
  command.has_arguments = rest.find(' ') != std::string_view::npos;
  command.name = TakeWord(rest);
  command.arguments = rest;
  return IsName(command.name) ? Shape::kCommand : Shape::kNoCommand;
}

bool ArgumentReader::Take(char c) {
  if (text_.empty() || text_.front() != c) return false;
  text_.remove_prefix(1);
  return true;
}

bool ArgumentReader::String(std::string& value, std::string_view* raw) {
  const std::string_view before = text_;
  const bool quoted = !text_.empty() && text_.front() == '"';
  if (!(quoted ? Quoted(value) : LiteralBytes(value))) return false;
  if (raw != nullptr) *raw = before.substr(0, before.size() - text_.size());
  return true;
}

bool ArgumentReader::AString(std::string& value) {
  if (text_.empty()) return false;
  if (text_.front() == '"' || text_.front() == '{' || text_.front() == '~') return String(value);
  const std::string_view word = text_.substr(0, text_.find(' '));
  if (word.empty() || word.find_first_of("\"({\r\n") != std::string_view::npos) return false;
  value.assign(word);
  text_.remove_prefix(word.size());
  return true;
}

bool ArgumentReader::Nil() {
  if (!StartsWithIgnoreCase(text_, "NIL")) return false;
  text_.remove_prefix(3);
  return true;
}

bool ArgumentReader::Quoted(std::string& value) {
  value.clear();
  value.reserve(text_.size());  // never moved while it grows: it may be a password
  for (size_t i = 1; i < text_.size(); ++i) {
    char c = text_[i];
    if (c == '"') {
      text_.remove_prefix(i + 1);
      return true;
    }
    if (c == '\r' || c == '\n') return false;
    if (c == '\\') {
      if (++i == text_.size()) return false;
      c = text_[i];
      if (c != '"' && c != '\\') return false;
    }
    value.push_back(c);
  }
  return false;
}

bool ArgumentReader::LiteralBytes(std::string& value) {
  const size_t feed = text_.find('\n');
  if (feed == std::string_view::npos) return false;
  const size_t end = feed > 0 && text_[feed - 1] == '\r' ? feed - 1 : feed;
  Literal literal;
  if (FindLiteral(text_.substr(0, end), literal) != Tail::kLiteral) return false;
  if (literal.brace != (literal.binary ? 1 : 0) || literal.size > text_.size() - feed - 1) {
    return false;
  }
  const auto size = static_cast<size_t>(literal.size);
  value.assign(text_.substr(feed + 1, size));
  text_.remove_prefix(feed + 1 + size);
  return true;
}

std::optional<int> CountLoginArguments(std::string_view text) {
  if (text.empty()) return 0;
  if (text.back() == ' ' && IsName(text.substr(0, text.size() - 1))) return 1;
  ArgumentReader reader(text);
  std::string value;
  const bool quoted = text.front() == '"' && reader.String(value) && reader.Take(' ');
  return quoted && reader.empty() && IsQuotable(value) ? std::optional(1) : std::nullopt;
}

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

bool IsQuotable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool IsBase64(std::string_view text) {
  std::optional<std::string> decoded = Base64Decode(text);
  if (!decoded) return false;
  Wipe(*decoded);
  return true;
}

Answer ReadAnswer(std::string_view line) {
  Answer answer;
  if (!line.empty() && line.front() == '+') {
    answer.kind = Answer::Kind::kContinuation;
    answer.text = line.substr(line.size() > 1 && line[1] == ' ' ? 2 : 1);
    return answer;
  }
  std::string_view rest = line;
  const std::string_view first = TakeWord(rest);
  const std::string_view word = TakeWord(rest);
  answer.status = ReadStatus(word);
  if (first == "*") {
    if (word.empty()) return answer;
    answer.kind = Answer::Kind::kUntagged;
    answer.name = word;
  } else {
    const bool complete = answer.status == Status::kOk || answer.status == Status::kNo ||
                          answer.status == Status::kBad;
    if (!IsTag(first) || !complete) return answer;
    answer.kind = Answer::Kind::kTagged;
    answer.tag = first;
  }
  answer.text = rest;
  if (answer.status != Status::kNone) answer.code = ReadCode(rest);
  return answer;
}

std::string_view FindCapabilities(const Answer& answer) {
  std::string_view words = answer.code;
  if (answer.kind == Answer::Kind::kUntagged && answer.status == Status::kNone) {
    return EqualsIgnoreCase(answer.name, "CAPABILITY") ? answer.text : std::string_view();
  }
  return EqualsIgnoreCase(TakeWord(words), "CAPABILITY") ? words : std::string_view();
}

bool IsTemporary(std::string_view code) {
  const std::string_view word = TakeWord(code);
  return std::any_of(kTemporaryCodes.begin(), kTemporaryCodes.end(),
                     [word](std::string_view other) { return EqualsIgnoreCase(word, other); });
}

}  // namespace postern::imap
