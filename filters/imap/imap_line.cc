#include "filters/imap/imap_line.h"

#include <algorithm>
#include <cstring>

namespace postern::imap {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

// The first `wanted` in text[from, to), or npos.
size_t Find(std::string_view text, char wanted, size_t from, size_t to) {
  if (from >= to) return kNowhere;
  const void* found = std::memchr(text.data() + from, wanted, to - from);
  return found == nullptr ? kNowhere
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

Line Cut(std::string_view input, size_t line_feed) {
  const bool carriage_return = line_feed > 0 && input[line_feed - 1] == '\r';
  return {input.substr(0, line_feed - (carriage_return ? 1 : 0)), line_feed + 1};
}

// The number of bytes that may have to be looked at: text, CR, LF.
size_t Window(std::string_view input, size_t limit) {
  return limit > kNowhere - 2 ? input.size() : std::min(input.size(), limit + 2);
}

bool EndsInsideQuotes(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    }
  }
  return quoted;
}

}  // namespace

LineState LineScanner::Next(std::string_view input, size_t limit, Line& line) {
  const size_t window = Window(input, limit);
  const size_t feed = Find(input, '\n', scanned_, window);
  const size_t stop = feed == kNowhere ? window : feed;
  const size_t nul = Find(input, '\0', scanned_, stop);
  // A CR at the end of what was there last time may have turned out to be a bare one.
  size_t bare = Find(input, '\r', scanned_ > 0 ? scanned_ - 1 : 0, stop);
  if (bare != kNowhere && bare + 1 == stop) bare = kNowhere;

  if (bare != kNowhere || nul != kNowhere) {
    scanned_ = std::min(bare, nul);
    return bare < nul ? LineState::kBareCr : LineState::kNul;
  }
  scanned_ = stop;
  if (feed == kNowhere) {
    return window < input.size() || window == limit + 2 ? LineState::kTooLong : LineState::kPartial;
  }
  line = Cut(input, feed);
  return line.text.size() > limit ? LineState::kTooLong : LineState::kWhole;
}

LineState ServerLineScanner::Next(std::string_view input, size_t limit, Line& line) {
  const size_t window = Window(input, limit);
  const size_t feed = Find(input, '\n', scanned_, window);
  scanned_ = feed == kNowhere ? window : feed;
  if (feed == kNowhere) {
    return window == limit + 2 ? LineState::kTooLong : LineState::kPartial;
  }
  line = Cut(input, feed);
  return line.text.size() > limit ? LineState::kTooLong : LineState::kWhole;
}

Tail FindLiteral(std::string_view line, Literal& literal) {
  if (line.empty() || line.back() != '}') return Tail::kNone;
  const size_t brace = line.rfind('{');
  if (brace == kNowhere) return Tail::kNone;
  std::string_view number = line.substr(brace + 1, line.size() - brace - 2);
  literal = {};
  literal.brace = brace;
  if (!number.empty() && number.back() == '+') {
    literal.synchronizing = false;
    number.remove_suffix(1);
  }
  if (number.empty()) return Tail::kOdd;
  for (const char c : number) {
    if (c < '0' || c > '9') return Tail::kOdd;
    const auto digit = static_cast<uint64_t>(c - '0');
    const bool overflow = literal.size > (Literal::kHuge - digit) / 10;
    literal.size = overflow ? Literal::kHuge : literal.size * 10 + digit;
  }
  size_t before = brace;
  if (before > 0 && line[before - 1] == '~') {
    literal.binary = true;
    --before;
  }
  if (before > 0 && line[before - 1] != ' ' && line[before - 1] != '(') return Tail::kOdd;
  return EndsInsideQuotes(line.substr(0, before)) ? Tail::kOdd : Tail::kLiteral;
}

}  // namespace postern::imap
