#include <array>
#include <regex>
#include <utility>

#include "conf/scalars.h"

namespace postern::conf {
namespace {

// What std::regex says with its own words differs from library to library.
constexpr std::array kReasons = {
    std::pair(std::regex_constants::error_collate, "an unknown collating element"),
    std::pair(std::regex_constants::error_ctype, "an unknown class of characters"),
    std::pair(std::regex_constants::error_escape, "a backslash before what cannot be escaped"),
    std::pair(std::regex_constants::error_backref, "a reference to a group that is not there"),
    std::pair(std::regex_constants::error_brack, "a [ without its ]"),
    std::pair(std::regex_constants::error_paren,
              "a parenthesis without its other half, or a repeat of nothing"),
    std::pair(std::regex_constants::error_brace, "a { without its }"),
    std::pair(std::regex_constants::error_badbrace, "a {} that is no count"),
    std::pair(std::regex_constants::error_range, "a range that ends before it begins"),
    std::pair(std::regex_constants::error_badrepeat, "a repeat (* + ? {}) of nothing"),
    std::pair(std::regex_constants::error_space, "more than can be worked out"),
    std::pair(std::regex_constants::error_complexity, "more than can be worked out"),
};

std::string ReasonOf(std::regex_constants::error_type code) {
  for (const auto& [known, reason] : kReasons) {
    if (known == code) return reason;
  }
  return "a mistake";
}

std::regex Compile(std::string_view text) {
  auto flags = std::regex_constants::ECMAScript | std::regex_constants::optimize;
#ifdef __GLIBCXX__
  // libstdc++'s other engine: time that grows with the length of the name, whatever a client made
  // up. It knows no back-references.
  if (!HasBackReference(text)) flags |= std::regex_constants::__polynomial;
#endif
  return std::regex(text.begin(), text.end(), flags);
}

}  // namespace

Parsed<std::regex> ParseExpression(std::string_view text) {
  if (text.size() > kMaxExpression) {
    return {std::nullopt, "is longer than " + std::to_string(kMaxExpression) + " bytes"};
  }
  try {
    return {Compile(text), ""};
  } catch (const std::regex_error& error) {
    return {std::nullopt,
            "is no regular expression (ECMAScript): it has " + ReasonOf(error.code())};
  }
}

bool HasBackReference(std::string_view expression) {
  for (size_t i = 0; i + 1 < expression.size(); ++i) {
    if (expression[i] != '\\') continue;
    ++i;
    if (expression[i] >= '1' && expression[i] <= '9') return true;
  }
  return false;
}

}  // namespace postern::conf
