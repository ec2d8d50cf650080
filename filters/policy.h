// Who may log in how: one immutable table per listener, worked out once from the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters/event.h"

namespace postern {

enum class Rule : uint8_t { kNever, kTls, kAlways };

enum class Verdict : uint8_t {
  kAllow,
  kNeedsTls,  // refused here, allowed inside TLS
  kNever,
};

class Policy {
 public:
  // `rules` are resolved by the caller: an entry stands for exactly its own name (BASIC stands for
  // IMAP LOGIN and POP3 USER/PASS alone; PLAIN and LOGIN have entries of their own), `others` for
  // every name not there.
  Policy(std::vector<std::pair<std::string, Rule>> rules, Rule others);
  Policy() : Policy({}, Rule::kTls) {}

  // `mechanism` in any case. Names ending in -PLUS and EXTERNAL are never allowed, whatever the
  // table says: channel binding cannot pass a proxy that ends TLS, and EXTERNAL would vouch for
  // Postern.
  Verdict Judge(std::string_view mechanism, Channel channel) const;

 private:
  std::vector<std::pair<std::string, Rule>> rules_;
  Rule others_;
};

}  // namespace postern
