#include "filters/login.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "filters/text.h"

namespace postern {
namespace {

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& other) { return EqualsIgnoreCase(other, name); });
}

// The first rule whose expression is found decides. nullopt where the expression gave up.
std::optional<std::string> ApplyRules(const std::vector<UserRule>& rules, std::string_view user) {
  const char* const begin = user.data();
  const char* const end = begin + user.size();
  // std::regex knows how to refuse only by throwing (too complex, out of stack).
  try {
    for (const UserRule& rule : rules) {
      std::cmatch found;
      if (!std::regex_search(begin, end, found, rule.match)) continue;
      std::string name(found.prefix().first, found.prefix().second);
      name += found.format(rule.replace);
      name.append(found.suffix().first, found.suffix().second);
      return name;
    }
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
  return std::string(user);
}

// `user/alias` names a mailbox and no domain (Exchange 5.5: domain/user/alias), `domain/user` does.
bool HasDomain(UserSpelling spelling, std::string_view domain, std::string_view user) {
  if (user.find_first_of("\\@") != std::string_view::npos) return true;
  const size_t slash = user.find('/');
  if (slash == std::string_view::npos) return false;
  if (spelling == UserSpelling::kDomainBackslash) return true;
  return EqualsIgnoreCase(user.substr(0, slash), domain) ||
         user.find('/', slash + 1) != std::string_view::npos;
}

std::string Spell(const FilterOptions& options, std::string user) {
  if (options.spelling == UserSpelling::kAsGiven || options.domain.empty() || user.empty() ||
      HasDomain(options.spelling, options.domain, user)) {
    return user;
  }
  const char separator = options.spelling == UserSpelling::kDomainBackslash ? '\\' : '/';
  return options.domain + separator + user;
}

bool IsTaken(std::string_view user, std::string_view password) {
  return !user.empty() && user.size() <= kMaxUser && password.size() <= kMaxPassword &&
         IsCleanCredential(user) && IsCleanCredential(password);
}

// What one backend can do, as far as its profile lets it be used.
class Offer {
 public:
  Offer(const FilterOptions& options, const std::vector<std::string>& shown, bool stamp, bool basic)
      : options_(options), shown_(shown), stamp_(stamp), basic_(basic) {}

  bool Has(Mechanism mechanism) const {
    const std::string_view name = ToString(mechanism);
    if (Contains(options_.auth_hidden, name)) return false;
    if (mechanism == Mechanism::kBasic) return basic_;
    if (mechanism == Mechanism::kApop) return stamp_;
    return Contains(shown_, name);
  }

  std::optional<Mechanism> First(std::initializer_list<Mechanism> wanted) const {
    for (const Mechanism mechanism : wanted) {
      if (Has(mechanism)) return mechanism;
    }
    return std::nullopt;
  }

 private:
  const FilterOptions& options_;
  const std::vector<std::string>& shown_;
  bool stamp_;
  bool basic_;
};

}  // namespace

bool IsCleanCredential(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::optional<Login> ParsePlain(std::string_view message) {
  const size_t first = message.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view authorization = message.substr(0, first);
  const std::string_view user = message.substr(first + 1, second - first - 1);
  if (!authorization.empty() && authorization != user) return std::nullopt;
  return CheckLogin(user, message.substr(second + 1));
}

std::optional<Login> CheckLogin(std::string_view user, std::string_view password) {
  if (!IsTaken(user, password)) return std::nullopt;
  return Login{std::string(user), Secret(password)};
}

std::optional<std::string> RewriteUser(const FilterOptions& options, std::string_view user) {
  std::optional<std::string> rewritten = ApplyRules(options.users, user);
  if (!rewritten) return std::nullopt;
  std::string name = Spell(options, std::move(*rewritten));
  if (!IsTaken(name, {})) return std::nullopt;
  return name;
}

std::optional<Mechanism> ChooseMechanism(const FilterOptions& options, Mechanism from,
                                         const std::vector<std::string>& shown, bool stamp,
                                         bool basic) {
  using enum Mechanism;
  const Offer offer(options, shown, stamp, basic);
  switch (options.to_backend) {
    case ToBackend::kSame:
      // The four basic ones are equally strong: where the backend lacks the client's another does.
      return offer.First({from, kBasic, kPlain, kLogin});
    case ToBackend::kAuto:
      return offer.First(
          {kScramSha256, kScramSha1, kNtlm, kCramMd5, kApop, kBasic, kPlain, kLogin});
    case ToBackend::kBasic:
      return offer.First({kBasic});
    case ToBackend::kPlain:
      return offer.First({kPlain});
    case ToBackend::kLogin:
      return offer.First({kLogin});
    case ToBackend::kApop:
      return offer.First({kApop});
    case ToBackend::kCramMd5:
      return offer.First({kCramMd5});
    case ToBackend::kNtlm:
      return offer.First({kNtlm});
    case ToBackend::kScramSha1:
      return offer.First({kScramSha1});
    case ToBackend::kScramSha256:
      return offer.First({kScramSha256});
  }
  return std::nullopt;
}

std::array<uint8_t, 32> LoginSeed(const SessionInfo& info, uint32_t n) {
  const std::array<uint8_t, 4> message = {static_cast<uint8_t>(n >> 24),
                                          static_cast<uint8_t>(n >> 16),
                                          static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
  std::array<uint8_t, 32> seed{};
  unsigned size = 0;
  HMAC(EVP_sha256(), info.seed.data(), info.seed.size(), message.data(), message.size(),
       seed.data(), &size);
  return seed;
}

}  // namespace postern
