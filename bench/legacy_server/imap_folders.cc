// IMAP commands on folders.
#include <algorithm>

#include "bench/legacy_server/imap.h"
#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

constexpr std::string_view kFlags = "(\\Answered \\Flagged \\Deleted \\Seen \\Draft)";

// RFC 3501, 6.3.8: * matches anything, % anything but the hierarchy's separator.
bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*' && pattern[0] != '%') {
    return !name.empty() && SameWord(pattern.substr(0, 1), name.substr(0, 1)) &&
           Matches(pattern.substr(1), name.substr(1));
  }
  for (size_t taken = 0; taken <= name.size(); ++taken) {
    if (Matches(pattern.substr(1), name.substr(taken))) return true;
    if (pattern[0] == '%' && taken < name.size() && name[taken] == '/') return false;
  }
  return false;
}

// So that matching takes no exponential time: a run of wildcards is one, and few are allowed.
std::string Simplify(std::string_view pattern) {
  constexpr int kMaxWildcards = 4;
  std::string result;
  int wildcards = 0;
  for (char c : pattern) {
    bool wildcard = c == '*' || c == '%';
    if (wildcard && !result.empty() && (result.back() == '*' || result.back() == '%')) continue;
    if (wildcard && ++wildcards > kMaxWildcards) break;
    result += c;
  }
  return result;
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

size_t Count(const MessageList& list, uint32_t flag, bool set) {
  return static_cast<size_t>(std::count_if(list.begin(), list.end(), [&](const auto& message) {
    return ((message->flags.load(std::memory_order_relaxed) & flag) != 0) == set;
  }));
}

}  // namespace

void ImapDialogue::Namespace(std::string_view tag, Arguments&, Output& out) {
  out.Line("* NAMESPACE ((\"\" \"/\")) NIL NIL");
  Ok(tag, "NAMESPACE completed.", out);
}

void ImapDialogue::List(std::string_view tag, Arguments& arguments, Output& out) {
  ListFolders("LIST", tag, arguments, out);
}

void ImapDialogue::Lsub(std::string_view tag, Arguments& arguments, Output& out) {
  ListFolders("LSUB", tag, arguments, out);
}

void ImapDialogue::ListFolders(std::string_view word, std::string_view tag, Arguments& arguments,
                               Output& out) {
  std::optional<std::string> reference = arguments.String();
  std::optional<std::string> pattern = arguments.String();
  if (!reference || !pattern) return Bad(tag, out);
  if (pattern->empty()) out.Line("* ", word, " (\\Noselect) \"/\" \"\"");
  std::string whole = Simplify(*reference + *pattern);
  for (const std::string& folder : store_.Folders(user_)) {
    if (!pattern->empty() && Matches(whole, folder)) {
      out.Line("* ", word, " () \"/\" ", Quote(folder));
    }
  }
  out.Line(tag, " OK ", word, " completed.");
}

void ImapDialogue::Create(std::string_view tag, Arguments& arguments, Output& out) {
  std::optional<std::string> folder = arguments.String();
  if (!folder) return Bad(tag, out);
  if (!store_.Create(user_, *folder)) return out.Line(tag, " NO CREATE failed.");
  Ok(tag, "CREATE completed.", out);
}

void ImapDialogue::Delete(std::string_view tag, Arguments& arguments, Output& out) {
  std::optional<std::string> folder = arguments.String();
  if (!folder) return Bad(tag, out);
  if (!store_.Delete(user_, *folder)) return out.Line(tag, " NO DELETE failed.");
  Ok(tag, "DELETE completed.", out);
}

void ImapDialogue::Subscribe(std::string_view tag, Arguments&, Output& out) {
  Ok(tag, "SUBSCRIBE completed.", out);
}

void ImapDialogue::Select(std::string_view tag, Arguments& arguments, Output& out) {
  OpenFolder(tag, true, arguments, out);
}

void ImapDialogue::Examine(std::string_view tag, Arguments& arguments, Output& out) {
  OpenFolder(tag, false, arguments, out);
}

void ImapDialogue::OpenFolder(std::string_view tag, bool writable, Arguments& arguments,
                              Output& out) {
  std::optional<std::string> folder = arguments.String();
  if (!folder) return Bad(tag, out);
  phase_ = Phase::kLoggedIn;
  mailbox_ = store_.Open(user_, *folder);
  if (!mailbox_) return out.Line(tag, " NO No such folder.");
  phase_ = Phase::kSelected;
  writable_ = writable;
  list_ = mailbox_->list();
  out.Add("* ");
  out.AddNumber(list_->size());
  out.Line(" EXISTS");
  out.Line("* 0 RECENT");
  out.Line("* FLAGS ", kFlags);
  out.Line("* OK [PERMANENTFLAGS ", kFlags, "] Permanent flags.");
  out.Add("* OK [UIDVALIDITY ");
  out.AddNumber(mailbox_->validity());
  out.Line("] UIDVALIDITY value.");
  out.Add("* OK [UIDNEXT ");
  out.AddNumber(mailbox_->next_uid());
  out.Line("] Predicted next UID.");
  if (writable) return Ok(tag, "[READ-WRITE] SELECT completed.", out);
  Ok(tag, "[READ-ONLY] EXAMINE completed.", out);
}

void ImapDialogue::Status(std::string_view tag, Arguments& arguments, Output& out) {
  std::optional<std::string> folder = arguments.String();
  std::optional<std::string_view> items = arguments.List();
  if (!folder || !items) return Bad(tag, out);
  std::shared_ptr<Mailbox> mailbox = store_.Open(user_, *folder);
  if (!mailbox) return out.Line(tag, " NO No such folder.");
  std::shared_ptr<const MessageList> list = mailbox->list();
  out.Add("* STATUS ", Quote(*folder), " (");
  std::string_view blank = "";
  for (std::string_view item : Split(*items, " ")) {
    std::string word = Upper(item);
    out.Add(blank, word, " ");
    blank = " ";
    if (word == "MESSAGES") {
      out.AddNumber(list->size());
    } else if (word == "UIDNEXT") {
      out.AddNumber(mailbox->next_uid());
    } else if (word == "UIDVALIDITY") {
      out.AddNumber(mailbox->validity());
    } else if (word == "UNSEEN") {
      out.AddNumber(Count(*list, kSeen, false));
    } else {
      out.AddNumber(0);
    }
  }
  out.Line(")");
  Ok(tag, "STATUS completed.", out);
}

void ImapDialogue::Refresh(Output& out) {
  if (phase_ != Phase::kSelected) return;
  std::shared_ptr<const MessageList> now = mailbox_->list();
  if (now == list_) return;
  size_t kept = 0;  // messages of the old list that the new one has too, in the same order
  for (const auto& message : *list_) {
    if (kept < now->size() && (*now)[kept] == message) {
      ++kept;
      continue;
    }
    out.Add("* ");
    out.AddNumber(kept + 1);
    out.Line(" EXPUNGE");
  }
  if (now->size() > kept) {
    out.Add("* ");
    out.AddNumber(now->size());
    out.Line(" EXISTS");
  }
  list_ = std::move(now);
}

}  // namespace postern::legacy
