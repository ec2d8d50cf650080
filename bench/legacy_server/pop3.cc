#include "bench/legacy_server/pop3.h"

#include <algorithm>

#include "bench/legacy_server/digest.h"
#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

// RFC 1939, 3: a dot at the start of a line is sent twice.
std::string Stuff(std::string_view bytes) {
  std::string stuffed;
  stuffed.reserve(bytes.size() + bytes.size() / 64);
  bool start = true;
  for (char c : bytes) {
    if (start && c == '.') stuffed += '.';
    stuffed += c;
    start = c == '\n';
  }
  return stuffed;
}

// The header and the first `lines` lines behind it.
std::string_view TopOf(const Message& message, uint64_t lines) {
  std::string_view body = *message.body;
  size_t end = message.header_size;
  for (; lines > 0 && end < body.size(); --lines) {
    end = std::min(body.find('\n', end), body.size() - 1) + 1;
  }
  return body.substr(0, end);
}

}  // namespace

const Pop3Dialogue::Verb Pop3Dialogue::kVerbs[] = {
    {"NOOP", true, &Pop3Dialogue::Noop},  {"CAPA", false, &Pop3Dialogue::Capa},
    {"USER", false, &Pop3Dialogue::User}, {"PASS", false, &Pop3Dialogue::Pass},
    {"APOP", false, &Pop3Dialogue::Apop}, {"AUTH", false, &Pop3Dialogue::Auth},
    {"QUIT", false, &Pop3Dialogue::Quit}, {"STAT", true, &Pop3Dialogue::Stat},
    {"LIST", true, &Pop3Dialogue::List},  {"UIDL", true, &Pop3Dialogue::Uidl},
    {"RETR", true, &Pop3Dialogue::Retr},  {"TOP", true, &Pop3Dialogue::Top},
    {"DELE", true, &Pop3Dialogue::Dele},  {"RSET", true, &Pop3Dialogue::Rset},
};

Pop3Dialogue::Pop3Dialogue(uint64_t number, const Options& options, Store& store)
    : Dialogue(options, store), sasl_(store) {
  stamp_ = "<" + std::to_string(number) + ".1080000000@legacy.example>";
}

void Pop3Dialogue::Greet(Output& out) {
  out.Add(options_.greeting ? *options_.greeting : options_.profile->pop3_greeting);
  if (options_.apop) out.Add(" ", stamp_);
  out.Line();
}

size_t Pop3Dialogue::Take(std::string_view input, Output& out) {
  std::string_view line = TakeLine(input);
  if (finished()) out.Line("-ERR Line too long");
  if (line.empty()) return 0;
  if (sasl_.active()) {
    AfterSasl(sasl_.Feed(WithoutEnd(line)), out);
  } else {
    Execute(WithoutEnd(line), out);
  }
  return line.size();
}

void Pop3Dialogue::Execute(std::string_view line, Output& out) {
  std::string verb = Upper(TakeWord(line));
  Fate fate = FateOf(verb);
  if (fate == Fate::kDropped) return;
  if (fate == Fate::kRefused) return out.Line("-ERR ", verb, " refused");
  for (const Verb& entry : kVerbs) {
    if (entry.name == verb && (logged_in_ || !entry.after_login)) {
      return (this->*entry.run)(line, out);
    }
  }
  out.Line("-ERR Protocol Error");
}

void Pop3Dialogue::Capa(std::string_view, Output& out) {
  if (!options_.capa) return out.Line("-ERR Protocol Error");
  out.Line("+OK Capability list follows");
  for (std::string_view word : Split(options_.profile->pop3_capabilities, " ")) out.Line(word);
  out.Line("USER");
  if (!options_.mechanisms.empty()) {
    out.Add("SASL");
    for (const std::string& mechanism : options_.mechanisms) out.Add(" ", mechanism);
    out.Line();
  }
  for (const std::string& word : options_.capabilities) out.Line(word);
  out.Line(".");
}

void Pop3Dialogue::User(std::string_view arguments, Output& out) {
  name_ = arguments;
  out.Line("+OK");
}

void Pop3Dialogue::Pass(std::string_view arguments, Output& out) {
  if (name_.empty() || logged_in_) return out.Line("-ERR Protocol Error");
  std::string name = std::move(name_);
  name_.clear();
  if (!store_.CheckPassword(name, arguments)) return Refuse(out);
  Enter(name, out);
}

void Pop3Dialogue::Apop(std::string_view arguments, Output& out) {
  std::string_view name = TakeWord(arguments);
  if (!options_.apop || logged_in_) return out.Line("-ERR Protocol Error");
  std::optional<std::string_view> password = store_.PasswordOf(name);
  bool right = password && SameWord(Md5Hex(stamp_ + std::string(*password)), arguments);
  if (!right && !options_.accept_any) return Refuse(out);
  Enter(name, out);
}

void Pop3Dialogue::Auth(std::string_view arguments, Output& out) {
  std::string mechanism = Upper(TakeWord(arguments));
  const auto& known = options_.mechanisms;
  if (mechanism.empty()) {  // the list of before RFC 2449
    out.Line("+OK");
    for (const std::string& name : known) out.Line(name);
    return out.Line(".");
  }
  if (logged_in_ || std::find(known.begin(), known.end(), mechanism) == known.end()) {
    return out.Line("-ERR Protocol Error");
  }
  std::optional<std::string_view> initial;
  if (!arguments.empty()) initial = arguments;
  AfterSasl(sasl_.Start(mechanism, initial), out);
}

void Pop3Dialogue::AfterSasl(SaslState state, Output& out) {
  switch (state) {
    case SaslState::kChallenge:
      return out.Line("+ ", sasl_.challenge());
    case SaslState::kAccepted:
      return Enter(sasl_.user(), out);
    case SaslState::kRejected:
      return Refuse(out);
    case SaslState::kMalformed:
      return out.Line("-ERR Authentication exchange cancelled or malformed.");
  }
}

void Pop3Dialogue::Refuse(Output& out) {
  out.Line("-ERR Logon failure: unknown user name or bad password.");
}

void Pop3Dialogue::Enter(std::string_view user, Output& out) {
  mailbox_ = store_.Open(store_.Owner(user), "INBOX");
  messages_ = mailbox_->list();
  deleted_.assign(messages_->size(), false);
  logged_in_ = true;
  out.Line("+OK User successfully logged on");
}

void Pop3Dialogue::Quit(std::string_view, Output& out) {
  std::vector<uint32_t> uids;
  for (size_t i = 0; i < deleted_.size(); ++i) {
    if (deleted_[i]) uids.push_back((*messages_)[i]->uid);
  }
  if (!uids.empty()) mailbox_->Remove(uids);
  out.Line("+OK legacy POP3 server signing off.");
  Finish();
}

void Pop3Dialogue::Noop(std::string_view, Output& out) { out.Line("+OK"); }

void Pop3Dialogue::Stat(std::string_view, Output& out) {
  uint64_t count = 0;
  uint64_t size = 0;
  for (size_t i = 0; i < deleted_.size(); ++i) {
    if (deleted_[i]) continue;
    ++count;
    size += (*messages_)[i]->body->size();
  }
  out.Add("+OK ");
  out.AddNumber(count);
  out.Add(" ");
  out.AddNumber(size);
  out.Line();
}

template <typename Write>
void Pop3Dialogue::Table(std::string_view arguments, Output& out, Write write) {
  auto row = [&](size_t index) {
    out.AddNumber(index + 1);
    out.Add(" ");
    write(*(*messages_)[index]);
    out.Line();
  };
  if (!arguments.empty()) {
    size_t index = Find(arguments);
    if (index == messages_->size()) return out.Line("-ERR No such message");
    out.Add("+OK ");
    return row(index);
  }
  out.Line("+OK");
  for (size_t i = 0; i < messages_->size(); ++i) {
    if (!deleted_[i]) row(i);
  }
  out.Line(".");
}

void Pop3Dialogue::List(std::string_view arguments, Output& out) {
  Table(arguments, out, [&out](const Message& message) { out.AddNumber(message.body->size()); });
}

void Pop3Dialogue::Uidl(std::string_view arguments, Output& out) {
  Table(arguments, out, [&](const Message& message) {
    out.AddNumber(mailbox_->validity());
    out.Add(".");
    out.AddNumber(message.uid);
  });
}

size_t Pop3Dialogue::Find(std::string_view arguments) const {
  uint64_t number = ParseNumber(TakeWord(arguments)).value_or(0);
  if (number == 0 || number > messages_->size() || deleted_[number - 1]) return messages_->size();
  return number - 1;
}

void Pop3Dialogue::WriteMultiline(const Message& message, std::string_view part, Output& out) {
  bool complete = part.empty() || part.ends_with('\n');
  if (message.has_dots) {
    out.Add(Stuff(part));
  } else {
    out.AddShared(message.body, part);
  }
  if (!complete) out.Line();
  out.Line(".");
}

void Pop3Dialogue::Retr(std::string_view arguments, Output& out) {
  size_t index = Find(arguments);
  if (index == messages_->size()) return out.Line("-ERR No such message");
  const Message& message = *(*messages_)[index];
  out.Add("+OK ");
  out.AddNumber(message.body->size());
  out.Line(" octets");
  WriteMultiline(message, *message.body, out);
}

void Pop3Dialogue::Top(std::string_view arguments, Output& out) {
  size_t index = Find(TakeWord(arguments));
  std::optional<uint64_t> lines = ParseNumber(arguments);
  if (index == messages_->size() || !lines) return out.Line("-ERR No such message");
  const Message& message = *(*messages_)[index];
  out.Line("+OK");
  WriteMultiline(message, TopOf(message, *lines), out);
}

void Pop3Dialogue::Dele(std::string_view arguments, Output& out) {
  size_t index = Find(arguments);
  if (index == messages_->size()) return out.Line("-ERR No such message");
  deleted_[index] = true;
  out.Line("+OK");
}

void Pop3Dialogue::Rset(std::string_view, Output& out) {
  deleted_.assign(deleted_.size(), false);
  out.Line("+OK");
}

}  // namespace postern::legacy
