#include "filters/sasl/apop.h"

#include <openssl/digest.h>

#include <algorithm>

#include "filters/sasl/digest.h"

namespace postern::sasl {
namespace {

// A POP3 greeting has at most 512 bytes (RFC 1939, section 3).
constexpr size_t kMaxStamp = 512;

// What stands between the angle brackets: printable, one `@`, something on both sides of it.
bool IsMessageId(std::string_view id) {
  const size_t at = id.find('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == id.size()) return false;
  return id.find('@', at + 1) == std::string_view::npos &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '<' && c != '>'; });
}

}  // namespace

std::optional<std::string_view> FindStamp(std::string_view greeting) {
  // A '<' between one and its '>' begins anew, so that each byte is looked at once.
  size_t begin = std::string_view::npos;
  for (size_t i = 0; i < greeting.size(); ++i) {
    if (greeting[i] == '<') begin = i;
    if (greeting[i] != '>' || begin == std::string_view::npos) continue;
    const std::string_view stamp = greeting.substr(begin, i + 1 - begin);
    if (stamp.size() <= kMaxStamp && IsMessageId(stamp.substr(1, stamp.size() - 2))) return stamp;
    begin = std::string_view::npos;
  }
  return std::nullopt;
}

std::string ApopDigest(std::string_view stamp, const Secret& password) {
  return std::string(Hex(Digest(EVP_md5(), {stamp, password.Reveal()}).Reveal()).Reveal());
}

}  // namespace postern::sasl
