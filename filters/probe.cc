#include "filters/probe.h"

#include <utility>

#include "filters/text.h"

namespace postern {
namespace {

constexpr size_t kMaxLine = 8 * 1024;
constexpr size_t kMaxCapabilities = 256;
constexpr std::string_view kTag = "postern";

bool IsSmtp(Protocol protocol) {
  return protocol == Protocol::kSmtp || protocol == Protocol::kLmtp;
}

bool IsReplyLine(std::string_view line) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return line.size() >= 3 && digit(line[0]) && digit(line[1]) && digit(line[2]) &&
         (line.size() == 3 || line[3] == ' ' || line[3] == '-');
}

}  // namespace

Probe::Probe(Protocol protocol, Goal goal, bool tls, std::string hostname)
    : protocol_(protocol), goal_(goal), tls_(tls), hostname_(std::move(hostname)) {}

Probe::State Probe::OnBytes(std::string_view bytes, std::string& send) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (partial_.size() + std::min(end, bytes.size()) > kMaxLine) return Fail("line too long");
    partial_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return State::kTalking;
    bytes.remove_prefix(end + 1);
    if (partial_.ends_with('\r')) partial_.pop_back();
    const std::string line = std::exchange(partial_, {});
    const State state = OnLine(line, send);
    // What came behind the answer to STARTTLS in the clear is dropped with the rest of `bytes`.
    if (state != State::kTalking) return state;
  }
  return State::kTalking;
}

Probe::State Probe::OnTlsUp(std::string& send) {
  tls_ = false;
  partial_.clear();
  capabilities_.clear();
  if (goal_ == Goal::kStartTls) return State::kDone;
  return AskCapabilities(send);
}

Probe::State Probe::OnLine(std::string_view line, std::string& send) {
  if (step_ == Step::kGreeting) return OnGreeting(line, send);
  if (IsSmtp(protocol_)) {
    if (!IsReplyLine(line)) return Fail("no SMTP reply");
    const bool last = line.size() == 3 || line[3] == ' ';
    if (step_ == Step::kHello || step_ == Step::kCapabilities) Collect(line, last);
    return last ? OnAnswer(line[0] == '2', send) : State::kTalking;
  }
  if (protocol_ == Protocol::kImap) {
    std::string_view rest = line;
    const std::string_view tag = TakeWord(rest);
    if (tag == "*") {
      if (StartsWithIgnoreCase(rest, "CAPABILITY ")) Collect(rest.substr(11), true);
      if (StartsWithIgnoreCase(rest, "BYE") && step_ != Step::kGoodbye) return Fail("said BYE");
      return State::kTalking;
    }
    if (tag != kTag) return Fail("no IMAP answer");
    return OnAnswer(StartsWithIgnoreCase(rest, "OK"), send);
  }
  if (in_list_) {
    if (line != ".") {
      Collect(line, true);
      return State::kTalking;
    }
    in_list_ = false;
    return OnAnswer(true, send);
  }
  const bool good = line.starts_with("+OK");
  if (!good && !line.starts_with("-ERR")) return Fail("no POP3 answer");
  in_list_ = good && step_ == Step::kCapabilities;
  return in_list_ ? State::kTalking : OnAnswer(good, send);
}

Probe::State Probe::OnGreeting(std::string_view line, std::string& send) {
  if (IsSmtp(protocol_)) {
    if (!IsReplyLine(line)) return Fail("no SMTP greeting");
    if (line[0] != '2') return Fail("greeting refused");
    if (line.size() > 3 && line[3] == '-') return State::kTalking;
  } else if (protocol_ == Protocol::kImap) {
    if (StartsWithIgnoreCase(line, "* PREAUTH")) return Fail("greeted PREAUTH");
    if (StartsWithIgnoreCase(line, "* BYE")) return Fail("greeting refused");
    if (!StartsWithIgnoreCase(line, "* OK")) return Fail("no IMAP greeting");
  } else if (!line.starts_with("+OK")) {
    return Fail(line.starts_with("-ERR") ? "greeting refused" : "no POP3 greeting");
  }
  if (!tls_) return AskCapabilities(send);
  if (protocol_ == Protocol::kImap) return Ask(Step::kUpgrade, "STARTTLS", send);
  if (protocol_ == Protocol::kPop3) return Ask(Step::kUpgrade, "STLS", send);
  return Ask(Step::kHello, (protocol_ == Protocol::kLmtp ? "LHLO " : "EHLO ") + hostname_, send);
}

Probe::State Probe::OnAnswer(bool good, std::string& send) {
  switch (step_) {
    case Step::kHello:
      return good ? Ask(Step::kUpgrade, "STARTTLS", send) : Fail("no EHLO, so no STARTTLS");
    case Step::kUpgrade:
      return good ? State::kStartTls : Fail("STARTTLS refused");
    case Step::kCapabilities:
      return Ask(Step::kGoodbye, protocol_ == Protocol::kImap ? "LOGOUT" : "QUIT", send);
    default:
      return State::kDone;
  }
}

void Probe::Collect(std::string_view text, bool last) {
  if (capabilities_.size() >= kMaxCapabilities) return;
  if (IsSmtp(protocol_)) {
    // The first line names the server; in_list_ tells that it has passed.
    if (in_list_ && text.size() > 4) capabilities_.emplace_back(text.substr(4));
    in_list_ = !last;
    return;
  }
  if (protocol_ == Protocol::kPop3) {
    capabilities_.emplace_back(text);
    return;
  }
  capabilities_.clear();
  while (!text.empty() && capabilities_.size() < kMaxCapabilities) {
    const std::string_view word = TakeWord(text);
    if (!word.empty()) capabilities_.emplace_back(word);
  }
}

Probe::State Probe::Ask(Step step, std::string_view command, std::string& send) {
  step_ = step;
  in_list_ = false;
  if (protocol_ == Protocol::kImap) send.append(kTag).append(" ");
  send.append(command).append("\r\n");
  return State::kTalking;
}

Probe::State Probe::AskCapabilities(std::string& send) {
  capabilities_.clear();
  switch (protocol_) {
    case Protocol::kImap:
      return Ask(Step::kCapabilities, "CAPABILITY", send);
    case Protocol::kPop3:
      return Ask(Step::kCapabilities, "CAPA", send);
    case Protocol::kSmtp:
      return Ask(Step::kCapabilities, "EHLO " + hostname_, send);
    case Protocol::kLmtp:
      break;
  }
  return Ask(Step::kCapabilities, "LHLO " + hostname_, send);
}

Probe::State Probe::Fail(std::string_view why) {
  failure_ = why;
  return State::kFailed;
}

}  // namespace postern
