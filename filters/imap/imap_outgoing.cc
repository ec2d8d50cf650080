#include "filters/imap/imap_outgoing.h"

#include "filters/imap/imap_syntax.h"

namespace postern::imap {

void Outgoing::AppendString(std::string_view text) {
  if (IsQuotable(text)) {
    AppendQuoted(bytes_, text);
  } else {
    AppendLiteral(text, false);
  }
}

void Outgoing::AppendLiteral(std::string_view text, bool binary, bool ask) {
  const bool waits = ask || !server_.TakesPlus(text.size());
  if (binary) bytes_ += '~';
  bytes_ += '{';
  bytes_ += std::to_string(text.size());
  bytes_ += waits ? "}\r\n" : "+}\r\n";
  if (waits) cuts_.push_back(bytes_.size());
  bytes_ += text;
}

std::string_view Outgoing::Next() {
  const size_t end = next_cut_ < cuts_.size() ? cuts_[next_cut_++] : bytes_.size();
  const std::string_view part = std::string_view(bytes_).substr(sent_, end - sent_);
  sent_ = end;
  return part;
}

}  // namespace postern::imap
