#include "tests/transcripts/transcript.h"

#include <cctype>
#include <fstream>
#include <optional>
#include <sstream>

#include "filters/text.h"

namespace postern::testing {
namespace {

std::vector<std::string> SplitWords(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Longest text that `\{text*N}` makes.
constexpr size_t kMaxRepeated = 4 * 1024 * 1024;

// Undoes the escapes of README.md. `ended` is set to false by \c.
class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}

  std::optional<std::string> Run(bool& ended) {
    std::string out;
    while (at_ < text_.size()) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (!One(out, ended)) {
        return std::nullopt;
      }
    }
    return out;
  }

 private:
  bool One(std::string& out, bool& ended) {
    const std::string_view rest = text_.substr(at_ + 1);
    if (rest.empty()) return false;
    if (rest.starts_with("b64{")) return Base64(out);
    if (rest.starts_with("{")) return Repeat(out);
    at_ += 2;
    switch (rest[0]) {
      case 'r':
        out += '\r';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 't':
        out += '\t';
        return true;
      case '0':
        out += '\0';
        return true;
      case '\\':
      case '.':
      case '}':
      case ' ':
        out += rest[0];
        return true;
      case 'x':
        return Hex(out);
      case 'c':
        ended = false;
        return at_ == text_.size();
      default:
        return false;
    }
  }

  bool Hex(std::string& out) {
    if (at_ + 2 > text_.size()) return false;
    const int high = HexDigit(text_[at_]);
    const int low = HexDigit(text_[at_ + 1]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    at_ += 2;
    return true;
  }

  // What stands in the braces, escapes undone.
  std::optional<std::string> Braced(size_t open) {
    size_t close = open + 1;
    while (close < text_.size() && text_[close] != '}') close += text_[close] == '\\' ? 2 : 1;
    if (close >= text_.size()) return std::nullopt;
    bool ended = true;
    auto inner = Unescaper(text_.substr(open + 1, close - open - 1)).Run(ended);
    at_ = close + 1;
    return inner;
  }

  bool Base64(std::string& out) {
    const auto inner = Braced(at_ + 4);
    if (inner) out += Base64Encode(*inner);
    return inner.has_value();
  }

  // \{text*number}
  bool Repeat(std::string& out) {
    const auto inner = Braced(at_ + 1);
    const size_t star = inner ? inner->rfind('*') : std::string::npos;
    if (star == std::string::npos) return false;
    const std::string number = inner->substr(star + 1);
    if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos) return false;
    if (number.size() > 6 || star * std::stoul(number) > kMaxRepeated) return false;
    for (size_t i = std::stoul(number); i > 0; --i) out += inner->substr(0, star);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string ReadBytes(std::string_view text, Step& step) {
  if (step.verb == Verb::kOutput && text.ends_with("...")) {
    step.wildcard = true;
    text.remove_suffix(3);
  }
  bool ended = true;
  const auto bytes = Unescaper(text).Run(ended);
  if (!bytes) return "bad escape";
  step.bytes = *bytes;
  if (ended && !step.wildcard) step.bytes += "\r\n";
  return {};
}

std::optional<Verb> PlainVerb(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "connect") return Verb::kConnect;
  if (words.size() == 1 && words[0] == "detach") return Verb::kDetach;
  if (words.size() == 1 && words[0] == "turn") return Verb::kTurn;
  if (words.size() == 2 && words[0] == "tls" && words[1] == "up") return Verb::kTlsUp;
  if (words.size() == 2 && words[0] == "server" && words[1] == "up") return Verb::kServerUp;
  if (words.size() == 2 && words[0] == "gone") return Verb::kGone;
  if (words.size() == 2 && words[0] == "throttle") return Verb::kThrottle;
  if (words.size() >= 2 && words[0] == "note") return Verb::kNote;
  if (words.size() >= 2 && words[0] == "close") return Verb::kClose;
  if (words.size() >= 2 && words[0] == "expect") return Verb::kExpect;
  return std::nullopt;
}

std::string ReadLine(std::string_view line, Transcript& transcript, int number) {
  Step step;
  step.line = number;
  const std::string_view mark = line.substr(0, 2);
  if (mark == "C>" || mark == "S>" || mark == "C<" || mark == "S<") {
    step.side = mark[0] == 'C' ? Side::kClient : Side::kServer;
    step.verb = mark[1] == '>' ? Verb::kInput : Verb::kOutput;
    std::string complaint = ReadBytes(line.size() > 3 ? line.substr(3) : "", step);
    if (complaint.empty()) transcript.steps.push_back(std::move(step));
    return complaint;
  }
  std::vector<std::string> words = SplitWords(line);
  if (words[0] == "given") return ReadGiven(line.substr(line.find("given") + 5), transcript.given);
  const auto verb = PlainVerb(words);
  if (!verb) return "unknown line";
  step.verb = *verb;
  if (*verb == Verb::kGone) step.side = words[1] == "client" ? Side::kClient : Side::kServer;
  if (*verb == Verb::kConnect) transcript.connects = true;
  words.erase(words.begin());
  step.words = std::move(words);
  transcript.steps.push_back(std::move(step));
  return {};
}

}  // namespace

Transcript ReadTranscript(const std::string& path, Protocol protocol) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  Transcript transcript = ParseTranscript(text.str(), protocol, false);
  if (!file) transcript.complaint = ": can't be read";
  if (!transcript.complaint.empty()) transcript.complaint = path + transcript.complaint;
  transcript.path = path;
  return transcript;
}

Transcript ParseTranscript(std::string_view text, Protocol protocol, bool lenient) {
  Transcript transcript;
  transcript.given = DefaultGiven(protocol);
  int number = 0;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r\v\f") == std::string::npos || line[0] == '#') continue;
    const std::string complaint = ReadLine(line, transcript, number);
    if (complaint.empty() || lenient) continue;
    transcript.complaint = ":" + std::to_string(number) + ": " + complaint;
    break;
  }
  FinishGiven(transcript.given);
  return transcript;
}

std::string Escape(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace postern::testing
