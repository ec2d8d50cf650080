#include <algorithm>
#include <array>
#include <cstring>

#include "filters/imap/imap_follower_parts.h"
#include "filters/imap/imap_syntax.h"

namespace postern::imap {
namespace {

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool IsVerbChar(char c) {
  const char upper = Upper(c);
  return (upper >= 'A' && upper <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

bool IsTagChar(char c) { return c > ' ' && c < 0x7f && std::strchr("(){%*\"\\+", c) == nullptr; }

// Names and beginnings of names that a server would believe of a proxy. The third letter tells them
// apart.
constexpr std::array<std::string_view, 5> kProxyFields = {
    "X-ORIGINATING-", "X-CONNECTED-", "X-FORWARD-", "X-SESSION-", "X-PROXY-TTL"};
constexpr size_t kFieldLetter = 2;

}  // namespace

std::string_view ClientLine::Name(Verb verb) {
  switch (verb) {
    case Verb::kUnauthenticate:
      return "UNAUTHENTICATE";
    case Verb::kStartTls:
      return "STARTTLS";
    case Verb::kCompress:
      return "COMPRESS";
    case Verb::kIdle:
      return "IDLE";
    case Verb::kLogout:
      return "LOGOUT";
    case Verb::kId:  // as the beginning of IDLE
    case Verb::kOther:
      break;
  }
  return {};
}

bool ClientLine::Take(char& byte, bool forbid_compress) {
  if (carriage_return_ || byte == '\0') return false;
  if (byte == '\r') {
    carriage_return_ = true;
    return true;
  }
  switch (part_) {
    case Part::kTag:
      return TakeTag(byte);
    case Part::kVerb:
      return TakeVerb(byte, forbid_compress);
    case Part::kArguments:
      break;
  }
  TakeArgument(byte);
  return true;
}

bool ClientLine::TakeTag(char byte) {
  if (byte == ' ' && length_ > 0) {
    part_ = Part::kVerb;
    length_ = 0;
    return true;
  }
  if (!IsTagChar(byte) || length_ >= kMaxTag) return false;
  ++length_;
  return true;
}

bool ClientLine::TakeVerb(char& byte, bool forbid_compress) {
  if (byte == ' ' && length_ > 0) {
    part_ = Part::kArguments;
    is_id_ = verb() == Verb::kId;
    return true;
  }
  if (!IsVerbChar(byte)) return false;
  Match(byte, forbid_compress);
  ++length_;
  return true;
}

void ClientLine::Match(char& byte, bool forbid_compress) {
  const char letter = Upper(byte);
  if (length_ == 0) {
    matched_ = 0;
    candidate_ = letter == 'U'   ? Verb::kUnauthenticate
                 : letter == 'S' ? Verb::kStartTls
                 : letter == 'C' ? Verb::kCompress
                 : letter == 'I' ? Verb::kIdle
                 : letter == 'L' ? Verb::kLogout
                                 : Verb::kOther;
  }
  if (candidate_ == Verb::kOther) return;
  const std::string_view name = Name(candidate_);
  if (matched_ == name.size() || name[matched_] != letter) {
    candidate_ = Verb::kOther;
    return;
  }
  if (++matched_ < name.size()) return;
  const bool forbidden = candidate_ == Verb::kUnauthenticate || candidate_ == Verb::kStartTls ||
                         (candidate_ == Verb::kCompress && forbid_compress);
  if (!forbidden) return;
  byte = 'X';
  candidate_ = Verb::kOther;
}

void ClientLine::TakeArgument(char& byte) {
  TakeBrace(byte);
  if (is_id_) TakeField(byte);
  if (quoted_ && escaped_) {
    escaped_ = false;
  } else if (quoted_ && byte == '\\') {
    escaped_ = true;
  } else if (byte == '"') {
    quoted_ = !quoted_;
  }
  before_ = byte;
}

void ClientLine::TakeField(char& byte) {
  const bool word = !quoted_ && (byte == ' ' || byte == '(');  // some servers take atoms, too
  if (byte == '"' || word) {
    field_matched_ = 0;
  } else if (byte != '\\') {  // some take any character escaped
    MatchField(byte);
  }
}

void ClientLine::MatchField(char& byte) {
  if (field_matched_ == kNoField) return;
  const char letter = Upper(byte);
  if (field_matched_ == kFieldLetter) {
    for (field_ = 0; field_ + 1U < kProxyFields.size(); ++field_) {
      if (kProxyFields[field_][kFieldLetter] == letter) break;
    }
  } else if (field_matched_ < kFieldLetter) {
    field_ = 0;
  }
  const std::string_view name = kProxyFields[field_];
  if (name[field_matched_] != letter) {
    field_matched_ = kNoField;
  } else if (++field_matched_ == name.size()) {
    byte = '_';
    field_matched_ = kNoField;
  }
}

void ClientLine::TakeLiteral(char* bytes, size_t size) {
  if (!is_id_) return;
  std::for_each(bytes, bytes + size, [this](char& byte) { MatchField(byte); });
}

void ClientLine::TakeBrace(char byte) {
  if (byte == '{') {
    const bool in_place = !quoted_ && (before_ == ' ' || before_ == '(' || before_ == '~');
    brace_ = in_place ? Brace::kNumber : Brace::kOddOpen;
    number_ = 0;
    digits_ = 0;
    plus_ = false;
    return;
  }
  switch (brace_) {
    case Brace::kNone:
      return;
    case Brace::kNumber:
      if (byte >= '0' && byte <= '9' && digits_ < kMaxDigits) {
        number_ = number_ * 10 + static_cast<uint64_t>(byte - '0');
        ++digits_;
        if (number_ > kMaxLiteral) brace_ = Brace::kOddOpen;
      } else if (byte == '+' && digits_ > 0) {
        plus_ = true;
        brace_ = Brace::kPlus;
      } else if (byte == '}') {
        brace_ = digits_ > 0 ? Brace::kClosed : Brace::kOddClosed;
      } else {
        brace_ = Brace::kOddOpen;
      }
      return;
    case Brace::kPlus:
      brace_ = byte == '}' ? Brace::kClosed : Brace::kOddOpen;
      return;
    case Brace::kOddOpen:
      if (byte == '}') brace_ = Brace::kOddClosed;
      return;
    case Brace::kClosed:
    case Brace::kOddClosed:
      brace_ = Brace::kNone;
      return;
  }
}

ClientLine::End ClientLine::JudgeEnd() const {
  if (brace_ == Brace::kClosed) return End::kLiteral;
  return brace_ == Brace::kOddClosed ? End::kOdd : End::kPlain;
}

void ClientLine::ContinueBehindLiteral() {
  brace_ = Brace::kNone;
  carriage_return_ = false;
  before_ = ' ';
  field_matched_ = 0;
}

void ClientLine::Guard(char* bytes, size_t size) {
  if (carriage_return_) Restart();
  for (size_t i = 0; i < size; ++i) {
    const char byte = bytes[i];
    if (byte == '\n' || byte == '\r') {
      Restart();
    } else if (part_ == Part::kArguments) {
      if (is_id_) TakeField(bytes[i]);
    } else if (byte != ' ' && byte != '\t' && byte != '"') {
      Match(bytes[i], true);
      ++length_;
    } else if (length_ > 0) {
      is_id_ = part_ == Part::kVerb && verb() == Verb::kId;
      part_ = part_ == Part::kTag ? Part::kVerb : Part::kArguments;
      length_ = 0;
    }
  }
}

}  // namespace postern::imap
