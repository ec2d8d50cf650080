#include "bench/legacy_server/imap_fetch.h"

#include <algorithm>
#include <array>

#include "bench/legacy_server/imap_arguments.h"
#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

using Kind = FetchItem::Kind;
using Section = FetchItem::Section;

struct SimpleItem {
  std::string_view name;
  Kind kind;
  Section section = Section::kWhole;
  bool marks_seen = false;
};

constexpr std::array<SimpleItem, 10> kSimpleItems = {{
    {"FLAGS", Kind::kFlags},
    {"UID", Kind::kUid},
    {"RFC822.SIZE", Kind::kSize},
    {"INTERNALDATE", Kind::kDate},
    {"ENVELOPE", Kind::kEnvelope},
    {"BODY", Kind::kStructure},
    {"BODYSTRUCTURE", Kind::kStructure},
    {"RFC822", Kind::kSection, Section::kWhole, true},
    {"RFC822.HEADER", Kind::kSection, Section::kHeader, false},
    {"RFC822.TEXT", Kind::kSection, Section::kText, true},
}};

constexpr std::array<std::pair<std::string_view, uint32_t>, 5> kFlagNames = {{
    {"\\Seen", kSeen},
    {"\\Answered", kAnswered},
    {"\\Flagged", kFlagged},
    {"\\Deleted", kDeleted},
    {"\\Draft", kDraft},
}};

// RFC 3501, 6.4.5.
std::string_view ExpandMacro(std::string_view text) {
  if (SameWord(text, "FAST")) return "FLAGS INTERNALDATE RFC822.SIZE";
  if (SameWord(text, "ALL")) return "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE";
  if (SameWord(text, "FULL")) return "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY";
  return text;
}

// <from.count> behind a section.
bool ParsePartial(std::string_view text, FetchItem& item) {
  if (text.empty()) return true;
  if (!text.starts_with('<') || !text.ends_with('>')) return false;
  std::vector<std::string_view> numbers = Split(text.substr(1, text.size() - 2), ".");
  if (numbers.size() != 2) return false;
  std::optional<uint64_t> from = ParseNumber(numbers[0]);
  std::optional<uint64_t> count = ParseNumber(numbers[1]);
  if (!from || !count) return false;
  item.partial = true;
  item.from = *from;
  item.count = *count;
  return true;
}

bool ParseSectionName(std::string_view inside, FetchItem& item) {
  std::string_view names = inside;
  std::string word = Upper(TakeWord(names));
  if (word.empty() || word == "1") {
    item.section = word.empty() ? Section::kWhole : Section::kText;
  } else if (word == "HEADER") {
    item.section = Section::kHeader;
  } else if (word == "TEXT") {
    item.section = Section::kText;
  } else if (word == "HEADER.FIELDS" || word == "HEADER.FIELDS.NOT") {
    item.section = word.ends_with(".NOT") ? Section::kFieldsNot : Section::kFields;
    for (std::string_view name : Split(names, " ()\"")) item.fields.push_back(Upper(name));
  } else {
    return false;
  }
  return true;
}

// BODY[section]<partial> and BODY.PEEK[section]<partial>.
std::optional<FetchItem> ParseSection(std::string_view text) {
  size_t open = text.find('[');
  size_t close = text.rfind(']');
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  std::string name = Upper(text.substr(0, open));
  if (name != "BODY" && name != "BODY.PEEK") return std::nullopt;
  FetchItem item(Kind::kSection);
  item.marks_seen = name == "BODY";
  if (!ParsePartial(text.substr(close + 1), item)) return std::nullopt;
  std::string_view inside = text.substr(open + 1, close - open - 1);
  if (!ParseSectionName(inside, item)) return std::nullopt;
  item.label = "BODY[" + std::string(inside) + "]";
  if (item.partial) item.label += "<" + std::to_string(item.from) + ">";
  return item;
}

std::optional<FetchItem> ParseItem(std::string_view text) {
  for (const SimpleItem& simple : kSimpleItems) {
    if (!SameWord(text, simple.name)) continue;
    FetchItem item(simple.kind, simple.name);
    item.section = simple.section;
    item.marks_seen = simple.marks_seen;
    return item;
  }
  return ParseSection(text);
}

// The header fields that are named, or those that are not, and the empty line.
std::string SelectFields(std::string_view header, const std::vector<std::string>& names,
                         bool named) {
  std::string selected;
  bool keep = false;
  while (!header.empty()) {
    size_t end = std::min(header.find('\n'), header.size() - 1) + 1;
    std::string_view line = header.substr(0, end);
    header.remove_prefix(end);
    if (line == "\r\n") break;
    if (line[0] != ' ' && line[0] != '\t') {
      std::string name = Upper(line.substr(0, line.find(':')));
      keep = (std::find(names.begin(), names.end(), name) != names.end()) == named;
    }
    if (keep) selected += line;
  }
  return selected + "\r\n";
}

void WriteSection(const FetchItem& item, const Message& message, Output& out) {
  std::shared_ptr<const std::string> owner = message.body;
  std::string_view bytes = *owner;
  if (item.section == Section::kHeader) bytes = bytes.substr(0, message.header_size);
  if (item.section == Section::kText) bytes.remove_prefix(message.header_size);
  if (item.section == Section::kFields || item.section == Section::kFieldsNot) {
    owner = std::make_shared<const std::string>(SelectFields(
        bytes.substr(0, message.header_size), item.fields, item.section == Section::kFields));
    bytes = *owner;
  }
  if (item.partial) bytes = bytes.substr(std::min<uint64_t>(item.from, bytes.size()), item.count);
  out.Add(item.label, " {");
  out.AddNumber(bytes.size());
  out.Line("}");
  out.AddShared(std::move(owner), bytes);
}

}  // namespace

std::optional<std::vector<FetchItem>> ParseFetchItems(std::string_view text) {
  Arguments arguments(text);
  std::string_view inside = text;
  if (std::optional<std::string_view> list = arguments.List()) inside = *list;
  std::vector<FetchItem> items;
  for (Arguments words(ExpandMacro(inside)); !words.empty();) {
    std::optional<FetchItem> item = ParseItem(words.Atom());
    if (!item) return std::nullopt;
    items.push_back(std::move(*item));
  }
  if (items.empty()) return std::nullopt;
  return items;
}

void WriteFetchItem(const FetchItem& item, const Message& message, Output& out) {
  switch (item.kind) {
    case Kind::kFlags:
      out.Add("FLAGS ");
      return WriteFlags(message.flags.load(std::memory_order_relaxed), out);
    case Kind::kUid:
      out.Add("UID ");
      return out.AddNumber(message.uid);
    case Kind::kSize:
      out.Add("RFC822.SIZE ");
      return out.AddNumber(message.body->size());
    case Kind::kDate:
      return out.Add("INTERNALDATE \"", message.date, "\"");
    case Kind::kEnvelope:
      return out.Add("ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    case Kind::kStructure:
      out.Add(item.label, " (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"8BIT\" ");
      out.AddNumber(message.body->size() - message.header_size);
      out.Add(" ");
      out.AddNumber(static_cast<uint64_t>(
          std::count(message.body->begin() + static_cast<ptrdiff_t>(message.header_size),
                     message.body->end(), '\n')));
      return out.Add(")");
    case Kind::kSection:
      return WriteSection(item, message, out);
  }
}

void WriteFlags(uint32_t flags, Output& out) {
  std::string_view blank = "(";
  if (flags == 0) out.Add(blank);
  for (const auto& [name, flag] : kFlagNames) {
    if ((flags & flag) == 0) continue;
    out.Add(blank, name);
    blank = " ";
  }
  out.Add(")");
}

uint32_t ParseFlags(std::string_view text) {
  uint32_t flags = 0;
  for (std::string_view word : Split(text, " ()")) {
    for (const auto& [name, flag] : kFlagNames) {
      if (SameWord(word, name)) flags |= flag;
    }
  }
  return flags;
}

}  // namespace postern::legacy
