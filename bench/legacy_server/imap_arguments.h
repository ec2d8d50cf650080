// The words of an IMAP command: atoms, quoted strings, literals and lists in the text of a command
// whose literals stand in it as they came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::legacy {

// {n} or {n+} (RFC 7888) at the end of a line.
struct LiteralMark {
  uint64_t size;
  bool synchronizing;
};

// Nothing where the line (without its end) announces no literal.
std::optional<LiteralMark> FindLiteral(std::string_view line);

class Arguments {
 public:
  explicit Arguments(std::string_view text) : rest_(text) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  // An atom, without the blank behind it. Brackets keep what is in them together.
  std::string_view Atom();

  // An atom, a quoted string or a literal; nothing where it is none of them or does not end.
  std::optional<std::string> String();

  // What is between ( and ), which may be nested; nothing where there is no list.
  std::optional<std::string_view> List();

 private:
  std::optional<std::string> Quoted();
  std::optional<std::string> Literal();
  void SkipBlank();

  std::string_view rest_;
};

}  // namespace postern::legacy
