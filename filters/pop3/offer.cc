#include "filters/pop3/offer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "filters/text.h"

namespace postern::pop3 {
namespace {

constexpr std::string_view kEnd = ".\r\n";

bool Contains(const std::vector<std::string>& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(),
                     [word](const std::string& other) { return EqualsIgnoreCase(other, word); });
}

void AppendLine(std::string& out, std::string_view line) { out.append(line).append("\r\n"); }

// Extensions of other protocols that servers may show; they stand for commands which Postern
// refuses.
constexpr std::array<std::string_view, 5> kForeign = {"X-EXPS", "XEXCH50", "X-LINK2STATE", "XAUTH",
                                                      "XCLIENT"};

bool IsForeign(std::string_view capability) {
  return std::any_of(kForeign.begin(), kForeign.end(), [capability](std::string_view name) {
    return EqualsIgnoreCase(name, capability);
  });
}

// In other lines a client might see other words than are judged here.
bool IsPlain(std::string_view line) {
  return !line.empty() && line.front() != ' ' && std::none_of(line.begin(), line.end(), [](char c) {
    return static_cast<uint8_t>(c) < ' ' || c == 0x7f;
  });
}

// Whether no proxy that ends TLS could carry it, whatever the table and `enforce` say.
bool IsImpossible(std::string_view mechanism) {
  return Policy({}, Rule::kAlways).Judge(mechanism, Channel::kTls) == Verdict::kNever;
}

}  // namespace

Verdict Offer::Judge(std::string_view mechanism, bool* observed) const {
  const Verdict verdict = options_.policy.Judge(mechanism, channel_);
  if (verdict == Verdict::kAllow || !options_.observe || IsImpossible(mechanism)) return verdict;
  if (observed != nullptr) *observed = true;
  return Verdict::kAllow;
}

std::string Offer::EditGreeting(std::string_view text) const {
  std::string greeting(text);
  // Where TLS would allow APOP the stamp stays: it is as good behind STLS.
  const bool never = options_.policy.Judge("APOP", Channel::kTls) == Verdict::kNever;
  if (!never || options_.observe) return greeting;
  for (size_t open = 0; (open = greeting.find('<', open)) != std::string::npos;) {
    const size_t close = greeting.find('>', open);
    if (close == std::string::npos) break;
    const size_t at = greeting.find('@', open);
    if (at > close) {
      open = close;
      continue;
    }
    const bool blank = open > 0 && greeting[open - 1] == ' ';
    greeting.erase(blank ? open - 1 : open, close + 1 - open + (blank ? 1 : 0));
    open = 0;
  }
  return greeting;
}

bool Offer::IsDenied(std::string_view command) const {
  return Contains(options_.deny, command) && !Contains(options_.allow, command);
}

bool Offer::IsHidden(std::string_view capability) const {
  if (Contains(options_.hidden, capability) || IsDenied(capability)) return true;
  if (EqualsIgnoreCase(capability, "STLS")) return true;  // Postern's own comes at the end
  if (IsForeign(capability)) return !Contains(options_.allow, capability);
  if (EqualsIgnoreCase(capability, "PIPELINING")) return !options_.pipelining;
  if (EqualsIgnoreCase(capability, "UTF8") || EqualsIgnoreCase(capability, "LANG")) {
    return HoldsBack() || options_.connect_at_login;
  }
  return false;
}

bool Offer::IsMechanismHidden(std::string_view mechanism) const {
  return Contains(options_.hidden, mechanism) ||
         Contains(options_.hidden, "AUTH=" + std::string(mechanism)) ||
         Contains(options_.auth_hidden, mechanism);
}

std::string Offer::FilterMechanisms(std::string_view list) const {
  std::string shown;
  while (!list.empty()) {
    const std::string_view name = TakeWord(list);
    if (name.empty() || Takes(name) || !Allows(name) || IsMechanismHidden(name)) continue;
    if (options_.connect_at_login) continue;
    shown.append(" ").append(name);
  }
  return shown;
}

bool Offer::Takes(std::string_view mechanism) const {
  return options_.TakesLogins() && IsBasic(mechanism);
}

std::string Offer::OwnSasl() const {
  std::string shown;
  if (!options_.TakesLogins() || IsDenied("AUTH")) return shown;
  for (const std::string_view name : {"PLAIN", "LOGIN"}) {
    if (Allows(name)) shown.append(" ").append(name);
  }
  return shown;
}

void Offer::EditCapability(std::string_view line, std::string& out) {
  std::string_view arguments = line;
  const std::string_view name = TakeWord(arguments);
  if (!IsPlain(line) || IsHidden(name)) return;
  if (EqualsIgnoreCase(name, "USER")) {
    if (!Allows("BASIC") || IsDenied("PASS") || shown_.user) return;
    shown_.user = true;
    return AppendLine(out, line);
  }
  if (!EqualsIgnoreCase(name, "SASL")) return AppendLine(out, line);
  if (IsDenied("AUTH")) return;
  const std::string mechanisms = (shown_.sasl ? "" : OwnSasl()) + FilterMechanisms(arguments);
  shown_.sasl = true;
  if (!mechanisms.empty()) AppendLine(out, "SASL" + mechanisms);
}

void Offer::EndCapabilities(std::string& out) {
  if (options_.TakesLogins()) {
    if (!shown_.user) EditCapability("USER", out);
    if (!shown_.sasl) EditCapability("SASL", out);
  }
  if (ShowsStls()) AppendLine(out, "STLS");
  out.append(kEnd);
}

void Offer::EditMechanism(std::string_view line, std::string& out) {
  const std::string_view name = line.substr(0, line.find(' '));
  if (!IsPlain(line) || Takes(name) || !Allows(name) || IsMechanismHidden(name)) return;
  AppendLine(out, name);
}

void Offer::EndMechanisms(std::string& out) {
  std::string own = OwnSasl();
  for (std::string_view rest = own; !rest.empty();) {
    const std::string_view name = TakeWord(rest);
    if (!name.empty()) AppendLine(out, name);
  }
  out.append(kEnd);
}

bool Offer::HasOwnCapabilities() const {
  return ShowsStls() || (options_.TakesLogins() && Allows("BASIC")) || !OwnSasl().empty();
}

std::string Offer::OwnCapabilities(const std::vector<std::string>* probed) {
  std::string answer = "+OK Capability list follows\r\n";
  BeginList();
  if (probed != nullptr) {
    for (const std::string& line : *probed) EditCapability(line, answer);
  }
  EndCapabilities(answer);
  return answer;
}

std::string Offer::OwnMechanisms() {
  std::string answer = "+OK Mechanisms follow\r\n";
  BeginList();
  EndMechanisms(answer);
  return answer;
}

}  // namespace postern::pop3
