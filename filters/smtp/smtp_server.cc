// What the server sends: replies, and what they mean for the session.
#include <algorithm>
#include <cstring>
#include <utility>

#include "filters/smtp/smtp_filter_impl.h"
#include "filters/text.h"

namespace postern::smtp {
namespace {

bool IsYes(int code) { return code / 100 == 2; }

std::string_view Behind(std::string_view line) {
  return line.substr(std::min<size_t>(4, line.size()));
}

}  // namespace

void SmtpFilter::OnServerBytes(std::string_view input, Actions& out) {
  while (!input.empty() && state_ != State::kEnded && state_ != State::kDeriving &&
         state_ != State::kHandshake) {
    const size_t end = std::min(input.size(), kMaxReplyLine);
    const void* found = server_scanned_ < end ? std::memchr(input.data() + server_scanned_, '\n',
                                                            end - server_scanned_)
                                              : nullptr;
    if (found == nullptr) {
      server_scanned_ = end;
      if (input.size() >= kMaxReplyLine) Broken(out);
      return;
    }
    server_scanned_ = 0;
    const auto size = static_cast<size_t>(static_cast<const char*>(found) - input.data()) + 1;
    std::string_view text = input.substr(0, size - 1);
    const bool crlf = text.ends_with('\r');
    if (crlf) text.remove_suffix(1);
    const std::optional<ReplyLine> line = ParseReplyLine(text);
    if (!line) return Broken(out);
    const State before = state_;
    TakeReplyLine(*line, size, crlf, out);
    input.remove_prefix(size);
    // What the client has sent already may go on now, and comes before the next reply.
    if (reply_.code == 0 && (client_waits_ || state_ != before)) return;
  }
}

SmtpFilter::Fate SmtpFilter::ChooseFate(const ReplyLine& line) const {
  // The session ends with this one, so it becomes its last words.
  if (line.code == 421) return Fate::kGather;
  switch (*queue_.front()) {
    case Owed::kGreeting:
      return IsYes(line.code) && !alone() ? Fate::kPass : Fate::kGather;
    case Owed::kHello:
    case Owed::kHeloInstead:
    case Owed::kAuth:
      return Fate::kGather;
    case Owed::kXclient:
    case Owed::kOwnReset:
    case Owed::kAuthCancel:
      return Fate::kDrop;
    default:
      return Fate::kPass;
  }
}

// The server asks for bytes that nobody has announced.
bool SmtpFilter::IsOutOfPlace(int code) const {
  if (code / 100 != 3) return false;
  const Owed owed = *queue_.front();
  return !(owed == Owed::kData && code == 354) &&
         !(owed == Owed::kAuth && code == 334 && !exchange_->aborted);
}

void SmtpFilter::TakeReplyLine(const ReplyLine& line, size_t size, bool crlf, Actions& out) {
  if (reply_.code == 0) {
    if (queue_.front() == nullptr) return OnUnasked(line, size, out);
    if (IsOutOfPlace(line.code)) return Broken(out);
    reply_ = {};
    reply_.fate = ChooseFate(line);
  } else if (line.code != reply_.code) {
    return Broken(out);
  }
  reply_.code = line.code;
  reply_.lines += 1;
  reply_.bytes += size;
  const bool gather = reply_.fate == Fate::kGather;
  if (reply_.lines > (gather ? kMaxGatheredLines : kMaxReplyLines) ||
      reply_.bytes > (gather ? kMaxGatheredBytes : kMaxReplyBytes)) {
    return Broken(out);
  }
  if (reply_.fate == Fate::kPass && crlf) {
    out.Forward(size);
  } else if (reply_.fate == Fate::kPass) {
    out.Forward(size - 1);
    out.Drop(1);
    out.Send(Side::kClient, "\r\n");
  } else {
    out.Drop(size);
    if (gather) reply_.gathered.emplace_back(line.line);
  }
  if (line.last) FinishReply(out);
}

void SmtpFilter::FinishReply(Actions& out) {
  const int code = std::exchange(reply_.code, 0);
  const Owed owed = *queue_.front();
  if (MoreReplies(owed)) {
    if (reply_.fate == Fate::kGather) out.Send(Side::kClient, Gathered());
    return;
  }
  queue_.Answered();
  if (code == 421 && owed != Owed::kGreeting) {
    if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend went away", out);
    return CloseNow(Cause::kServerGone, Gathered(), out);
  }
  OnReply(owed, code, out);
  if (state_ == State::kEnded) return;
  while (const std::optional<std::string> own = queue_.TakeOwn()) out.Send(Side::kClient, *own);
  if (ending_ && queue_.empty()) CloseNow(ending_->cause, std::move(ending_->text), out);
}

// A greeting that was not said to its end is as good as none.
bool SmtpFilter::PassesUnfinished(std::string_view rest) {
  const Owed* owed = queue_.front();
  if (state_ == State::kHandshake || owed == nullptr || *owed == Owed::kGreeting) return false;
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  const std::optional<ReplyLine> line = ParseReplyLine(rest);
  if (!line || rest.find('\n') != std::string_view::npos) return false;
  if (reply_.code != 0) {
    unfinished_ = reply_.fate == Fate::kPass && line->code == reply_.code;
  } else {
    unfinished_ = ChooseFate(*line) == Fate::kPass && !IsOutOfPlace(line->code);
  }
  return unfinished_;
}

// A reply to nothing. One that says goodbye is as good as an end of the connection.
void SmtpFilter::OnUnasked(const ReplyLine& line, size_t size, Actions& out) {
  const bool goodbye = line.code == 421;
  if (goodbye && alone() && exchange_ == nullptr) return out.Drop(size);
  // A message refused before its end (too large, mostly) can't be taken back into step.
  const bool early = state_ == State::kData && line.code >= 400;
  if (!goodbye && !early) return Broken(out);
  if (early && !goodbye) out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend went away", out);
  CloseNow(goodbye ? Cause::kServerGone : Cause::kServerFault,
           std::to_string(line.code) + ' ' + std::string(line.text) + "\r\n", out);
}

// RFC 2033, 4.2: LMTP answers a message once for each recipient that it has taken.
bool SmtpFilter::MoreReplies(Owed owed) {
  if (options_.protocol != Protocol::kLmtp) return false;
  if (owed != Owed::kMessage && owed != Owed::kLastChunk) return false;
  if (replies_left_ == 0) replies_left_ = std::max<size_t>(1, recipients_);
  return --replies_left_ > 0;
}

std::string SmtpFilter::Gathered() const {
  std::string text;
  for (const std::string& line : reply_.gathered) text += line + "\r\n";
  return text;
}

void SmtpFilter::OnReply(Owed owed, int code, Actions& out) {
  switch (owed) {
    case Owed::kGreeting:
      return OnGreeting(code, out);
    case Owed::kHello:
      return OnHelloReply(code, out);
    case Owed::kHeloInstead:
      return OnHeloInsteadReply(code, out);
    case Owed::kXclient:
      return OnXclientReply(code, out);
    case Owed::kMail:
      if (!IsYes(code)) return;
      in_mail_ = true;
      recipients_ = 0;
      return;
    case Owed::kRcpt:
      if (IsYes(code)) ++recipients_;
      return;
    case Owed::kData:
      return OnDataReply(code);
    case Owed::kMessage:
      return EndTransaction();
    case Owed::kChunk:
      if (!IsYes(code)) chunks_begun_ = false;
      return;
    case Owed::kLastChunk:
    case Owed::kReset:
      // The reply of one LMTP recipient tells nothing of the others'.
      if (IsYes(code) || options_.protocol == Protocol::kLmtp) EndTransaction();
      return;
    case Owed::kOwnReset:
      if (!IsYes(code)) Broken(out);
      return;
    case Owed::kAuth:
      return OnAuthReply(code, out);
    case Owed::kAuthCancel:
      return OnAuthCancelReply(code, out);
    case Owed::kQuit:
      return CloseNow(Cause::kLogout, "", out);
    case Owed::kCommand:
      return;
  }
}

void SmtpFilter::EndTransaction() {
  in_mail_ = false;
  recipients_ = 0;
}

void SmtpFilter::OnGreeting(int code, Actions& out) {
  if (IsYes(code)) {
    // The log-in that asked for this connection waits for it.
    if (exchange_ != nullptr) return ContinueLogin(out);
    return Enter(State::kCommand);
  }
  out.Note(
      BackendFaultEvent{BackendFaultReason::kGreeting, "the greeting was " + std::to_string(code)});
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend refused", out);
  CloseNow(Cause::kServerRefused, Gathered(), out);
}

void SmtpFilter::OnHelloReply(int code, Actions& out) {
  const bool unknown = code == 500 || code == 502;
  const bool introduce = wants_xclient() && !xclient_done_;
  if (IsYes(code)) {
    EndTransaction();
    server_hello_ = true;
    if (hello_said_ != Verb::kHelo) return OnCapabilities(out);
    server_ = {};
    return ShowHello({Gathered(), false}, out);
  }
  if (introduce && unknown) {
    return BackendFault(BackendFaultReason::kGreeting, "XCLIENT is not offered", out);
  }
  if (exchange_ != nullptr) return LoginUnavailable("EHLO was refused", out);
  if (unknown && hello_ == Verb::kEhlo && HasOwnToShow(view())) {
    out.Send(Side::kServer, helo_.empty() ? "HELO\r\n" : "HELO " + helo_ + "\r\n");
    return queue_.Expect(Owed::kHeloInstead);
  }
  out.Send(Side::kClient, Gathered());
  Enter(State::kCommand);
}

// The answer to EHLO or LHLO is there.
void SmtpFilter::OnCapabilities(Actions& out) {
  const std::string name(Behind(reply_.gathered.front()));
  std::vector<std::string> lines;
  for (size_t i = 1; i < reply_.gathered.size(); ++i)
    lines.emplace_back(Behind(reply_.gathered[i]));
  server_ = ReadEhlo(lines);
  if (wants_xclient() && !xclient_done_) {
    xclient_ = XclientCommands(info_, trace(), server_.xclient_attributes);
    if (xclient_.empty()) {
      return BackendFault(BackendFaultReason::kGreeting, "XCLIENT is not offered", out);
    }
    std::reverse(xclient_.begin(), xclient_.end());
    return SayXclient(out);
  }
  if (exchange_ != nullptr) return ContinueLogin(out);
  ShowHello(ShowEhlo(name, lines, view()), out);
}

void SmtpFilter::SayXclient(Actions& out) {
  out.Send(Side::kServer, xclient_.back());
  xclient_.pop_back();
  queue_.Expect(Owed::kXclient);
}

// The server starts afresh with 220, and may show other capabilities to this client.
void SmtpFilter::OnXclientReply(int code, Actions& out) {
  if (!IsYes(code)) {
    return BackendFault(BackendFaultReason::kGreeting,
                        "XCLIENT was answered with " + std::to_string(code), out);
  }
  if (!xclient_.empty()) return SayXclient(out);
  xclient_done_ = true;
  SayHello(out);
}

// It knows no EHLO, but Postern has something of its own to show.
void SmtpFilter::OnHeloInsteadReply(int code, Actions& out) {
  if (!IsYes(code)) {
    out.Send(Side::kClient, Gathered());
    return Enter(State::kCommand);
  }
  EndTransaction();
  server_hello_ = true;
  server_ = {};
  ShowHello(ShowEhlo(Behind(reply_.gathered.front()), {}, view()), out);
}

void SmtpFilter::ShowHello(EhloShown shown, Actions& out) {
  chunking_shown_ = shown.chunking;
  greeted_ = true;
  out.Send(Side::kClient, shown.text);
  Enter(State::kCommand);
}

void SmtpFilter::OnDataReply(int code) {
  if (code != 354) return Enter(State::kCommand);
  data_.Begin();
  Enter(State::kData);
  header_due_ = wants_received();
}

}  // namespace postern::smtp
