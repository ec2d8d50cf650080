#include <algorithm>
#include <cstring>

#include "filters/imap/imap_follower_parts.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

// FNV-1a over upper-case letters: enough to know three words in a list without keeping it.
constexpr uint32_t kHashStart = 2166136261U;
constexpr uint32_t AddToHash(uint32_t hash, char c) {
  const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return (hash ^ static_cast<uint8_t>(upper)) * 16777619U;
}
constexpr uint32_t HashOf(std::string_view word) {
  uint32_t hash = kHashStart;
  for (const char c : word) hash = AddToHash(hash, c);
  return hash;
}

// Untagged answers whose text is for people (RFC 9051, 7.1).
bool IsStatus(std::string_view word) {
  return EqualsIgnoreCase(word, "OK") || EqualsIgnoreCase(word, "NO") ||
         EqualsIgnoreCase(word, "BAD") || EqualsIgnoreCase(word, "BYE") ||
         EqualsIgnoreCase(word, "PREAUTH");
}

}  // namespace

ServerStream::Kind ServerStream::Take(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (part_ == Part::kLiteral) {
      const uint64_t step = std::min<uint64_t>(literal_left_, bytes.size());
      literal_left_ -= step;
      bytes.remove_prefix(static_cast<size_t>(step));
      if (literal_left_ == 0) part_ = Part::kData;
      continue;
    }
    if (part_ == Part::kHead) {
      TakeHead(bytes);
      continue;
    }
    const void* found = std::memchr(bytes.data(), '\n', bytes.size());
    const size_t size =
        found == nullptr ? bytes.size() : static_cast<const char*>(found) - bytes.data();
    const std::string_view part = bytes.substr(0, size);
    if (part_ == Part::kTagged)
      std::for_each(part.begin(), part.end(), [this](char c) { TakeTagged(c); });
    if (part_ == Part::kCapabilities) {
      std::for_each(part.begin(), part.end(), [this](char c) { TakeCapability(c); });
    }
    bytes.remove_prefix(size);
    if (found == nullptr) {
      KeepTail(part);
      return Kind::kNone;
    }
    bytes.remove_prefix(1);
    const Kind kind = EndLine(part);
    if (kind != Kind::kNone) return kind;
  }
  return Kind::kNone;
}

// Takes what shows the kind of the line, and never its LF.
void ServerStream::TakeHead(std::string_view& bytes) {
  while (!bytes.empty() && bytes.front() != '\n' && head_size_ < kHeadSize) {
    const char byte = bytes.front();
    head_[head_size_++] = byte;
    bytes.remove_prefix(1);
    if (head_[0] != '*' || (head_size_ > 2 && byte == ' ')) return JudgeHead();
  }
  if (!bytes.empty()) JudgeHead();
}

void ServerStream::JudgeHead() {
  std::string_view head(head_.data(), head_size_);
  part_ = Part::kData;
  if (head.empty()) return;
  if (head.front() == '+') {
    part_ = Part::kText;
    kind_ = Kind::kContinuation;
    return;
  }
  if (head.front() != '*') {
    part_ = Part::kTagged;
    kind_ = Kind::kTagged;
    status_letters_ = 0;
    TakeTagged(head.front());
    return;
  }
  std::string_view word = head.substr(std::min<size_t>(2, head.size()));
  while (!word.empty() && (word.back() == ' ' || word.back() == '\r')) word.remove_suffix(1);
  if (IsStatus(word)) {
    part_ = Part::kText;
    said_bye_ = said_bye_ || EqualsIgnoreCase(word, "BYE");
  } else if (EqualsIgnoreCase(word, "CAPABILITY") && head.back() == ' ') {
    part_ = Part::kCapabilities;
    word_hash_ = kHashStart;
  } else {
    KeepTail(head);
  }
}

void ServerStream::TakeTagged(char byte) {
  if (part_ != Part::kTagged) return;
  constexpr std::string_view kYes = " OK";
  const char upper = byte >= 'a' && byte <= 'z' ? static_cast<char>(byte - 'a' + 'A') : byte;
  if (status_letters_ < kYes.size() && upper == kYes[status_letters_]) {
    ++status_letters_;
  } else if (status_letters_ == kYes.size()) {
    kind_ = byte == ' ' || byte == '\r' ? Kind::kTaggedOk : Kind::kTagged;
    part_ = Part::kText;
  } else if (status_letters_ > 0) {
    part_ = Part::kText;
  }
}

void ServerStream::TakeCapability(char byte) {
  if (byte != ' ' && byte != '\r') {
    word_hash_ = AddToHash(word_hash_, byte);
    return;
  }
  constexpr uint32_t kUnauthenticate = HashOf("UNAUTHENTICATE");
  constexpr uint32_t kLiteralPlus = HashOf("LITERAL+");
  constexpr uint32_t kLiteralMinus = HashOf("LITERAL-");
  showed_unauthenticate_ = showed_unauthenticate_ || word_hash_ == kUnauthenticate;
  showed_literal_plus_ =
      showed_literal_plus_ || word_hash_ == kLiteralPlus || word_hash_ == kLiteralMinus;
  word_hash_ = kHashStart;
}

ServerStream::Kind ServerStream::EndLine(std::string_view last) {
  if (part_ == Part::kCapabilities) TakeCapability(' ');
  if (part_ == Part::kTagged) TakeTagged(' ');
  const bool literal = part_ == Part::kData && EndsInLiteral(last);
  tail_size_ = 0;
  if (literal) {
    part_ = literal_left_ > 0 ? Part::kLiteral : Part::kData;
    return Kind::kNone;
  }
  const Kind kind = kind_;
  part_ = Part::kHead;
  kind_ = Kind::kNone;
  head_size_ = 0;
  return kind;
}

// `last`: what came of the line since KeepTail.
bool ServerStream::EndsInLiteral(std::string_view last) {
  std::array<char, 2 * kTailSize> joined;
  std::string_view end = last;
  if (last.size() < kTailSize) {
    std::copy_n(tail_.begin(), tail_size_, joined.begin());
    std::copy(last.begin(), last.end(), joined.begin() + tail_size_);
    end = {joined.data(), tail_size_ + last.size()};
  }
  if (!end.empty() && end.back() == '\r') end.remove_suffix(1);
  if (end.empty() || end.back() != '}') return false;
  end.remove_suffix(1);

  size_t digits = 0;
  uint64_t scale = 1;
  literal_left_ = 0;
  constexpr size_t kMaxDigits = 19;
  for (; !end.empty() && end.back() >= '0' && end.back() <= '9'; end.remove_suffix(1)) {
    if (++digits > kMaxDigits) {
      lost_ = true;
      literal_left_ = 0;
      return false;
    }
    literal_left_ += scale * static_cast<uint64_t>(end.back() - '0');
    scale *= 10;
  }
  const bool literal = digits > 0 && !end.empty() && end.back() == '{';
  if (!literal) literal_left_ = 0;
  return literal;
}

// Remembers the end of what has come of a line without its LF.
void ServerStream::KeepTail(std::string_view part) {
  if (part_ != Part::kData) return;
  if (part.size() >= kTailSize) {
    std::copy_n(part.end() - kTailSize, kTailSize, tail_.begin());
    tail_size_ = kTailSize;
    return;
  }
  const size_t kept = std::min<size_t>(tail_size_, kTailSize - part.size());
  std::copy_n(tail_.begin() + (tail_size_ - kept), kept, tail_.begin());
  std::copy(part.begin(), part.end(), tail_.begin() + kept);
  tail_size_ = static_cast<uint8_t>(kept + part.size());
}

}  // namespace postern::imap
