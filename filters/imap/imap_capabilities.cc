#include "filters/imap/imap_capabilities.h"

#include <algorithm>
#include <array>

#include "filters/imap/imap_syntax.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

constexpr std::string_view kAuth = "AUTH=";

// Extensions of their own that servers show for commands which Postern does not know.
constexpr std::array<std::string_view, 5> kForeign = {"X-EXPS", "XEXCH50", "X-LINK2STATE", "XAUTH",
                                                      "XCLIENT"};

template <typename Function>
void ForEachWord(std::string_view words, Function function) {
  while (!words.empty()) {
    const std::string_view word = TakeWord(words);
    if (!word.empty()) function(word);
  }
}

void Append(std::string& list, std::string_view word) {
  if (!list.empty()) list += ' ';
  list += word;
}

}  // namespace

bool NeverPasses(std::string_view mechanism) {
  // The emptiest policy of all: what it refuses inside TLS is refused by nature.
  return Policy({}, Rule::kAlways).Judge(mechanism, Channel::kTls) != Verdict::kAllow;
}

bool Names(const std::vector<std::string>& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(),
                     [word](const std::string& other) { return EqualsIgnoreCase(other, word); });
}

void ServerCapabilities::Learn(std::string_view words, bool logging_in) {
  known_ = true;
  literal_plus_ = literal_minus_ = false;
  if (!logging_in) {
    mechanisms_.clear();
    sasl_ir_ = login_disabled_ = false;
  }
  ForEachWord(words, [&](std::string_view word) {
    literal_plus_ = literal_plus_ || EqualsIgnoreCase(word, "LITERAL+");
    literal_minus_ = literal_minus_ || EqualsIgnoreCase(word, "LITERAL-");
    unauthenticate_ = unauthenticate_ || EqualsIgnoreCase(word, "UNAUTHENTICATE");
    if (logging_in) return;
    sasl_ir_ = sasl_ir_ || EqualsIgnoreCase(word, "SASL-IR");
    login_disabled_ = login_disabled_ || EqualsIgnoreCase(word, "LOGINDISABLED");
    if (StartsWithIgnoreCase(word, kAuth) && mechanisms_.size() < kMaxMechanisms) {
      mechanisms_.emplace_back(word.substr(kAuth.size()));
    }
  });
}

std::string CapabilityView::Rewrite(std::string_view words, bool logged_in) const {
  std::string list;
  bool has_sasl_ir = false;
  ForEachWord(words, [&](std::string_view word) {
    if (!Shown(word, logged_in)) return;
    has_sasl_ir = has_sasl_ir || EqualsIgnoreCase(word, "SASL-IR");
    Append(list, word);
  });
  if (!logged_in) AppendOwn(list, has_sasl_ir);
  return list;
}

std::string CapabilityView::Own(const ProbedCapabilities& probed) const {
  std::string list = "IMAP4rev1";
  bool has_sasl_ir = false;
  if (probed != nullptr) {
    ServerCapabilities server;
    for (const std::string& word : *probed) {
      if (EqualsIgnoreCase(word, "UNAUTHENTICATE")) server.Learn(word, true);
    }
    const CapabilityView view(options_, server, channel_);
    for (const std::string& word : *probed) {
      // Of its log-ins none is passed through: Postern takes the basic ones, and no others.
      if (EqualsIgnoreCase(word, "IMAP4rev1") || StartsWithIgnoreCase(word, kAuth)) continue;
      if (word.find(' ') != word.npos || !view.Shown(word, false)) continue;
      has_sasl_ir = has_sasl_ir || EqualsIgnoreCase(word, "SASL-IR");
      Append(list, word);
    }
  }
  AppendOwn(list, has_sasl_ir);
  return list;
}

bool CapabilityView::Shown(std::string_view word, bool logged_in) const {
  if (!IsQuotable(word)) return false;  // a client might see several words in it
  if (StartsWithIgnoreCase(word, kAuth)) {
    return MechanismShown(word.substr(kAuth.size()), logged_in);
  }
  // These two are shown where they are true between the client and Postern: see AppendOwn.
  if (EqualsIgnoreCase(word, "STARTTLS") || EqualsIgnoreCase(word, "LOGINDISABLED")) return false;
  if (EqualsIgnoreCase(word, "UNAUTHENTICATE")) return false;
  // Inside COMPRESS nobody could see an UNAUTHENTICATE pass.
  if (server_.unauthenticate() && StartsWithIgnoreCase(word, "COMPRESS=")) return false;
  if (Names(options_.hidden, word) || Denied(word)) return false;
  const bool foreign = std::any_of(kForeign.begin(), kForeign.end(), [word](std::string_view name) {
    return EqualsIgnoreCase(name, word);
  });
  return !foreign || Names(options_.allow, word);
}

bool CapabilityView::MechanismShown(std::string_view mechanism, bool logged_in) const {
  if (options_.TakesLogins() && !logged_in && IsBasic(mechanism)) return false;
  if (NeverPasses(mechanism) || Denied("AUTHENTICATE")) return false;
  if (Names(options_.hidden, std::string(kAuth) + std::string(mechanism))) return false;
  if (Names(options_.auth_hidden, mechanism)) return false;
  return Allowed(mechanism);
}

bool CapabilityView::Allowed(std::string_view mechanism) const {
  return options_.observe || options_.policy.Judge(mechanism, channel_) == Verdict::kAllow;
}

bool CapabilityView::Denied(std::string_view command) const {
  return Names(options_.deny, command);
}

void CapabilityView::AppendOwn(std::string& list, bool has_sasl_ir) const {
  const bool clear = channel_ == Channel::kClear;
  if (clear && options_.starttls && !Denied("STARTTLS")) Append(list, "STARTTLS");
  // The server's own refusal is passed on as long as the client is in the clear, too: there a
  // password that is sent in vain is a password lost.
  const bool server_refuses = clear && !options_.TakesLogins() && server_.login_disabled();
  if (server_refuses || Denied("LOGIN") || !Allowed("BASIC")) Append(list, "LOGINDISABLED");
  if (!options_.TakesLogins() || Denied("AUTHENTICATE")) return;
  const bool plain = Allowed("PLAIN");
  const bool login = Allowed("LOGIN");
  if (plain) Append(list, "AUTH=PLAIN");
  if (login) Append(list, "AUTH=LOGIN");
  if ((plain || login) && !has_sasl_ir) Append(list, "SASL-IR");
}

}  // namespace postern::imap
