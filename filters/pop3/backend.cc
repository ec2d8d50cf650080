#include "filters/pop3/backend.h"

#include <algorithm>

#include "filters/sasl/apop.h"
#include "filters/text.h"

namespace postern::pop3 {

void Backend::LearnGreeting(std::string_view line) {
  if (const auto stamp = sasl::FindStamp(line)) stamp_ = std::string(*stamp);
}

void Backend::BeginCapabilities(bool ok) {
  asked_for_capabilities_ = true;
  has_user_ = !ok;
}

void Backend::LearnCapability(std::string_view line) {
  const std::string_view name = TakeWord(line);
  if (EqualsIgnoreCase(name, "USER")) has_user_ = true;
  if (!EqualsIgnoreCase(name, "SASL")) return;
  while (!line.empty()) LearnMechanism(TakeWord(line));
}

void Backend::LearnMechanism(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(' '));
  const bool known =
      std::any_of(mechanisms_.begin(), mechanisms_.end(),
                  [name](const std::string& other) { return EqualsIgnoreCase(other, name); });
  if (known || name.empty() || mechanisms_.size() == kMaxMechanisms) return;
  mechanisms_.emplace_back(name);
}

}  // namespace postern::pop3
