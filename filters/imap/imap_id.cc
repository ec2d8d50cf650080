#include "filters/imap/imap_id.h"

#include <algorithm>
#include <array>

#include "filters/imap/imap_line.h"
#include "filters/imap/imap_syntax.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

constexpr std::array<std::string_view, 5> kForbidden = {"x-originating-", "x-connected-",
                                                        "x-forward-", "x-session-", "x-proxy-ttl"};

bool IsForbidden(std::string_view field) {
  return std::any_of(kForbidden.begin(), kForbidden.end(), [field](std::string_view prefix) {
    return StartsWithIgnoreCase(field, prefix);
  });
}

// Bytes of a field's name that every server takes (RFC 2971, 3.3); a value may have more.
constexpr size_t kSureSize = 30;

struct Field {
  std::string name;
  std::string_view raw_name;
  std::string_view raw_value;
};

// Calls function(Field) for each pair; false where this is no list of pairs.
template <typename Function>
bool ForEachField(std::string_view arguments, Function function) {
  ArgumentReader reader(arguments);
  if (reader.Nil()) return reader.empty();
  if (!reader.Take('(')) return false;
  if (reader.Take(')')) return reader.empty();
  std::string value;
  while (true) {
    Field field;
    if (!reader.String(field.name, &field.raw_name) || !reader.Take(' ')) return false;
    const std::string_view before = reader.rest();
    if (!reader.Nil() && !reader.String(value)) return false;
    field.raw_value = before.substr(0, before.size() - reader.rest().size());
    function(field);
    const bool blank = reader.Take(' ');
    if (reader.Take(')')) return reader.empty();  // a blank before it is seen in the wild
    if (!blank) return false;
  }
}

// One string as it was written, but a literal's head in the form that the server takes.
void AppendRaw(std::string_view raw, Outgoing& out) {
  const size_t feed = raw.find('\n');
  if (raw.empty() || (raw.front() != '{' && raw.front() != '~') || feed == raw.npos) {
    out.Append(raw);
    return;
  }
  // A server that finds it too long (RFC 2971, 3.3), or odd, might take what is behind `{n+}` for
  // commands.
  const std::string_view text = raw.substr(feed + 1);
  const bool binary = raw.front() == '~';
  out.AppendLiteral(text, binary, binary || text.size() > kSureSize || !IsQuotable(text));
}

void AppendPair(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ' ';
  AppendQuoted(out, name);
  out += ' ';
  AppendQuoted(out, value);
}

void AppendPeer(std::string& out, std::string_view kind, std::string_view address, uint16_t port) {
  if (address.empty() || !IsQuotable(address)) return;
  AppendPair(out, std::string(kind) + "-ip", address);
  AppendPair(out, std::string(kind) + "-port", std::to_string(port));
}

}  // namespace

IdVerdict JudgeId(std::string_view arguments) {
  bool stripped = false;
  const bool whole = ForEachField(
      arguments, [&](const Field& field) { stripped = stripped || IsForbidden(field.name); });
  if (!whole || arguments.find('\0') != arguments.npos) return IdVerdict::kMalformed;
  return stripped ? IdVerdict::kStripped : IdVerdict::kClean;
}

void AppendCleanId(std::string_view arguments, Outgoing& out) {
  bool first = true;
  ForEachField(arguments, [&](const Field& field) {
    if (IsForbidden(field.name)) return;
    out.Append(first ? "(" : " ");
    first = false;
    AppendRaw(field.raw_name, out);
    out.Append(" ");
    AppendRaw(field.raw_value, out);
  });
  out.Append(first ? "NIL" : ")");
}

std::string OwnId(std::string_view tag, const SessionInfo& info) {
  std::string fields;
  AppendPeer(fields, "x-originating", info.client_address, info.client_port);
  AppendPeer(fields, "x-connected", info.local_address, info.local_port);
  if (!info.id.empty() && IsQuotable(info.id)) AppendPair(fields, "x-session-id", info.id);
  const std::string list = fields.empty() ? "NIL" : "(" + fields + ")";
  return std::string(tag) + " ID " + list + "\r\n";
}

}  // namespace postern::imap
