// The stream of an IMAP connection and what can be done in it before a mailbox is opened.
#include "bench/legacy_server/imap.h"

#include <algorithm>

#include "bench/legacy_server/text.h"

namespace postern::legacy {

const ImapDialogue::Verb ImapDialogue::kVerbs[] = {
    {"NOOP", Phase::kGreeted, &ImapDialogue::Noop},
    {"CAPABILITY", Phase::kGreeted, &ImapDialogue::Capability},
    {"LOGOUT", Phase::kGreeted, &ImapDialogue::Logout},
    {"ID", Phase::kGreeted, &ImapDialogue::Id},
    {"LOGIN", Phase::kGreeted, &ImapDialogue::Login},
    {"AUTHENTICATE", Phase::kGreeted, &ImapDialogue::Authenticate},
    {"SELECT", Phase::kLoggedIn, &ImapDialogue::Select},
    {"EXAMINE", Phase::kLoggedIn, &ImapDialogue::Examine},
    {"NAMESPACE", Phase::kLoggedIn, &ImapDialogue::Namespace},
    {"LIST", Phase::kLoggedIn, &ImapDialogue::List},
    {"LSUB", Phase::kLoggedIn, &ImapDialogue::Lsub},
    {"CREATE", Phase::kLoggedIn, &ImapDialogue::Create},
    {"DELETE", Phase::kLoggedIn, &ImapDialogue::Delete},
    {"SUBSCRIBE", Phase::kLoggedIn, &ImapDialogue::Subscribe},
    {"UNSUBSCRIBE", Phase::kLoggedIn, &ImapDialogue::Subscribe},
    {"STATUS", Phase::kLoggedIn, &ImapDialogue::Status},
    {"APPEND", Phase::kLoggedIn, &ImapDialogue::Append},
    {"IDLE", Phase::kLoggedIn, &ImapDialogue::Idle},
    {"CHECK", Phase::kSelected, &ImapDialogue::Noop},
    {"CLOSE", Phase::kSelected, &ImapDialogue::Close},
    {"EXPUNGE", Phase::kSelected, &ImapDialogue::Expunge},
    {"FETCH", Phase::kSelected, &ImapDialogue::Fetch},
    {"STORE", Phase::kSelected, &ImapDialogue::Store_},
    {"SEARCH", Phase::kSelected, &ImapDialogue::Search},
    {"COPY", Phase::kSelected, &ImapDialogue::Copy},
    {"UID", Phase::kSelected, &ImapDialogue::Uid},
};

ImapDialogue::ImapDialogue(const Options& options, Store& store)
    : Dialogue(options, store), sasl_(store) {}

void ImapDialogue::Greet(Output& out) {
  out.Line(options_.greeting ? *options_.greeting : options_.profile->imap_greeting);
}

void ImapDialogue::Ok(std::string_view tag, std::string_view text, Output& out) {
  out.Line(tag, " OK ", text);
}

void ImapDialogue::Bad(std::string_view tag, Output& out) {
  out.Line(tag, " BAD Protocol error: invalid command or arguments");
}

size_t ImapDialogue::Take(std::string_view input, Output& out) {
  if (literal_left_ > 0) return TakeLiteral(input);
  std::string_view line = TakeLine(input);
  if (finished()) out.Line("* BYE Line too long");
  if (!line.empty()) TakeText(WithoutEnd(line), out);
  return line.size();
}

size_t ImapDialogue::TakeLiteral(std::string_view input) {
  std::string_view part = input.substr(0, literal_left_);
  literal_left_ -= part.size();
  if (literal_goes_ == LiteralGoes::kCommand) command_.append(part);
  if (literal_goes_ == LiteralGoes::kBody) body_.append(part);
  return part.size();
}

void ImapDialogue::TakeText(std::string_view line, Output& out) {
  if (idling_) return EndIdle(line, out);
  if (sasl_.active()) return AfterSasl(sasl_.Feed(line), out);
  std::optional<LiteralMark> mark = FindLiteral(line);
  if (!mark && command_.empty()) return Execute(line, out);
  command_.append(line);
  if (mark && BeginLiteral(*mark, out)) return;
  std::string command = std::move(command_);
  command_.clear();
  if (!mark && literal_goes_ != LiteralGoes::kNowhere) Execute(command, out);
  literal_goes_ = LiteralGoes::kCommand;
}

// Returns false where the command ends here because the literal is refused.
bool ImapDialogue::BeginLiteral(const LiteralMark& mark, Output& out) {
  std::string_view rest = command_;
  std::string_view tag = TakeWord(rest);
  std::string verb = Upper(TakeWord(rest));
  bool append = verb == "APPEND" && phase_ != Phase::kGreeted;
  size_t limit = append ? options_.max_message : kMaxInlineLiteral;
  if (mark.size > limit || command_.size() > kMaxCommand ||
      (mark.synchronizing && IsRefused(verb))) {
    out.Line(tag, " NO [LIMIT] Literal refused");
    literal_goes_ = LiteralGoes::kNowhere;
    literal_left_ = mark.synchronizing ? 0 : mark.size;
    return !mark.synchronizing;
  }
  literal_left_ = mark.size;
  literal_goes_ = LiteralGoes::kCommand;
  if (append) {
    body_.clear();
    literal_goes_ = options_.discard ? LiteralGoes::kAway : LiteralGoes::kBody;
    if (!options_.discard) body_.reserve(mark.size);
  } else {
    command_.append("\r\n");
  }
  if (mark.synchronizing) out.Line("+ Ready for literal data");
  return true;
}

void ImapDialogue::Execute(std::string_view command, Output& out) {
  Arguments arguments(command);
  std::string_view tag = arguments.Atom();
  std::string verb = Upper(arguments.Atom());
  if (tag.empty() || verb.empty()) return out.Line("* BAD Missing command");
  by_uid_ = false;
  Fate fate = FateOf(verb);
  if (fate == Fate::kDropped) return;
  if (fate == Fate::kRefused) return out.Line(tag, " NO ", verb, " refused");
  Dispatch(tag, verb, arguments, out);
}

void ImapDialogue::Dispatch(std::string_view tag, std::string_view verb, Arguments& arguments,
                            Output& out) {
  for (const Verb& entry : kVerbs) {
    if (entry.name != verb) continue;
    if (phase_ < entry.needs) return out.Line(tag, " BAD ", verb, " not allowed now");
    return (this->*entry.run)(tag, arguments, out);
  }
  Bad(tag, out);
}

void ImapDialogue::Capability(std::string_view tag, Arguments&, Output& out) {
  out.Add("* CAPABILITY ", options_.profile->imap_capabilities);
  bool shown = options_.profile->imap_capabilities.find("LITERAL+") != std::string_view::npos;
  if (options_.literal_plus && !shown) out.Add(" LITERAL+");
  for (const std::string& mechanism : options_.mechanisms) out.Add(" AUTH=", mechanism);
  for (const std::string& word : options_.capabilities) out.Add(" ", word);
  out.Line();
  Ok(tag, "CAPABILITY completed.", out);
}

void ImapDialogue::Noop(std::string_view tag, Arguments&, Output& out) {
  Refresh(out);
  Ok(tag, "NOOP completed.", out);
}

void ImapDialogue::Logout(std::string_view tag, Arguments&, Output& out) {
  out.Line("* BYE legacy IMAP4rev1 server signing off");
  Ok(tag, "LOGOUT completed.", out);
  Finish();
}

void ImapDialogue::Id(std::string_view tag, Arguments&, Output& out) {
  out.Line("* ID (\"name\" \"legacy\")");
  Ok(tag, "ID completed.", out);
}

void ImapDialogue::Login(std::string_view tag, Arguments& arguments, Output& out) {
  std::optional<std::string> user = arguments.String();
  std::optional<std::string> password = arguments.String();
  if (!user || !password || !arguments.empty() || phase_ != Phase::kGreeted) return Bad(tag, out);
  if (!store_.CheckPassword(*user, *password)) {
    return out.Line(tag, " NO Logon failure: unknown user name or bad password.");
  }
  AcceptUser(tag, *user, out);
}

void ImapDialogue::AcceptUser(std::string_view tag, std::string_view user, Output& out) {
  user_ = store_.Owner(user);
  phase_ = Phase::kLoggedIn;
  Ok(tag, "LOGIN completed.", out);
}

void ImapDialogue::Authenticate(std::string_view tag, Arguments& arguments, Output& out) {
  std::string mechanism = Upper(arguments.Atom());
  const auto& known = options_.mechanisms;
  if (phase_ != Phase::kGreeted) return Bad(tag, out);
  if (std::find(known.begin(), known.end(), mechanism) == known.end()) {
    return out.Line(tag, " NO Unsupported authentication mechanism.");
  }
  pending_tag_ = tag;
  std::optional<std::string_view> initial;
  if (!arguments.empty()) initial = arguments.Atom();
  AfterSasl(sasl_.Start(mechanism, initial), out);
}

void ImapDialogue::AfterSasl(SaslState state, Output& out) {
  switch (state) {
    case SaslState::kChallenge:
      return out.Line("+ ", sasl_.challenge());
    case SaslState::kAccepted:
      return AcceptUser(pending_tag_, sasl_.user(), out);
    case SaslState::kRejected:
      return out.Line(pending_tag_, " NO Logon failure: unknown user name or bad password.");
    case SaslState::kMalformed:
      return out.Line(pending_tag_, " BAD Authentication exchange cancelled or malformed.");
  }
}

void ImapDialogue::Idle(std::string_view tag, Arguments&, Output& out) {
  pending_tag_ = tag;
  idling_ = true;
  out.Line("+ idling");
}

void ImapDialogue::EndIdle(std::string_view line, Output& out) {
  idling_ = false;
  if (!SameWord(line, "DONE")) return Bad(pending_tag_, out);
  Refresh(out);
  Ok(pending_tag_, "IDLE completed.", out);
}

void ImapDialogue::Poll(Output& out) { Refresh(out); }

}  // namespace postern::legacy
