#include "filters/policy.h"

#include "filters/text.h"

namespace postern {
namespace {

bool NeverThroughAProxy(std::string_view mechanism) {
  constexpr std::string_view kPlus = "-PLUS";
  if (EqualsIgnoreCase(mechanism, "EXTERNAL")) return true;
  return mechanism.size() >= kPlus.size() &&
         EqualsIgnoreCase(mechanism.substr(mechanism.size() - kPlus.size()), kPlus);
}

}  // namespace

Policy::Policy(std::vector<std::pair<std::string, Rule>> rules, Rule others)
    : rules_(std::move(rules)), others_(others) {}

Verdict Policy::Judge(std::string_view mechanism, Channel channel) const {
  if (NeverThroughAProxy(mechanism)) return Verdict::kNever;
  Rule rule = others_;
  for (const auto& [name, own] : rules_) {
    if (EqualsIgnoreCase(name, mechanism)) {
      rule = own;
      break;
    }
  }
  switch (rule) {
    case Rule::kAlways:
      return Verdict::kAllow;
    case Rule::kTls:
      return channel == Channel::kTls ? Verdict::kAllow : Verdict::kNeedsTls;
    case Rule::kNever:
      break;
  }
  return Verdict::kNever;
}

}  // namespace postern
