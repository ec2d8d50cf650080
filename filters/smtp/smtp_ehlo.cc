#include "filters/smtp/smtp_ehlo.h"

#include <algorithm>
#include <array>
#include <optional>

#include "filters/smtp/smtp_command.h"
#include "filters/text.h"

namespace postern::smtp {
namespace {

struct Keyword {
  std::string_view name;
  std::string_view command;  // it is shown where this one may be used; empty: adds none
};

// Keywords of the commands that pass, and those that add none (contract, section 6). AUTH, STARTTLS
// and PIPELINING have ways of their own.
constexpr std::array<Keyword, 17> kKeywords = {{
    {"SIZE", ""},
    {"8BITMIME", ""},
    {"BINARYMIME", "BDAT"},
    {"SMTPUTF8", ""},
    {"DSN", ""},
    {"ENHANCEDSTATUSCODES", ""},
    {"PIPELINING", ""},
    {"DELIVERBY", ""},
    {"FUTURERELEASE", ""},
    {"MT-PRIORITY", ""},
    {"LIMITS", ""},
    {"RRVS", ""},
    {"HELP", "HELP"},
    {"CHUNKING", "BDAT"},
    {"ETRN", "ETRN"},
    {"VRFY", "VRFY"},
    {"EXPN", "EXPN"},
}};

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& own) { return EqualsIgnoreCase(own, name); });
}

// `AUTH LOGIN` and Exchange's `AUTH=LOGIN`: the keyword, and what is behind it.
struct Line {
  std::string_view keyword;
  bool old_spelling = false;
  std::string_view parameters;
};
Line TakeApart(std::string_view text) {
  const size_t end = std::min(text.find_first_of(" ="), text.size());
  Line line;
  line.keyword = text.substr(0, end);
  if (end < text.size()) {
    line.old_spelling = text[end] == '=';
    line.parameters = text.substr(end + 1);
  }
  return line;
}

// Mechanisms or attributes of one line; a server that shows more than this many has not got them.
constexpr size_t kMaxWords = 64;

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < kMaxWords) {
    const std::string_view word = TakeWord(text);
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

void AddNew(std::vector<std::string>& names, std::string_view name) {
  if (names.size() < kMaxWords && !Contains(names, name)) names.emplace_back(name);
}

bool IsHidden(const FilterOptions& options, std::string_view keyword) {
  return Contains(options.hidden, keyword);
}

bool IsShown(const FilterOptions& options, std::string_view keyword) {
  if (IsHidden(options, keyword)) return false;
  if (EqualsIgnoreCase(keyword, "PIPELINING") && !options.pipelining) return false;
  for (const Keyword& known : kKeywords) {
    if (!EqualsIgnoreCase(known.name, keyword)) continue;
    return known.command.empty() || !IsDenied(options, known.command);
  }
  return IsAllowed(options, keyword) && !IsDenied(options, keyword);
}

bool MayUse(const EhloView& view, std::string_view mechanism) {
  return JudgeMechanism(view.options, mechanism, view.channel).verdict == Verdict::kAllow;
}

// The mechanisms of a server's line that the client may use, and those of Postern's own.
std::vector<std::string> ShownMechanisms(const std::vector<std::string>& server,
                                         const EhloView& view) {
  std::vector<std::string> shown;
  if (view.options.TakesLogins()) {
    for (const std::string_view own : {"PLAIN", "LOGIN"}) {
      if (MayUse(view, own)) shown.emplace_back(own);
    }
  }
  for (const std::string& mechanism : server) {
    if (MayUse(view, mechanism)) AddNew(shown, mechanism);
  }
  return shown;
}

// The lines of an answer while they are put together.
class Answer {
 public:
  explicit Answer(std::string_view name) { lines_.emplace_back(name); }
  void Add(std::string line) { lines_.push_back(std::move(line)); }
  // `keyword` and its separator, then the mechanisms; nothing where there are none.
  void AddMechanisms(std::string line, const std::vector<std::string>& mechanisms) {
    if (mechanisms.empty()) return;
    for (size_t i = 0; i < mechanisms.size(); ++i) line += (i == 0 ? "" : " ") + mechanisms[i];
    Add(std::move(line));
  }
  bool has_keywords() const { return lines_.size() > 1; }
  std::string Text() const {
    std::string text;
    for (size_t i = 0; i < lines_.size(); ++i) {
      text += i + 1 < lines_.size() ? "250-" : "250 ";
      text += lines_[i];
      text += "\r\n";
    }
    return text;
  }

 private:
  std::vector<std::string> lines_;
};

// What was said about AUTH, in each of its spellings.
struct AuthLines {
  std::vector<std::string> own;   // AUTH, and the union of the others
  std::vector<std::string> old;   // AUTH=
  std::vector<std::string> exps;  // X-EXPS and X-EXPS=, where it is allowed
  bool has_old = false;
};

void ReadAuth(const Line& line, AuthLines& lines) {
  for (const std::string& mechanism : Words(line.parameters)) {
    AddNew(lines.own, mechanism);
    if (line.old_spelling) AddNew(lines.old, mechanism);
  }
  if (line.old_spelling) lines.has_old = true;
}

void AddAuth(const AuthLines& lines, const EhloView& view, Answer& answer) {
  const FilterOptions& options = view.options;
  if (!IsDenied(options, "AUTH") && !IsHidden(options, "AUTH")) {
    answer.AddMechanisms("AUTH ", ShownMechanisms(lines.own, view));
    if (lines.has_old) answer.AddMechanisms("AUTH=", ShownMechanisms(lines.old, view));
  }
  std::vector<std::string> exps;
  for (const std::string& mechanism : lines.exps) {
    if (MayUse(view, mechanism)) exps.push_back(mechanism);
  }
  answer.AddMechanisms("X-EXPS ", exps);
}

Answer Rewrite(std::string_view name, const std::vector<std::string>& lines, const EhloView& view,
               bool& chunking) {
  const FilterOptions& options = view.options;
  Answer answer(name);
  AuthLines auth;
  bool binary = false;
  for (const std::string& text : lines) {
    const Line line = TakeApart(text);
    if (EqualsIgnoreCase(line.keyword, "AUTH")) {
      if (!options.connect_at_login) ReadAuth(line, auth);
    } else if (EqualsIgnoreCase(line.keyword, "X-EXPS") && IsShown(options, line.keyword)) {
      for (const std::string& mechanism : Words(line.parameters)) AddNew(auth.exps, mechanism);
    } else if (EqualsIgnoreCase(line.keyword, "BINARYMIME")) {
      binary = IsShown(options, line.keyword);
    } else if (!EqualsIgnoreCase(line.keyword, "STARTTLS") &&
               !EqualsIgnoreCase(line.keyword, "TLS") && IsShown(options, line.keyword)) {
      if (EqualsIgnoreCase(line.keyword, "CHUNKING")) chunking = true;
      answer.Add(text);
    }
  }
  // RFC 3030, 3: nothing without CHUNKING.
  if (binary && chunking) answer.Add("BINARYMIME");
  if (view.starttls) answer.Add("STARTTLS");
  AddAuth(auth, view, answer);
  return answer;
}

}  // namespace

Capabilities ReadEhlo(const std::vector<std::string>& lines) {
  Capabilities capabilities;
  for (const std::string& text : lines) {
    const Line line = TakeApart(text);
    if (EqualsIgnoreCase(line.keyword, "AUTH")) {
      for (const std::string& name : Words(line.parameters)) {
        AddNew(capabilities.mechanisms, name);
      }
    } else if (EqualsIgnoreCase(line.keyword, "CHUNKING")) {
      capabilities.chunking = true;
    } else if (EqualsIgnoreCase(line.keyword, "XCLIENT")) {
      capabilities.xclient = true;
      capabilities.xclient_attributes = Words(ToUpper(line.parameters));
    }
  }
  return capabilities;
}

bool IsTakenByPostern(const FilterOptions& options, std::string_view mechanism) {
  return options.TakesLogins() &&
         (EqualsIgnoreCase(mechanism, "PLAIN") || EqualsIgnoreCase(mechanism, "LOGIN"));
}

Judgement JudgeMechanism(const FilterOptions& options, std::string_view name, Channel channel) {
  // These would fail whatever the policy says, so observing does not let them through.
  const bool taken = IsTakenByPostern(options, name);
  constexpr std::string_view kPlus = "-PLUS";
  const bool bound = name.size() >= kPlus.size() &&
                     EqualsIgnoreCase(name.substr(name.size() - kPlus.size()), kPlus);
  if (bound || EqualsIgnoreCase(name, "EXTERNAL") || (options.connect_at_login && !taken) ||
      (!taken && Contains(options.auth_hidden, name))) {
    return {Verdict::kNever, false};
  }
  const Verdict verdict = options.policy.Judge(name, channel);
  if (verdict != Verdict::kAllow && options.observe) return {Verdict::kAllow, true};
  return {verdict, false};
}

EhloShown ShowEhlo(std::string_view name, const std::vector<std::string>& lines,
                   const EhloView& view) {
  EhloShown shown;
  shown.text = Rewrite(name, lines, view, shown.chunking).Text();
  return shown;
}

bool HasOwnToShow(const EhloView& view) {
  bool chunking = false;
  return Rewrite({}, {}, view, chunking).has_keywords();
}

}  // namespace postern::smtp
