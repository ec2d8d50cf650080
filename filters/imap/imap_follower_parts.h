// The two halves of the follower: one line of the client's as it passes byte by byte, and the
// server's stream, in which only line ends are looked for. Neither keeps more than the state that
// is declared here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::imap {

// A client's command as it passes. Overwrites the last letter of UNAUTHENTICATE and STARTTLS, of
// COMPRESS where that is forbidden, and in an ID what makes a field one that only a proxy may say.
class ClientLine {
 public:
  enum class Verb : uint8_t { kOther, kUnauthenticate, kStartTls, kCompress, kIdle, kLogout, kId };
  enum class End : uint8_t { kPlain, kLiteral, kOdd };

  // One byte that is no LF. False where it has no place in a command (nothing is changed then).
  bool Take(char& byte, bool forbid_compress);
  // What the line turns out to be when LF comes next.
  End JudgeEnd() const;
  void Restart() { *this = {}; }
  // Bytes of a literal.
  void TakeLiteral(char* bytes, size_t size);
  void ContinueBehindLiteral();

  bool at_start() const { return part_ == Part::kTag && length_ == 0; }
  bool has_verb() const {
    return part_ == Part::kArguments || (part_ == Part::kVerb && length_ > 0);
  }
  Verb verb() const {
    if (candidate_ == Verb::kIdle && matched_ == 2) return Verb::kId;
    return matched_ == Name(candidate_).size() ? candidate_ : Verb::kOther;
  }
  bool literal_synchronizing() const { return !plus_; }
  uint64_t literal_size() const { return number_; }

  // Takes every line for a command, whatever it may be: for streams that can't be followed. Goes on
  // from wherever Take stands.
  void Guard(char* bytes, size_t size);

 private:
  enum class Part : uint8_t { kTag, kVerb, kArguments };
  // How far a `{n}` or `{n+}` has come that could end the line.
  enum class Brace : uint8_t { kNone, kNumber, kPlus, kClosed, kOddOpen, kOddClosed };
  static constexpr uint32_t kMaxDigits = 19;  // more might not fit into 64 bits
  // A number of RFC 3501, section 9. A server that keeps it in 32 bits would take a larger one for
  // a small one, and commands in what was followed as data.
  static constexpr uint64_t kMaxLiteral = 0xffffffff;
  static constexpr uint8_t kNoField = 0xff;

  static std::string_view Name(Verb verb);
  bool TakeTag(char byte);
  bool TakeVerb(char& byte, bool forbid_compress);
  void TakeArgument(char& byte);
  void TakeField(char& byte);
  void MatchField(char& byte);
  void Match(char& byte, bool forbid_compress);
  void TakeBrace(char byte);

  uint64_t number_ = 0;
  uint32_t length_ = 0;  // of the tag or verb so far
  Part part_ = Part::kTag;
  Verb candidate_ = Verb::kOther;
  uint8_t matched_ = 0;  // letters of the candidate
  Brace brace_ = Brace::kNone;
  uint8_t digits_ = 0;
  bool plus_ = false;
  bool carriage_return_ = false;
  bool quoted_ = false;
  bool escaped_ = false;
  char before_ = ' ';
  bool is_id_ = false;                // kArguments: they are those of an ID
  uint8_t field_ = 0;                 // of ID: which forbidden name this string may begin with
  uint8_t field_matched_ = kNoField;  // … and how far it does
};

// The server's stream: where its lines and literals end, and of which kind a line was.
class ServerStream {
 public:
  enum class Kind : uint8_t { kNone, kContinuation, kTaggedOk, kTagged };

  // Takes bytes off the front: all of them, or those up to the end of a line that matters, whose
  // kind it says.
  Kind Take(std::string_view& bytes);

  bool at_start() const { return part_ == Part::kHead && head_size_ == 0; }
  bool lost() const { return lost_; }
  bool said_bye() const { return said_bye_; }
  bool showed_unauthenticate() const { return showed_unauthenticate_; }
  bool showed_literal_plus() const { return showed_literal_plus_; }

 private:
  enum class Part : uint8_t {
    kHead,          // its first words are awaited
    kData,          // may end in a literal
    kText,          // may not, however much it looks like it
    kCapabilities,  // the list after `* CAPABILITY`
    kTagged,        // tag and status
    kLiteral,
  };
  // `* CAPABILITY ` is the longest beginning that matters.
  static constexpr size_t kHeadSize = 13;
  // The longest end that matters: `{`, 20 digits, `}`, CR.
  static constexpr size_t kTailSize = 24;

  void TakeHead(std::string_view& bytes);
  void JudgeHead();
  void TakeCapability(char byte);
  void TakeTagged(char byte);
  Kind EndLine(std::string_view last);
  bool EndsInLiteral(std::string_view last);
  void KeepTail(std::string_view part);

  uint64_t literal_left_ = 0;
  uint32_t word_hash_ = 0;
  uint8_t status_letters_ = 0;  // kTagged: of " OK", how many have come
  Part part_ = Part::kHead;
  Kind kind_ = Kind::kNone;
  uint8_t head_size_ = 0;
  uint8_t tail_size_ = 0;
  bool continues_ = false;  // the line goes on behind a literal
  bool lost_ = false;
  bool said_bye_ = false;
  bool showed_unauthenticate_ = false;
  bool showed_literal_plus_ = false;
  std::array<char, kHeadSize> head_{};
  std::array<char, kTailSize> tail_{};
};

}  // namespace postern::imap
