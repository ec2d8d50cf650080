#include "filters/smtp/smtp_reply.h"

#include <cstring>

namespace postern::smtp {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool Holds(std::string_view text, char byte) {
  return !text.empty() && std::memchr(text.data(), byte, text.size()) != nullptr;
}

}  // namespace

std::optional<ReplyLine> ParseReplyLine(std::string_view line) {
  if (line.size() < 3 || line[0] < '2' || line[0] > '5') return std::nullopt;
  if (!IsDigit(line[1]) || !IsDigit(line[2])) return std::nullopt;
  ReplyLine reply;
  reply.line = line;
  reply.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (line.size() == 3) return reply;
  if (line[3] != ' ' && line[3] != '-') return std::nullopt;
  reply.last = line[3] == ' ';
  reply.text = line.substr(4);
  // A reader that ends lines at a lone CR would see a second reply here.
  if (Holds(reply.text, '\r') || Holds(reply.text, '\0')) return std::nullopt;
  return reply;
}

}  // namespace postern::smtp
