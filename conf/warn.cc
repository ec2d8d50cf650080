#include <algorithm>
#include <array>
#include <string>

#include "conf/check.h"
#include "conf/load.h"
#include "conf/mechanisms.h"
#include "conf/reader.h"

namespace postern::conf {
namespace {

constexpr std::array<std::string_view, 3> kBasic = {"BASIC", "PLAIN", "LOGIN"};

bool IsBasic(std::string_view name) {
  return std::find(kBasic.begin(), kBasic.end(), name) != kBasic.end();
}

class Warnings {
 public:
  Warnings(const Config& config, Report& report) : config_(config), report_(report) {}

  void Run() {
    OfAdmin();
    OfNetworks(config_.limits.exempt, "limits.exempt", "exempts everybody from the limits");
    for (const Listener& listener : config_.listeners) {
      OfVersions(listener);
      OfObserving(listener);
      OfClearLogins(listener);
      OfNoLogins(listener);
      OfXclient(listener);
      OfNetworks(listener.proxy_protocol, listener.path + ".proxy_protocol",
                 "lets every client say that it is another");
      if (config_.Written(listener.path + ".limits.exempt")) {
        OfNetworks(listener.limits.exempt, listener.path + ".limits.exempt",
                   "exempts everybody from the limits");
      }
      if (listener.backend == kNoBackend) continue;
      OfUsers(listener);
      OfOpenRelay(listener);
    }
    for (const Backend& backend : config_.backends) {
      OfPlainBackend(backend);
      OfVerify(backend);
    }
  }

 private:
  void Warn(const std::string& path, std::string message) {
    report_.Warning(config_.At(path), path, std::move(message));
  }

  void OfAdmin() {
    if (!config_.admin.address || config_.admin.address->is_local()) return;
    Warn("admin.address", "is not on loopback: whoever reaches it may read what is on the page");
  }

  void OfNetworks(const std::vector<Network>& networks, const std::string& path,
                  const std::string& what) {
    for (size_t i = 0; i < networks.size(); ++i) {
      if (!networks[i].Text().ends_with("/0")) continue;
      Warn(path + "[" + std::to_string(i) + "]", networks[i].Text() + " " + what);
    }
  }

  void OfVersions(const Listener& listener) {
    if (listener.tls.mode == TlsMode::kNone) return;
    if (listener.tls.min_version >= TlsVersion::kTls12) return;
    Warn(config_.PathOf(listener, "tls.min_version"),
         "TLS " + std::string(Name(listener.tls.min_version)) +
             " is broken (RFC 8996): for clients that know nothing newer, and for no longer than "
             "they live");
  }

  void OfObserving(const Listener& listener) {
    if (listener.auth.enforce != Enforce::kObserve) return;
    Warn(config_.PathOf(listener, "auth.enforce"),
         "observe refuses no log-in and hides none: it only counts what would have been refused");
  }

  // The place of the rule that decides about a mechanism on this listener.
  std::string RulePath(const Listener& listener, std::string_view mechanism) const {
    for (std::string_view name : {mechanism, std::string_view("BASIC"), std::string_view("*")}) {
      if (name == "BASIC" && !IsBasic(mechanism)) continue;
      const auto written = WrittenRule(listener, name);
      if (!written.empty()) return written;
    }
    return config_.PathOf(listener, "auth.mechanisms");
  }

  // As it stands in the file, where a mechanism may be in lower case; empty: it is not there.
  std::string WrittenRule(const Listener& listener, std::string_view name) const {
    for (const std::string& prefix :
         {listener.path + ".auth.mechanisms.", std::string("auth.mechanisms.")}) {
      for (auto it = config_.positions.lower_bound(prefix);
           it != config_.positions.end() && it->first.starts_with(prefix); ++it) {
        if (SameName(name, std::string_view(it->first).substr(prefix.size()))) return it->first;
      }
    }
    return "";
  }

  void OfClearLogins(const Listener& listener) {
    if (listener.tls.mode == TlsMode::kImplicit || listener.address.is_unix()) return;
    for (std::string_view name : kBasic) {
      if (RuleFor(listener.auth, name) != Rule::kAlways) continue;
      Warn(RulePath(listener, name),
           "always lets passwords cross the network in the clear: tls would not");
    }
  }

  void OfNoLogins(const Listener& listener) {
    const bool mailbox =
        listener.protocol == Protocol::kImap || listener.protocol == Protocol::kPop3;
    if (!mailbox && !listener.require_auth) return;
    if (listener.auth.enforce == Enforce::kObserve) return;
    const bool inside_tls = listener.tls.mode != TlsMode::kNone;
    const bool any = std::any_of(
        listener.auth.mechanisms.begin(), listener.auth.mechanisms.end(), [&](const auto& entry) {
          return entry.second == Rule::kAlways || (inside_tls && entry.second == Rule::kTls);
        });
    if (any) return;
    Warn(inside_tls ? config_.PathOf(listener, "auth.mechanisms") : listener.path + ".tls",
         inside_tls ? "nobody can log in to " + listener.path + ": every mechanism is never"
                    : "nobody can log in here: no mechanism is allowed outside of TLS");
  }

  void OfXclient(const Listener& listener) {
    if (!listener.commands.allow.contains("XCLIENT")) return;
    Warn(config_.PathOf(listener, "commands.smtp.allow"),
         "XCLIENT lets every client tell the backend that it is another");
  }

  // Mechanisms that pass as they are carry their user name past the rules for it.
  void OfUsers(const Listener& listener) {
    const bool alone = config_.backends[listener.backend].connect == ConnectAt::kLogin;
    if (listener.auth.users.empty() || alone) return;
    const bool inside_tls = listener.tls.mode != TlsMode::kNone;
    std::string unseen;
    for (std::string_view name : TableMechanisms()) {
      if (IsBasic(name) || (name == "APOP" && listener.protocol != Protocol::kPop3)) continue;
      const Rule rule = RuleFor(listener.auth, name);
      if (rule == Rule::kNever || (rule == Rule::kTls && !inside_tls)) continue;
      if (name == "*") {
        unseen = "every mechanism that has no rule of its own";
        break;
      }
      if (!listener.auth.mechanisms.contains(name)) continue;
      unseen += (unseen.empty() ? "" : ", ") + std::string(name);
    }
    if (unseen.empty()) return;
    Warn(config_.PathOf(listener, "auth.users"),
         "only basic log-ins are rewritten; those by " + unseen +
             " pass as they are, with the name that the client gave");
  }

  void OfOpenRelay(const Listener& listener) {
    if (listener.protocol != Protocol::kSmtp || listener.require_auth) return;
    const Backend& backend = config_.backends[listener.backend];
    if (backend.proxy_protocol != ProxyProtocol::kNone) return;
    if (backend.forward_client == ForwardClient::kXclient) return;
    Warn(listener.path + ".backend",
         "hides from the backend who the client is: a server that relays for Postern's address is "
         "an open relay; set proxy_protocol or forward_client: xclient, or require_auth");
  }

  std::string ServerPath(const Backend& backend, size_t i) const {
    const std::string path = backend.path + ".servers[" + std::to_string(i) + "]";
    return config_.Written(path) ? path : backend.path;
  }

  void OfPlainBackend(const Backend& backend) {
    if (backend.tls != TlsMode::kNone) return;
    for (size_t i = 0; i < backend.servers.size(); ++i) {
      if (backend.servers[i].address.is_local()) continue;
      Warn(ServerPath(backend, i),
           "is not on this machine and is reached without TLS: mail, and passwords where they are "
           "not rewritten, can be read on the way");
    }
  }

  void OfVerify(const Backend& backend) {
    if (!config_.Written(backend.path + ".verify")) return;
    if (backend.tls == TlsMode::kNone) {
      if (!backend.verify.ca.empty() || !backend.verify.name.empty()) {
        Warn(backend.path + ".verify", "has no effect with tls: none");
      }
    } else if (!backend.verify.on) {
      Warn(backend.path + ".verify",
           "off takes any certificate: whoever is in the way can be the backend");
    }
  }

  const Config& config_;
  Report& report_;
};

}  // namespace

void WarnOfWeakness(const Config& config, Report& report) { Warnings(config, report).Run(); }

}  // namespace postern::conf
