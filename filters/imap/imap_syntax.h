// What a line means: the client's commands with their verbs and arguments, the server's answers
// (RFC 9051, 9). Views into the input, nothing kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::imap {

// Longest tag taken. Clients use about five bytes.
inline constexpr size_t kMaxTag = 256;

enum class Verb : uint8_t {
  kCapability,
  kNoop,
  kLogout,
  kStartTls,
  kAuthenticate,
  kLogin,
  kId,
  kLater,    // a command that needs a log-in first
  kNever,    // one that Postern never lets pass before it
  kUnknown,  // no command that Postern knows
  // Commands of Postern's own towards the server.
  kOwnCapability,
  kOwnId,
};

// By name, in any case.
Verb FindVerb(std::string_view name);

struct Command {
  std::string_view tag;
  std::string_view name;
  std::string_view arguments;  // behind the one blank after the name; empty without one
  bool has_arguments = false;  // that blank is there
};

enum class Shape : uint8_t {
  kCommand,
  kNoCommand,  // a tag could be read, a command not
  kNoTag,
};

Shape ReadCommand(std::string_view line, Command& command);

// Reads `tag SP name SP …` arguments, piece by piece: quoted strings, literals (whose bytes stand
// in the text behind their line), atoms. Each function leaves the text behind what it has read, and
// says false where that is not there.
class ArgumentReader {
 public:
  explicit ArgumentReader(std::string_view text) : text_(text) {}

  bool Take(char c);
  // string = quoted / literal. `raw` is how it was written.
  bool String(std::string& value, std::string_view* raw = nullptr);
  // string, or a word up to a blank (clients send more characters there than an atom may have).
  bool AString(std::string& value);
  bool Nil();
  bool empty() const { return text_.empty(); }
  std::string_view rest() const { return text_; }

 private:
  bool Quoted(std::string& value);
  bool LiteralBytes(std::string& value);

  std::string_view text_;
};

// How many arguments of a LOGIN, 0 or 1, are whole in `text`, behind which a literal stands.
// nullopt where a strict server may find anything to object to.
std::optional<int> CountLoginArguments(std::string_view text);

// Appends `text` as a quoted string. Only for text without NUL, CR, LF and 8-bit bytes.
void AppendQuoted(std::string& out, std::string_view text);
bool IsQuotable(std::string_view text);

// Base64 as a SASL message has it: strict, or nothing at all.
bool IsBase64(std::string_view text);

enum class Status : uint8_t { kNone, kOk, kNo, kBad, kBye, kPreauth };

// A line of the server's.
struct Answer {
  enum class Kind : uint8_t { kUntagged, kContinuation, kTagged, kBroken };
  Kind kind = Kind::kBroken;
  std::string_view tag;  // of kTagged
  Status status = Status::kNone;
  std::string_view name;  // of kUntagged without a status: its first word
  std::string_view code;  // resp-text-code, without the brackets; empty without one
  std::string_view text;  // behind `+`, or behind the status
};

Answer ReadAnswer(std::string_view line);

// The words of a capability list in `line`: of `* CAPABILITY …` or of a code `[CAPABILITY …]`.
// Null data where there is none. A view into the line.
std::string_view FindCapabilities(const Answer& answer);

// Response codes of a NO that say nothing about the password (RFC 5530).
bool IsTemporary(std::string_view code);

}  // namespace postern::imap
