// What a client's basic log-in goes through: base64, SASL PLAIN, rewriting of the name. What comes
// out has one spelling, is clean, and is what went in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "filters/login.h"
#include "filters/sasl/apop.h"
#include "filters/text.h"

namespace {

using namespace postern;

void Require(bool condition) {
  if (!condition) std::abort();
}

FilterOptions MakeOptions() {
  FilterOptions options;
  options.users.push_back({std::regex("@[a-z.]+$"), ""});
  options.users.push_back({std::regex("^(.)(.*)$"), "$2$1$&"});
  options.spelling = UserSpelling::kDomainSlash;
  options.domain = "CORP";
  return options;
}

void CheckPlain(std::string_view message) {
  const auto login = ParsePlain(message);
  if (!login) return;
  const std::string_view password = login->password.Reveal();
  Require(!login->user.empty() && IsCleanCredential(login->user) && IsCleanCredential(password));
  Require(login->user.size() <= kMaxUser && password.size() <= kMaxPassword);
  const std::string tail = '\0' + login->user + '\0' + std::string(password);
  Require(message == tail || message == login->user + tail);
}

void CheckRewriting(std::string_view user) {
  static const FilterOptions options = MakeOptions();
  if (!CheckLogin(user, "")) return;
  const auto rewritten = RewriteUser(options, user);
  if (!rewritten) return;
  Require(!rewritten->empty() && rewritten->size() <= kMaxUser && IsCleanCredential(*rewritten));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Require(Base64Decode(Base64Encode(text)) == text);
  if (const auto decoded = Base64Decode(text)) {
    Require(Base64Encode(*decoded) == text);
    CheckPlain(*decoded);
  }
  CheckPlain(text);
  CheckRewriting(text);
  if (const auto stamp = sasl::FindStamp(text)) {
    Require(text.find(*stamp) != text.npos && stamp->front() == '<' && stamp->back() == '>');
  }
  Require(CommandName(text).size() <= 32);
  return 0;
}
