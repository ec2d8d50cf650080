// The answer to EHLO and LHLO (RFC 5321, 4.1.1.1): what the server showed, and what of it the
// client is shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/event.h"
#include "filters/options.h"
#include "filters/policy.h"

namespace postern::smtp {

// What an answer says about the server, as far as Postern needs to know it.
struct Capabilities {
  std::vector<std::string> mechanisms;  // of AUTH, AUTH= and nothing else; as spelled
  bool chunking = false;
  bool xclient = false;
  std::vector<std::string> xclient_attributes;  // in upper case
};
// `lines` have no code; the one with the name is not among them.
Capabilities ReadEhlo(const std::vector<std::string>& lines);

// How a log-in by a mechanism is judged.
struct Judgement {
  Verdict verdict = Verdict::kAllow;
  bool observed = false;  // allowed by `enforce: observe` alone
};
Judgement JudgeMechanism(const FilterOptions& options, std::string_view name, Channel channel);
// PLAIN and LOGIN, the ones that Postern can take itself.
bool IsTakenByPostern(const FilterOptions& options, std::string_view mechanism);

struct EhloView {
  const FilterOptions& options;
  Channel channel = Channel::kClear;
  bool starttls = false;  // to be offered
};
struct EhloShown {
  std::string text;       // whole lines
  bool chunking = false;  // BDAT may be used
};
// The whole answer. `name` is the text of its first line.
EhloShown ShowEhlo(std::string_view name, const std::vector<std::string>& lines,
                   const EhloView& view);
// True where an answer without any line of the server would still offer something.
bool HasOwnToShow(const EhloView& view);

}  // namespace postern::smtp
