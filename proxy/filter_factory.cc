#include "proxy/filter_factory.h"

#include <array>
#include <string_view>
#include <utility>

#include "filters/imap/imap_filter.h"
#include "filters/mechanism.h"
#include "filters/pop3/pop3_filter.h"
#include "filters/smtp/smtp_filter.h"

namespace postern {
namespace {

Rule ToFilter(conf::Rule rule) {
  switch (rule) {
    case conf::Rule::kNever:
      return Rule::kNever;
    case conf::Rule::kTls:
      return Rule::kTls;
    case conf::Rule::kAlways:
      break;
  }
  return Rule::kAlways;
}

ToBackend ToFilter(conf::ToBackend way) {
  switch (way) {
    case conf::ToBackend::kSame:
      return ToBackend::kSame;
    case conf::ToBackend::kAuto:
      return ToBackend::kAuto;
    case conf::ToBackend::kBasic:
      return ToBackend::kBasic;
    case conf::ToBackend::kPlain:
      return ToBackend::kPlain;
    case conf::ToBackend::kLogin:
      return ToBackend::kLogin;
    case conf::ToBackend::kApop:
      return ToBackend::kApop;
    case conf::ToBackend::kCramMd5:
      return ToBackend::kCramMd5;
    case conf::ToBackend::kNtlm:
      return ToBackend::kNtlm;
    case conf::ToBackend::kScramSha1:
      return ToBackend::kScramSha1;
    case conf::ToBackend::kScramSha256:
      break;
  }
  return ToBackend::kScramSha256;
}

ForwardClient ToFilter(conf::ForwardClient way) {
  switch (way) {
    case conf::ForwardClient::kNone:
      return ForwardClient::kNone;
    case conf::ForwardClient::kXclient:
      return ForwardClient::kXclient;
    case conf::ForwardClient::kId:
      return ForwardClient::kId;
    case conf::ForwardClient::kReceived:
      break;
  }
  return ForwardClient::kReceived;
}

// PLAIN and LOGIN fall back to BASIC, so they get entries of their own even where only BASIC was
// named.
Policy MakePolicy(const conf::Auth& auth) {
  std::vector<std::pair<std::string, Rule>> rules;
  for (const auto& [name, rule] : auth.mechanisms) {
    if (name != "*") rules.emplace_back(name, ToFilter(rule));
  }
  for (const std::string_view name : {"BASIC", "PLAIN", "LOGIN"}) {
    if (!auth.mechanisms.contains(name)) rules.emplace_back(name, ToFilter(RuleFor(auth, name)));
  }
  return Policy(std::move(rules), ToFilter(RuleFor(auth, "*")));
}

// What a product needs hidden and how users are spelled there: docs/profiles.md gives the sources.
void ApplyProfile(conf::Profile profile, FilterOptions& options) {
  switch (profile) {
    case conf::Profile::kGeneric:
      return;
    case conf::Profile::kExchange55:
      options.auth_hidden = {"PLAIN"};
      options.spelling =
          options.domain.empty() ? UserSpelling::kAsGiven : UserSpelling::kDomainSlash;
      options.pipelining = false;
      return;
    case conf::Profile::kExchange2003:
      options.auth_hidden = {"PLAIN"};
      options.spelling =
          options.domain.empty() ? UserSpelling::kAsGiven : UserSpelling::kDomainBackslash;
      return;
    case conf::Profile::kDomino:
      options.pipelining = false;
      return;
  }
}

}  // namespace

Protocol ToFilter(conf::Protocol protocol) {
  switch (protocol) {
    case conf::Protocol::kImap:
      return Protocol::kImap;
    case conf::Protocol::kPop3:
      return Protocol::kPop3;
    case conf::Protocol::kSmtp:
      return Protocol::kSmtp;
    case conf::Protocol::kLmtp:
      break;
  }
  return Protocol::kLmtp;
}

FilterOptions MakeFilterOptions(const conf::Listener& listener, const conf::Backend& backend,
                                const std::string& hostname) {
  FilterOptions options;
  options.protocol = ToFilter(listener.protocol);
  options.hostname = hostname;
  options.policy = MakePolicy(listener.auth);
  options.observe = listener.auth.enforce == conf::Enforce::kObserve;
  for (const conf::UserRule& rule : listener.auth.users) {
    options.users.push_back({rule.regex, rule.replace});
  }
  options.to_backend = ToFilter(listener.auth.to_backend);
  options.domain = listener.auth.domain;
  options.require_auth = listener.require_auth;
  options.max_auth_failures = static_cast<int>(listener.limits.auth_failures_per_session);
  options.starttls = listener.tls.mode == conf::TlsMode::kStarttls;
  options.require_tls = listener.require_tls;
  options.line_limit = listener.limits.line;
  options.reject_bare_lf = listener.bare_lf == conf::BareLf::kReject;
  options.allow.assign(listener.commands.allow.begin(), listener.commands.allow.end());
  options.deny.assign(listener.commands.deny.begin(), listener.commands.deny.end());
  options.connect_at_login = backend.connect == conf::ConnectAt::kLogin;
  options.forward_client = ToFilter(backend.forward_client);
  ApplyProfile(backend.profile, options);
  if (backend.pipelining) options.pipelining = *backend.pipelining;
  return options;
}

std::unique_ptr<Filter> MakeFilter(const FilterOptions& options, const SessionInfo& info) {
  switch (options.protocol) {
    case Protocol::kImap:
      return MakeImapFilter(options, info);
    case Protocol::kPop3:
      return MakePop3Filter(options, info);
    case Protocol::kSmtp:
    case Protocol::kLmtp:
      break;
  }
  return MakeSmtpFilter(options, info);
}

}  // namespace postern
