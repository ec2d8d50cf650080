#include "filters/smtp/smtp_data.h"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace postern::smtp {
namespace {

#if defined(__SSE2__)

constexpr size_t kBlock = 64;

// One bit for each of the 64 bytes at `data` that is `byte`.
uint64_t Matches(const char* data, char byte) {
  const __m128i wanted = _mm_set1_epi8(byte);
  uint64_t bits = 0;
  for (size_t i = 0; i < kBlock; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
    const auto found = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)));
    bits |= static_cast<uint64_t>(found) << i;
  }
  return bits;
}

// How many bytes from the start of `text` are certainly clean: every CR has its LF, every LF its
// CR, no line begins with a dot. `line_start` tells whether the first byte begins a line, and
// afterwards whether the byte behind the run does. This is where nearly all of a message goes, at
// several GB/s: 64 bytes a turn, whatever the length of the lines.
size_t CleanRun(std::string_view text, bool& line_start) {
  uint64_t open_cr = 0;  // 1: the byte before this block is a CR
  uint64_t start = line_start ? 1 : 0;
  uint64_t starts = start;
  size_t done = 0;
  for (; done + kBlock <= text.size(); done += kBlock) {
    const char* const block = text.data() + done;
    const uint64_t cr = Matches(block, '\r');
    const uint64_t lf = Matches(block, '\n');
    const uint64_t here = lf << 1 | start;
    if (lf != (cr << 1 | open_cr) || (here & Matches(block, '.')) != 0) break;
    starts = here;
    open_cr = cr >> 63;
    start = lf >> 63;
  }
  line_start = open_cr != 0 ? starts >> 63 != 0 : start != 0;
  return done - open_cr;
}

#else

// Other machines: the line by line way below is all there is.
size_t CleanRun(std::string_view, bool&) { return 0; }

#endif

// Finds the next CR or LF, and looks at no byte twice.
class LineEnds {
 public:
  explicit LineEnds(std::string_view text) : text_(text) {}

  // The first one at or behind `from`, or the text's size. `from` never decreases.
  size_t Next(size_t from) {
    if (!known_ || lf_ < from) {
      lf_ = Find('\n', from, text_.size());
      known_ = true;
    }
    return Find('\r', from, lf_);
  }

 private:
  size_t Find(char byte, size_t from, size_t end) const {
    if (from >= end) return end;
    const void* found = std::memchr(text_.data() + from, byte, end - from);
    return found == nullptr ? end
                            : static_cast<size_t>(static_cast<const char*>(found) - text_.data());
  }

  std::string_view text_;
  size_t lf_ = 0;
  bool known_ = false;
};

}  // namespace

// Joins what is consumed into few actions: long runs are forwarded, short ones between two repairs
// are copied with them (a message of lone LFs must not make an action a line).
class DataScanner::Output {
 public:
  Output(std::string_view input, Actions& out) : input_(input), out_(out) {}
  ~Output() { Flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // The next bytes go on as they are.
  void Keep(size_t size) {
    constexpr size_t kCopied = 512;
    if (dropped_ > 0 && size < kCopied) return Replace(size, input_.substr(used(), size));
    if (dropped_ > 0) Flush();
    kept_ += size;
  }
  // The next bytes go on as `text`.
  void Replace(size_t size, std::string_view text) {
    constexpr size_t kMostMade = 32 * 1024;  // larger ones are new pages each time
    if (kept_ > 0 || made_.size() >= kMostMade) Flush();
    made_ += text;
    dropped_ += size;
  }
  size_t used() const { return flushed_ + kept_ + dropped_; }

 private:
  void Flush() {
    if (kept_ > 0) out_.Forward(kept_);
    if (!made_.empty()) out_.Send(Side::kServer, made_);
    if (dropped_ > 0) out_.Drop(dropped_);
    flushed_ += kept_ + dropped_;
    kept_ = dropped_ = 0;
    made_.clear();
  }

  std::string_view input_;
  Actions& out_;
  size_t flushed_ = 0;
  size_t kept_ = 0;
  size_t dropped_ = 0;
  std::string made_;
};

// A dot at the start of a line. False where it takes more bytes to tell what it is.
bool DataScanner::TakeDot(std::string_view input, size_t& at, Output& output, bool& end) {
  if (at_ == At::kLineStart) {
    const std::string_view rest = input.substr(at);
    if (rest.size() == 1 || rest == ".\r") return false;
    if (rest.starts_with(".\r\n")) {
      end = true;
      output.Keep(3);
      at += 3;
      return true;
    }
    at_ = At::kMiddle;
    at += 1;
    // Alone on a line that ends in a lone CR or LF it would become the end once that is CRLF.
    if (rest[1] == '\r' || rest[1] == '\n') {
      output.Replace(1, "..");
    } else {
      output.Keep(1);
    }
    return true;
  }
  // For the client this was no start of a line: it has not doubled the dot.
  at_ = At::kMiddle;
  at += 1;
  output.Replace(1, "..");
  return true;
}

// A CR or LF. False where it takes one more byte to tell what it is.
bool DataScanner::TakeLineEnd(std::string_view input, size_t& at, Output& output, bool& bare) {
  if (input[at] == '\r') {
    if (at + 1 == input.size()) return false;
    if (input[at + 1] == '\n') {
      output.Keep(2);
      at += 2;
      at_ = At::kLineStart;
      return true;
    }
  }
  bare = true;
  if (reject_) return false;
  output.Replace(1, "\r\n");
  at += 1;
  at_ = At::kMadeStart;
  return true;
}

DataScanner::Result DataScanner::Scan(std::string_view input, Actions& out, size_t& used) {
  Output output(input, out);
  LineEnds line_ends(input);
  Result result = Result::kMore;
  size_t at = 0;
  while (at < input.size()) {
    if (at_ != At::kMadeStart) {
      bool line_start = at_ == At::kLineStart;
      const size_t clean = CleanRun(input.substr(at), line_start);
      output.Keep(clean);
      at += clean;
      at_ = line_start ? At::kLineStart : At::kMiddle;
      if (at == input.size()) break;
    }
    if (at_ != At::kMiddle && input[at] == '.') {
      bool end = false;
      if (!TakeDot(input, at, output, end)) break;
      if (end) {
        result = Result::kEnd;
        break;
      }
      continue;
    }
    const size_t stop = line_ends.Next(at);
    if (stop > at) {
      output.Keep(stop - at);
      at = stop;
      at_ = At::kMiddle;
    }
    if (at == input.size()) break;
    bool bare = false;
    const bool taken = TakeLineEnd(input, at, output, bare);
    if (bare && reject_) {
      result = Result::kBareLf;
      break;
    }
    if (!taken) break;
  }
  used = output.used();
  return result;
}

}  // namespace postern::smtp
