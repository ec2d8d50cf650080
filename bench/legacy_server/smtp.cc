#include "bench/legacy_server/smtp.h"

#include <algorithm>

#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

// The address in "FROM:<address> PARAMETERS"; nothing where `word` is not before the colon.
std::optional<std::string_view> Path(std::string_view text, std::string_view word) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || !SameWord(text.substr(0, colon), word)) {
    return std::nullopt;
  }
  text.remove_prefix(colon + 1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (!text.starts_with('<')) return TakeWord(text);
  size_t close = text.find('>');
  if (close == std::string_view::npos) return std::nullopt;
  return text.substr(1, close - 1);
}

}  // namespace

const SmtpDialogue::Verb SmtpDialogue::kVerbs[] = {
    {"NOOP", &SmtpDialogue::Noop}, {"EHLO", &SmtpDialogue::Ehlo},   {"HELO", &SmtpDialogue::Helo},
    {"LHLO", &SmtpDialogue::Lhlo}, {"MAIL", &SmtpDialogue::Mail},   {"RCPT", &SmtpDialogue::Rcpt},
    {"DATA", &SmtpDialogue::Data}, {"BDAT", &SmtpDialogue::Bdat},   {"RSET", &SmtpDialogue::Rset},
    {"VRFY", &SmtpDialogue::Vrfy}, {"HELP", &SmtpDialogue::Help},   {"AUTH", &SmtpDialogue::Auth},
    {"QUIT", &SmtpDialogue::Quit}, {"X-EXPS", &SmtpDialogue::Exps},
};

SmtpDialogue::SmtpDialogue(bool lmtp, const Options& options, Store& store)
    : Dialogue(options, store), lmtp_(lmtp), sasl_(store) {}

void SmtpDialogue::Greet(Output& out) {
  if (options_.greeting) return out.Line(*options_.greeting);
  out.Line(lmtp_ ? "220 legacy.example LMTP ready" : options_.profile->smtp_greeting);
}

size_t SmtpDialogue::Take(std::string_view input, Output& out) {
  if (mode_ == Mode::kData) return TakeData(input, out);
  if (mode_ == Mode::kChunk) return TakeChunk(input, out);
  std::string_view line = TakeLine(input);
  if (finished()) out.Line("500 5.5.2 Line too long");
  if (line.empty()) return 0;
  if (sasl_.active()) {
    AfterSasl(sasl_.Feed(WithoutEnd(line)), out);
  } else {
    Execute(WithoutEnd(line), out);
  }
  return line.size();
}

void SmtpDialogue::Execute(std::string_view line, Output& out) {
  std::string verb = Upper(TakeWord(line));
  if (verb.starts_with("AUTH=")) verb = "AUTH";
  Fate fate = FateOf(verb);
  if (fate == Fate::kDropped) return;
  if (fate == Fate::kRefused) return out.Line("550 5.7.1 ", verb, " refused");
  for (const Verb& entry : kVerbs) {
    if (entry.name == verb) return (this->*entry.run)(line, out);
  }
  out.Line("500 5.3.3 Unrecognized command");
}

// A line at a time; a line that is longer than what is at hand comes in pieces.
size_t SmtpDialogue::TakeData(std::string_view input, Output& out) {
  size_t used = 0;
  while (used < input.size()) {
    std::string_view rest = input.substr(used);
    size_t end = rest.find('\n');
    bool complete = end != std::string_view::npos;
    if (!complete && rest.size() < kMaxLine) break;
    std::string_view line = complete ? rest.substr(0, end + 1) : rest;
    // A CR at the end of a piece must be seen together with what follows it.
    if (!complete && line.ends_with('\r')) line.remove_suffix(1);
    used += line.size();
    if (at_line_start_ && EndsData(line)) {
      mode_ = Mode::kCommands;
      Deliver(out);
      break;
    }
    if (at_line_start_ && line.starts_with('.')) line.remove_prefix(1);
    Keep(line);
    at_line_start_ = line.ends_with(options_.lenient_dot ? "\n" : "\r\n");
  }
  return used;
}

bool SmtpDialogue::EndsData(std::string_view line) const {
  return line == ".\r\n" || (options_.lenient_dot && line == ".\n");
}

size_t SmtpDialogue::TakeChunk(std::string_view input, Output& out) {
  std::string_view part = input.substr(0, chunk_left_);
  Keep(part);
  chunk_left_ -= part.size();
  if (chunk_left_ > 0) return part.size();
  mode_ = Mode::kCommands;
  if (last_chunk_) {
    Deliver(out);
  } else {
    out.Line("250 2.0.0 Chunk taken");
  }
  return part.size();
}

void SmtpDialogue::Keep(std::string_view bytes) {
  if (options_.discard) return;
  if (message_.size() + bytes.size() > options_.max_message) too_large_ = true;
  if (!too_large_) message_.append(bytes);
}

void SmtpDialogue::Deliver(Output& out) {
  auto body = std::make_shared<const std::string>(std::move(message_));
  bool full = too_large_;
  auto answer = [&] {
    if (too_large_) return out.Line("552 5.3.4 Message too large");
    if (full) return out.Line("452 4.3.1 The store is full");
    out.Line("250 2.6.0 Queued mail for delivery");
  };
  for (const std::string& recipient : recipients_) {
    if (!too_large_ && !store_.Deliver(recipient, body)) full = true;
    if (lmtp_) answer();
  }
  if (!lmtp_) answer();
  Forget();
}

void SmtpDialogue::Forget() {
  has_sender_ = false;
  recipients_.clear();
  message_ = {};
  too_large_ = false;
}

bool SmtpDialogue::chunking() const {
  return options_.chunking ||
         options_.profile->smtp_keywords.find("CHUNKING") != std::string_view::npos;
}

std::vector<std::string> SmtpDialogue::Keywords() const {
  std::vector<std::string> lines;
  for (std::string_view keyword : Split(options_.profile->smtp_keywords, ";")) {
    lines.emplace_back(keyword);
  }
  if (options_.chunking) lines.emplace_back("CHUNKING");
  std::string list;
  for (const std::string& mechanism : options_.mechanisms) list += " " + mechanism;
  if (!list.empty()) {
    lines.push_back("AUTH" + list);
    if (options_.profile->old_auth_spelling) lines.emplace_back("AUTH=LOGIN");
    if (options_.profile->exps) lines.push_back("X-EXPS" + list);
    if (options_.profile->exps) lines.emplace_back("X-EXPS=LOGIN");
  }
  lines.insert(lines.end(), options_.capabilities.begin(), options_.capabilities.end());
  return lines;
}

void SmtpDialogue::Ehlo(std::string_view, Output& out) {
  if (!options_.ehlo || lmtp_) return out.Line("500 5.3.3 Unrecognized command");
  Forget();
  std::vector<std::string> lines = Keywords();
  out.Line(lines.empty() ? "250 " : "250-", "legacy.example Hello");
  for (size_t i = 0; i < lines.size(); ++i) {
    out.Line(i + 1 < lines.size() ? "250-" : "250 ", lines[i]);
  }
}

void SmtpDialogue::Helo(std::string_view, Output& out) {
  if (lmtp_) return out.Line("500 5.3.3 Unrecognized command");
  Forget();
  out.Line("250 legacy.example Hello");
}

void SmtpDialogue::Lhlo(std::string_view, Output& out) {
  if (!lmtp_) return out.Line("500 5.3.3 Unrecognized command");
  Forget();
  std::vector<std::string> lines = Keywords();
  out.Line(lines.empty() ? "250 " : "250-", "legacy.example Hello");
  for (size_t i = 0; i < lines.size(); ++i) {
    out.Line(i + 1 < lines.size() ? "250-" : "250 ", lines[i]);
  }
}

void SmtpDialogue::Mail(std::string_view arguments, Output& out) {
  if (options_.require_auth && !logged_in_) return out.Line("530 5.7.0 Authentication required");
  if (has_sender_) return out.Line("503 5.5.1 Sender already specified");
  std::optional<std::string_view> sender = Path(arguments, "FROM");
  if (!sender) return out.Line("501 5.5.4 Invalid arguments");
  has_sender_ = true;
  out.Line("250 2.1.0 ", *sender, "....Sender OK");
}

void SmtpDialogue::Rcpt(std::string_view arguments, Output& out) {
  if (!has_sender_) return out.Line("503 5.5.1 Need MAIL first");
  std::optional<std::string_view> recipient = Path(arguments, "TO");
  if (!recipient || recipient->empty()) return out.Line("501 5.5.4 Invalid arguments");
  if (recipient->starts_with("nobody@")) return out.Line("550 5.1.1 User unknown");
  if (recipients_.size() >= kMaxRecipients) return out.Line("452 4.5.3 Too many recipients");
  recipients_.emplace_back(*recipient);
  out.Line("250 2.1.5 ", *recipient);
}

void SmtpDialogue::Data(std::string_view, Output& out) {
  if (recipients_.empty()) return out.Line("503 5.5.1 Need RCPT first");
  mode_ = Mode::kData;
  at_line_start_ = true;
  message_.clear();
  out.Line("354 Start mail input; end with <CRLF>.<CRLF>");
}

void SmtpDialogue::Bdat(std::string_view arguments, Output& out) {
  std::optional<uint64_t> size = ParseNumber(TakeWord(arguments));
  if (!chunking() || !size) return out.Line("500 5.3.3 Unrecognized command");
  if (recipients_.empty()) return out.Line("503 5.5.1 Need RCPT first");
  chunk_left_ = *size;
  last_chunk_ = SameWord(arguments, "LAST");
  mode_ = Mode::kChunk;
  if (chunk_left_ == 0) TakeChunk({}, out);
}

void SmtpDialogue::Rset(std::string_view, Output& out) {
  Forget();
  out.Line("250 2.0.0 Resetting");
}

void SmtpDialogue::Noop(std::string_view, Output& out) { out.Line("250 2.0.0 OK"); }

void SmtpDialogue::Vrfy(std::string_view arguments, Output& out) {
  out.Line("252 2.1.5 Cannot VRFY user, but will take message for <", arguments, ">");
}

void SmtpDialogue::Help(std::string_view, Output& out) {
  out.Line("214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP QUIT");
}

void SmtpDialogue::Exps(std::string_view arguments, Output& out) {
  if (!options_.profile->exps) return out.Line("500 5.3.3 Unrecognized command");
  Auth(arguments, out);
}

void SmtpDialogue::Auth(std::string_view arguments, Output& out) {
  std::string mechanism = Upper(TakeWord(arguments));
  const auto& known = options_.mechanisms;
  if (logged_in_ || has_sender_) return out.Line("503 5.5.1 AUTH not allowed now");
  if (std::find(known.begin(), known.end(), mechanism) == known.end()) {
    return out.Line("504 5.7.4 Unrecognized authentication type");
  }
  std::optional<std::string_view> initial;
  if (!arguments.empty()) initial = arguments;
  AfterSasl(sasl_.Start(mechanism, initial), out);
}

void SmtpDialogue::AfterSasl(SaslState state, Output& out) {
  switch (state) {
    case SaslState::kChallenge:
      return out.Line("334 ", sasl_.challenge());
    case SaslState::kAccepted:
      logged_in_ = true;
      return out.Line("235 2.7.0 Authentication successful");
    case SaslState::kRejected:
      return out.Line("535 5.7.3 Authentication unsuccessful");
    case SaslState::kMalformed:
      return out.Line("501 5.5.2 Authentication exchange cancelled or malformed");
  }
}

void SmtpDialogue::Quit(std::string_view, Output& out) {
  out.Line("221 2.0.0 legacy.example closing connection");
  Finish();
}

}  // namespace postern::legacy
