#include "bench/legacy_server/imap_arguments.h"

#include "bench/legacy_server/text.h"

namespace postern::legacy {

std::optional<LiteralMark> FindLiteral(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view inside = line.substr(open + 1, line.size() - open - 2);
  bool synchronizing = !inside.ends_with('+');
  if (!synchronizing) inside.remove_suffix(1);
  std::optional<uint64_t> size = ParseNumber(inside);
  if (!size) return std::nullopt;
  return LiteralMark{*size, synchronizing};
}

void Arguments::SkipBlank() {
  if (rest_.starts_with(' ')) rest_.remove_prefix(1);
}

std::string_view Arguments::Atom() {
  size_t end = 0;
  int depth = 0;
  for (; end < rest_.size(); ++end) {
    char c = rest_[end];
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (depth <= 0 && (c == ' ' || c == '(' || c == ')')) break;
  }
  std::string_view atom = rest_.substr(0, end);
  rest_.remove_prefix(end);
  SkipBlank();
  return atom;
}

std::optional<std::string> Arguments::String() {
  if (rest_.starts_with('"')) return Quoted();
  if (rest_.starts_with('{')) return Literal();
  std::string_view atom = Atom();
  if (atom.empty()) return std::nullopt;
  return std::string(atom);
}

std::optional<std::string> Arguments::Quoted() {
  std::string text;
  for (size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == '"') {
      rest_.remove_prefix(i + 1);
      SkipBlank();
      return text;
    }
    if (rest_[i] == '\\') ++i;
    if (i < rest_.size()) text += rest_[i];
  }
  return std::nullopt;
}

std::optional<std::string> Arguments::Literal() {
  size_t line_end = rest_.find("\r\n");
  if (line_end == std::string_view::npos) return std::nullopt;
  std::optional<LiteralMark> mark = FindLiteral(rest_.substr(0, line_end));
  if (!mark || mark->size > rest_.size() - line_end - 2) return std::nullopt;
  std::string text(rest_.substr(line_end + 2, mark->size));
  rest_.remove_prefix(line_end + 2 + mark->size);
  SkipBlank();
  return text;
}

std::optional<std::string_view> Arguments::List() {
  if (!rest_.starts_with('(')) return std::nullopt;
  int depth = 0;
  for (size_t i = 0; i < rest_.size(); ++i) {
    if (rest_[i] == '(') ++depth;
    if (rest_[i] == ')' && --depth == 0) {
      std::string_view inside = rest_.substr(1, i - 1);
      rest_.remove_prefix(i + 1);
      SkipBlank();
      return inside;
    }
  }
  return std::nullopt;
}

}  // namespace postern::legacy
