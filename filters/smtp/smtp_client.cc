// What the client sends: lines, commands, message bytes.
#include <algorithm>
#include <cstring>
#include <utility>

#include "filters/smtp/smtp_filter_impl.h"
#include "filters/text.h"

namespace postern::smtp {
namespace {

constexpr std::string_view kTooLong = "500 5.5.2 Line too long\r\n";
constexpr std::string_view kNulInside = "500 5.5.2 NUL in a command\r\n";
constexpr std::string_view kCrInside = "500 5.5.2 CR without LF in a command\r\n";
constexpr std::string_view kBareLf = "521 5.5.2 Lines have to end in CRLF\r\n";
constexpr std::string_view kUnrecognized = "500 5.5.1 Command unrecognized\r\n";
constexpr std::string_view kNotAllowed = "502 5.5.1 Command not available\r\n";
constexpr std::string_view kNeedsTls = "530 5.7.0 Must issue a STARTTLS command first\r\n";
constexpr std::string_view kNeedsLogin = "530 5.7.0 Authentication required\r\n";
constexpr std::string_view kOk = "250 2.0.0 Ok\r\n";

bool Holds(std::string_view text, char byte) {
  return !text.empty() && std::memchr(text.data(), byte, text.size()) != nullptr;
}

bool IsAuth(std::string_view input) {
  return StartsWithIgnoreCase(input, "AUTH ") || StartsWithIgnoreCase(input, "X-EXPS ");
}

std::string_view Name(Verb hello) {
  switch (hello) {
    case Verb::kEhlo:
      return "EHLO";
    case Verb::kLhlo:
      return "LHLO";
    default:
      return "HELO";
  }
}

}  // namespace

void SmtpFilter::OnClientBytes(std::string_view input, Actions& out) {
  bool more = true;
  while (more && !input.empty()) {
    const Taken taken = TakeClient(input, out);
    input.remove_prefix(taken.size);
    more = taken.more;
  }
}

SmtpFilter::Taken SmtpFilter::TakeClient(std::string_view input, Actions& out) {
  switch (state_) {
    case State::kCommand:
      return TakeCommand(input, out);
    case State::kAuthResponse:
      return TakeAuthResponse(input, out);
    case State::kData:
      return TakeData(input, out);
    case State::kChunk:
      return TakeChunk(input, out);
    case State::kQuit:
    case State::kEnding:
      out.Drop(input.size());
      return {input.size(), false};
    case State::kGreeting:
    case State::kHelloAsked:
    case State::kHandshake:
    case State::kDataAsked:
    case State::kAuthAsked:
    case State::kDeriving:
    case State::kEnded:
      break;
  }
  return {};
}

SmtpFilter::Taken SmtpFilter::TakeData(std::string_view input, Actions& out) {
  if (std::exchange(header_due_, false)) {
    out.Send(Side::kServer, ReceivedHeader(options_, info_, trace(), moment().now, input.front()));
  }
  size_t used = 0;
  const DataScanner::Result result = data_.Scan(input, out, used);
  if (result == DataScanner::Result::kBareLf) {
    Fail(ProtocolFault::kBareLf, kBareLf, out);
    return {};
  }
  if (result == DataScanner::Result::kMore) return {used, false};
  queue_.Expect(Owed::kMessage);
  Enter(State::kCommand);
  return {used, true};
}

SmtpFilter::Taken SmtpFilter::TakeChunk(std::string_view input, Actions& out) {
  const auto size = static_cast<size_t>(std::min<uint64_t>(chunk_left_, input.size()));
  out.Forward(size);
  chunk_left_ -= size;
  if (chunk_left_ == 0) Enter(State::kCommand);
  return {size, true};
}

SmtpFilter::Taken SmtpFilter::TakeCommand(std::string_view input, Actions& out) {
  client_waits_ = queue_.full() || (!options_.pipelining && !queue_.empty());
  if (client_waits_) return {};
  // An AUTH with its initial response may be longer than other commands (RFC 4954, 4).
  constexpr size_t kAroundSasl = 64;
  const size_t limit = IsAuth(input) ? std::max(options_.line_limit, kMaxSaslLine + kAroundSasl)
                                     : options_.line_limit;
  const std::optional<Line> line = NextLine(input, limit, out);
  if (!line) return {0, state_ == State::kEnding};
  const Command command = ParseCommand(options_, line->text);
  client_waits_ = MustWait(command);
  const std::string_view behind = input.substr(line->size);
  if (client_waits_ || LacksFirstByte(command, behind)) return {};
  OnCommand(*line, command, behind, out);
  return {line->size, state_ != State::kEnded};
}

// The next whole line, up to `limit` bytes. nullopt where it is not there yet, or where the session
// ends for what it holds: at a NUL at once, for TLS on a port without may never send a line end.
std::optional<SmtpFilter::Line> SmtpFilter::NextLine(std::string_view input, size_t limit,
                                                     Actions& out) {
  const size_t end = std::min(input.size(), limit);
  const void* found =
      scanned_ < end ? std::memchr(input.data() + scanned_, '\n', end - scanned_) : nullptr;
  const size_t stop =
      found == nullptr ? end : static_cast<size_t>(static_cast<const char*>(found) - input.data());
  if (scanned_ < stop && Holds(input.substr(scanned_, stop - scanned_), '\0')) {
    Fail(ProtocolFault::kNul, kNulInside, out);
    return std::nullopt;
  }
  scanned_ = stop;
  if (found == nullptr) {
    if (input.size() >= limit) Fail(ProtocolFault::kLineTooLong, kTooLong, out);
    return std::nullopt;
  }
  Line line;
  line.size = scanned_ + 1;
  line.text = input.substr(0, scanned_);
  line.crlf = line.text.ends_with('\r');
  if (line.crlf) line.text.remove_suffix(1);
  if (!CheckLine(line, out)) return std::nullopt;
  return line;
}

bool SmtpFilter::CheckLine(const Line& line, Actions& out) {
  if (Holds(line.text, '\r')) {
    Fail(ProtocolFault::kBareLf, kCrInside, out);
  } else if (!line.crlf && options_.reject_bare_lf) {
    Fail(ProtocolFault::kBareLf, kBareLf, out);
  } else {
    return true;
  }
  return false;
}

void SmtpFilter::Consume(const Line& line, Actions& out) {
  out.Drop(line.size);
  scanned_ = 0;
}

// It reaches the server with CRLF, however it ended.
void SmtpFilter::PassLine(const Line& line, Actions& out) {
  scanned_ = 0;
  if (line.crlf) return out.Forward(line.size);
  out.Forward(line.text.size());
  out.Drop(1);
  out.Send(Side::kServer, "\r\n");
}

void SmtpFilter::Pass(const Line& line, Owed owed, Actions& out) {
  PassLine(line, out);
  queue_.Expect(owed);
}

// Answers that a command of this kind changes, or that its own handling depends on, come first.
bool SmtpFilter::MustWait(const Command& command) const {
  if (queue_.empty()) return false;
  return command.hello() || command.verb == Verb::kAuth || command.verb == Verb::kStartTls;
}

// The header that goes before a message depends on the message's first byte.
bool SmtpFilter::LacksFirstByte(const Command& command, std::string_view behind) const {
  if (!wants_received() || command.verb != Verb::kBdat || !behind.empty()) return false;
  const bool refused = alone() || (offers_starttls() && options_.require_tls) || !chunking_shown_;
  const std::optional<Chunk> chunk = ParseChunk(command.arguments);
  return !refused && !chunks_begun_ && chunk && chunk->size > 0;
}

// Behind a refused BDAT come bytes that must not be taken for commands, so the session ends.
void SmtpFilter::Refuse(const Line& line, const Command& command, BlockReason reason,
                        std::string_view text, Actions& out) {
  // A SASL response has no blank.
  const bool secret = quiet_ && command.verb == Verb::kUnknown && command.word == line.text;
  out.Note(BlockedEvent{reason, secret ? "?" : CommandName(command.word)});
  Consume(line, out);
  if (command.verb == Verb::kBdat) return End(Cause::kPolicy, text, out);
  Reply(text, out);
}

// What is refused whatever the command means.
bool SmtpFilter::RefuseByRules(const Line& line, const Command& command, Actions& out) {
  const bool lmtp = options_.protocol == Protocol::kLmtp;
  if (command.verb == Verb::kHttp) {
    out.Note(BlockedEvent{BlockReason::kUnknown, CommandName(command.word)});
    Fail(ProtocolFault::kUnexpected, kUnrecognized, out);
  } else if (offers_starttls() && options_.require_tls && !command.before_tls()) {
    Refuse(line, command, BlockReason::kClear, kNeedsTls, out);
  } else if (command.verb == Verb::kUnknown ||
             (command.hello() && lmtp != (command.verb == Verb::kLhlo))) {
    // RFC 2033, 4.1: LMTP knows LHLO alone, SMTP the other two.
    Refuse(line, command, BlockReason::kUnknown, kUnrecognized, out);
  } else if (IsDenied(options_, command)) {
    Refuse(line, command, BlockReason::kDenied, kNotAllowed, out);
  } else if ((tls_was_started_ || wants_xclient()) && !greeted_ && !command.before_hello()) {
    Consume(line, out);
    Reply(lmtp ? "503 5.5.1 Say LHLO first\r\n" : "503 5.5.1 Say EHLO first\r\n", out);

  } else {
    return false;
  }
  return true;
}

void SmtpFilter::OnCommand(const Line& line, const Command& command, std::string_view behind,
                           Actions& out) {
  if (command.verb != Verb::kUnknown) quiet_ = false;
  if (RefuseByRules(line, command, out)) return;
  if (command.hello()) return OnHello(line, command, out);
  if (command.verb == Verb::kAuth) return OnAuth(line, command, out);
  if (command.verb == Verb::kStartTls) return OnStartTls(line, command, !behind.empty(), out);
  if (alone()) return AnswerAlone(line, command, out);
  switch (command.verb) {
    case Verb::kMail:
      if (options_.require_auth && !logged_in_) {
        return Refuse(line, command, BlockReason::kNotLoggedIn, kNeedsLogin, out);
      }
      chunks_begun_ = false;
      return Pass(line, Owed::kMail, out);
    case Verb::kRcpt:
      return Pass(line, Owed::kRcpt, out);
    case Verb::kData:
      Pass(line, Owed::kData, out);
      return Enter(State::kDataAsked);
    case Verb::kBdat:
      return OnBdat(line, command, behind, out);
    case Verb::kRset:
      chunks_begun_ = false;
      return Pass(line, Owed::kReset, out);
    case Verb::kQuit:
      Pass(line, Owed::kQuit, out);
      return Enter(State::kQuit);
    default:
      return Pass(line, Owed::kCommand, out);
  }
}

// connect: at_login, before a log-in: no server is asked for anything.
void SmtpFilter::AnswerAlone(const Line& line, const Command& command, Actions& out) {
  switch (command.verb) {
    case Verb::kNoop:
    case Verb::kRset:
      Consume(line, out);
      return Reply(kOk, out);
    case Verb::kHelp:
      Consume(line, out);
      return Reply("214 2.0.0 Log in first\r\n", out);
    case Verb::kQuit:
      Consume(line, out);
      return End(Cause::kLogout, "221 2.0.0 Bye\r\n", out);
    default:
      return Refuse(line, command, BlockReason::kNotLoggedIn, kNeedsLogin, out);
  }
}

void SmtpFilter::OnHello(const Line& line, const Command& command, Actions& out) {
  if (command.arguments.size() > kMaxHelo) {
    Consume(line, out);
    return Reply("501 5.5.4 Domain too long\r\n", out);
  }
  // What the server was told about the client has to stay true.
  if (!logged_in_ && (helo_ != command.arguments || hello_ != command.verb)) {
    xclient_done_ = false;
  }
  helo_ = command.arguments;
  hello_ = command.verb;
  server_hello_ = false;
  Consume(line, out);
  if (!alone()) {
    Enter(State::kHelloAsked);
    return SayHello(out);
  }
  if (hello_ == Verb::kHelo) {
    return ShowHello({"250 " + options_.hostname + "\r\n", false}, out);
  }
  const std::vector<std::string> none;
  ShowHello(ShowEhlo(options_.hostname, info_.probed ? *info_.probed : none, view()), out);
}

// Where the server has to be told who the client is, only EHLO shows how.
void SmtpFilter::SayHello(Actions& out) {
  const bool ask = wants_xclient() && !xclient_done_ && hello_ == Verb::kHelo;
  hello_said_ = ask ? Verb::kEhlo : hello_;
  std::string text(Name(hello_said_));
  if (!helo_.empty()) text += ' ' + helo_;
  out.Send(Side::kServer, text + "\r\n");
  queue_.Expect(Owed::kHello);
}

void SmtpFilter::OnStartTls(const Line& line, const Command& command, bool bytes_behind,
                            Actions& out) {
  if (!offers_starttls()) {
    if (!options_.starttls && channel_ == Channel::kClear) {
      return Refuse(line, command, BlockReason::kUnknown, kNotAllowed, out);
    }
    Consume(line, out);
    return Reply(logged_in_ && channel_ == Channel::kClear
                     ? "503 5.5.1 STARTTLS comes before a log-in\r\n"
                     : "503 5.5.1 TLS is already active\r\n",
                 out);
  }
  if (!command.arguments.empty()) {
    Consume(line, out);
    return Reply("501 5.5.4 STARTTLS takes no parameters\r\n", out);
  }
  if (bytes_behind) {
    // They would be taken as if they had come inside TLS (CVE-2011-0411).
    out.Note(StartTlsInjectionEvent{});
    return CloseNow(Cause::kInjection, "", out);
  }
  Consume(line, out);
  out.Send(Side::kClient, "220 2.0.0 Ready to start TLS\r\n");
  out.StartTls();
  Enter(State::kHandshake);
}

// RFC 3030. The bytes behind it can't be told from commands by a server that does not know it.
void SmtpFilter::OnBdat(const Line& line, const Command& command, std::string_view behind,
                        Actions& out) {
  if (!chunking_shown_ || !server_.chunking) {
    Consume(line, out);
    return Fail(ProtocolFault::kUnexpected, "502 5.5.1 CHUNKING was not offered\r\n", out);
  }
  std::optional<Chunk> chunk = ParseChunk(command.arguments);
  if (!chunk) {
    Consume(line, out);
    return Fail(ProtocolFault::kUnexpected,
                "501 5.5.4 Syntax: BDAT size [LAST], and less than 2 GiB\r\n", out);
  }
  chunk_left_ = chunk->size;
  // An empty chunk is no beginning yet.
  const bool begins = !chunks_begun_ && (chunk->size > 0 || chunk->last);
  const bool add_header = begins && wants_received();
  // Not every server reads `010` as ten.
  const bool respell = chunk->size > 0 && command.arguments.starts_with('0');
  if (add_header || respell) {
    const char first = chunk->size > 0 && !behind.empty() ? behind.front() : '\0';
    const std::string header =
        add_header ? ReceivedHeader(options_, info_, trace(), moment().now, first) : std::string();
    Consume(line, out);
    out.Send(Side::kServer, "BDAT " + std::to_string(chunk->size + header.size()) +
                                (chunk->last ? " LAST\r\n" : "\r\n") + header);
  } else {
    PassLine(line, out);
  }
  chunks_begun_ = !chunk->last && (chunks_begun_ || begins);
  queue_.Expect(chunk->last ? Owed::kLastChunk : Owed::kChunk);
  if (chunk_left_ > 0) Enter(State::kChunk);
}

}  // namespace postern::smtp
