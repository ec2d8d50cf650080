// IMAP commands on the messages of a folder.
#include <algorithm>

#include "bench/legacy_server/imap.h"
#include "bench/legacy_server/imap_fetch.h"
#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

// RFC 3501, 2.3.1.1: numbers, ranges and * between commas.
struct Range {
  uint64_t first;
  uint64_t last;
};

std::optional<uint64_t> ParseSetNumber(std::string_view text, uint64_t largest) {
  if (text == "*") return largest;
  return ParseNumber(text);
}

std::vector<Range> ParseSet(std::string_view set, uint64_t largest) {
  std::vector<Range> ranges;
  for (std::string_view part : Split(set, ",")) {
    size_t colon = std::min(part.find(':'), part.size());
    std::optional<uint64_t> first = ParseSetNumber(part.substr(0, colon), largest);
    std::optional<uint64_t> last = first;
    if (colon < part.size()) last = ParseSetNumber(part.substr(colon + 1), largest);
    if (!first || !last) return {};
    ranges.push_back({std::min(*first, *last), std::max(*first, *last)});
  }
  return ranges;
}

bool Contains(const std::vector<Range>& ranges, uint64_t number) {
  return std::any_of(ranges.begin(), ranges.end(), [number](const Range& range) {
    return range.first <= number && number <= range.last;
  });
}

bool Wanted(std::string_view key, const Message& message) {
  uint32_t flags = message.flags.load(std::memory_order_relaxed);
  if (SameWord(key, "SEEN")) return (flags & kSeen) != 0;
  if (SameWord(key, "UNSEEN")) return (flags & kSeen) == 0;
  if (SameWord(key, "DELETED")) return (flags & kDeleted) != 0;
  if (SameWord(key, "UNDELETED")) return (flags & kDeleted) == 0;
  if (SameWord(key, "FLAGGED")) return (flags & kFlagged) != 0;
  if (SameWord(key, "ANSWERED")) return (flags & kAnswered) != 0;
  return !SameWord(key, "RECENT") && !SameWord(key, "NEW");
}

uint32_t ApplyFlags(std::string_view how, uint32_t old, uint32_t given) {
  if (how.starts_with('+')) return old | given;
  if (how.starts_with('-')) return old & ~given;
  return given;
}

}  // namespace

std::vector<size_t> ImapDialogue::Resolve(std::string_view set, bool by_uid) const {
  std::vector<size_t> indexes;
  if (list_->empty()) return indexes;
  uint64_t largest = by_uid ? list_->back()->uid : list_->size();
  std::vector<Range> ranges = ParseSet(set, largest);
  for (size_t i = 0; i < list_->size(); ++i) {
    if (Contains(ranges, by_uid ? (*list_)[i]->uid : i + 1)) indexes.push_back(i);
  }
  return indexes;
}

void ImapDialogue::Uid(std::string_view tag, Arguments& arguments, Output& out) {
  std::string verb = Upper(arguments.Atom());
  by_uid_ = true;
  Dispatch(tag, verb, arguments, out);
}

void ImapDialogue::Fetch(std::string_view tag, Arguments& arguments, Output& out) {
  std::string_view set = arguments.Atom();
  std::optional<std::vector<FetchItem>> items = ParseFetchItems(arguments.rest());
  if (!items) return Bad(tag, out);
  bool has_uid = std::any_of(items->begin(), items->end(), [](const FetchItem& item) {
    return item.kind == FetchItem::Kind::kUid;
  });
  if (by_uid_ && !has_uid) {
    items->insert(items->begin(), FetchItem(FetchItem::Kind::kUid));
  }
  for (size_t index : Resolve(set, by_uid_)) {
    Message& message = *(*list_)[index];
    out.Add("* ");
    out.AddNumber(index + 1);
    std::string_view blank = " FETCH (";
    for (const FetchItem& item : *items) {
      if (item.marks_seen && writable_) message.flags |= kSeen;
      out.Add(blank);
      WriteFetchItem(item, message, out);
      blank = " ";
    }
    out.Line(")");
  }
  Ok(tag, "FETCH completed.", out);
}

void ImapDialogue::Store_(std::string_view tag, Arguments& arguments, Output& out) {
  std::string_view set = arguments.Atom();
  std::string how = Upper(arguments.Atom());
  if (how.find("FLAGS") == std::string::npos) return Bad(tag, out);
  if (!writable_) return out.Line(tag, " NO Folder is read-only.");
  uint32_t given = ParseFlags(arguments.rest());
  bool silent = how.ends_with(".SILENT");
  for (size_t index : Resolve(set, by_uid_)) {
    Message& message = *(*list_)[index];
    message.flags = ApplyFlags(how, message.flags, given);
    if (silent) continue;
    out.Add("* ");
    out.AddNumber(index + 1);
    out.Add(" FETCH (FLAGS ");
    WriteFlags(message.flags, out);
    if (by_uid_) {
      out.Add(" UID ");
      out.AddNumber(message.uid);
    }
    out.Line(")");
  }
  Ok(tag, "STORE completed.", out);
}

void ImapDialogue::Search(std::string_view tag, Arguments& arguments, Output& out) {
  std::vector<std::string_view> keys = Split(arguments.rest(), " ");
  if (keys.size() >= 2 && SameWord(keys[0], "CHARSET")) keys.erase(keys.begin(), keys.begin() + 2);
  std::string set = "1:*";
  bool uid_set = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (SameWord(keys[i], "UID") && i + 1 < keys.size()) {
      uid_set = true;
      set = keys[++i];
    } else if (ParseSet(keys[i], 1).size() > 0) {
      set = keys[i];
    }
  }
  out.Add("* SEARCH");
  for (size_t index : Resolve(set, uid_set)) {
    const Message& message = *(*list_)[index];
    bool wanted = std::all_of(keys.begin(), keys.end(),
                              [&](std::string_view key) { return Wanted(key, message); });
    if (!wanted) continue;
    out.Add(" ");
    out.AddNumber(by_uid_ ? message.uid : index + 1);
  }
  out.Line();
  Ok(tag, "SEARCH completed.", out);
}

void ImapDialogue::Copy(std::string_view tag, Arguments& arguments, Output& out) {
  std::string_view set = arguments.Atom();
  std::optional<std::string> folder = arguments.String();
  if (!folder) return Bad(tag, out);
  std::shared_ptr<Mailbox> target = store_.Open(user_, *folder);
  if (!target) return out.Line(tag, " NO [TRYCREATE] No such folder.");
  for (size_t index : Resolve(set, by_uid_)) {
    const Message& message = *(*list_)[index];
    if (!target->Append(message.body, message.flags, message.date)) {
      return out.Line(tag, " NO [OVERQUOTA] The store is full.");
    }
  }
  Ok(tag, "COPY completed.", out);
}

void ImapDialogue::Append(std::string_view tag, Arguments& arguments, Output& out) {
  std::optional<std::string> folder = arguments.String();
  std::optional<std::string_view> flags = arguments.List();
  std::string date = Now();
  if (arguments.rest().starts_with('"')) date = arguments.String().value_or(date);
  bool with_literal = FindLiteral(arguments.rest()).has_value();
  auto body = std::make_shared<const std::string>(std::move(body_));
  body_ = {};
  if (!folder || !with_literal) return Bad(tag, out);
  std::shared_ptr<Mailbox> mailbox = store_.Open(user_, *folder);
  if (!mailbox) return out.Line(tag, " NO [TRYCREATE] No such folder.");
  if (options_.discard) return Ok(tag, "APPEND completed.", out);
  uint32_t given = flags ? ParseFlags(*flags) : 0;
  std::optional<uint32_t> uid = mailbox->Append(std::move(body), given, std::move(date));
  if (!uid) return out.Line(tag, " NO [OVERQUOTA] The store is full.");
  Refresh(out);
  out.Add(tag, " OK [APPENDUID ");
  out.AddNumber(mailbox->validity());
  out.Add(" ");
  out.AddNumber(*uid);
  out.Line("] APPEND completed.");
}

std::vector<uint32_t> ImapDialogue::DeletedUids() const {
  std::vector<uint32_t> uids;
  for (const auto& message : *list_) {
    if ((message->flags & kDeleted) != 0) uids.push_back(message->uid);
  }
  return uids;
}

void ImapDialogue::Expunge(std::string_view tag, Arguments&, Output& out) {
  if (!writable_) return out.Line(tag, " NO Folder is read-only.");
  mailbox_->Remove(DeletedUids());
  Refresh(out);
  Ok(tag, "EXPUNGE completed.", out);
}

void ImapDialogue::Close(std::string_view tag, Arguments&, Output& out) {
  if (writable_) mailbox_->Remove(DeletedUids());
  phase_ = Phase::kLoggedIn;
  list_.reset();
  mailbox_.reset();
  Ok(tag, "CLOSE completed.", out);
}

}  // namespace postern::legacy
