#include "conf/check.h"

#include <algorithm>
#include <string>

#include "conf/load.h"

namespace postern::conf {
namespace {

class Checks {
 public:
  Checks(const Config& config, Report& report) : config_(config), report_(report) {}

  void Run() {
    for (const Listener& listener : config_.listeners) {
      CheckTls(listener);
      CheckMailOnly(listener);
      if (listener.auth.to_backend == ToBackend::kApop && listener.protocol != Protocol::kPop3) {
        Error(config_.PathOf(listener, "auth.to_backend"),
              "APOP is a log-in of pop3, and " + listener.path + " is " + Word(listener));
      }
      if (listener.backend != kNoBackend) CheckConnect(listener);
    }
    for (const Backend& backend : config_.backends) {
      CheckForward(backend);
      CheckVerify(backend);
    }
  }

 private:
  void Error(const std::string& path, std::string message) {
    report_.Error(config_.At(path), path, std::move(message));
  }
  static std::string Word(const Listener& listener) { return std::string(Name(listener.protocol)); }

  // The place of a listener's TLS mode, which may not be written.
  std::string ModePath(const Listener& listener) const {
    const std::string mode = listener.path + ".tls.mode";
    return config_.Written(mode) ? mode : listener.path + ".tls";
  }

  // Of two settings that do not go together the one that was written for this listener, else the
  // one that was written at all; where both were, the second.
  std::string WrittenOf(const Listener& listener, std::string_view first,
                        std::string_view second) const {
    for (const std::string& scope : {listener.path + ".", std::string()}) {
      for (const std::string_view key : {second, first}) {
        std::string path = scope + std::string(key);
        if (config_.Written(path)) return path;
      }
    }
    return std::string(second);
  }

  void CheckTls(const Listener& listener) {
    const Tls& tls = listener.tls;
    if (tls.min_version > tls.max_version) {
      Error(WrittenOf(listener, "tls.max_version", "tls.min_version"),
            "min_version " + std::string(Name(tls.min_version)) + " is above max_version " +
                std::string(Name(tls.max_version)));
    }
    if (tls.mode == TlsMode::kNone) return;
    if (tls.certificates.empty() &&
        !report_.HasErrorAt(config_.PathOf(listener, "tls.certificates"))) {
      Error(ModePath(listener), std::string(Name(tls.mode)) +
                                    " needs a certificate: there is none under tls.certificates");
    }
    if (tls.client_certificate == ClientCertificate::kRequired && tls.client_ca.empty()) {
      Error(config_.PathOf(listener, "tls.client_certificate"),
            "required needs a client_ca to judge the certificates by");
    }
  }

  // Keys that mean something on smtp listeners alone. Their defaults may stand anywhere.
  void CheckMailOnly(const Listener& listener) {
    const bool smtp = listener.protocol == Protocol::kSmtp;
    if (!listener.require_tls && (!smtp || listener.tls.mode != TlsMode::kStarttls)) {
      Error(listener.path + ".require_tls",
            "false is for smtp with tls: starttls alone, where a public MX needs it");
    }
    if (listener.require_auth && !smtp) {
      Error(listener.path + ".require_auth", "is for smtp alone, and this is " + Word(listener));
    }
    if (listener.bare_lf != BareLf::kNormalize && !smtp) {
      Error(listener.path + ".bare_lf", "is for smtp alone, and this is " + Word(listener));
    }
  }

  void CheckConnect(const Listener& listener) {
    const Backend& backend = config_.backends[listener.backend];
    if (backend.connect != ConnectAt::kLogin) return;
    if (listener.protocol == Protocol::kLmtp) {
      Error(listener.path + ".backend",
            Quote(backend.name) + " connects at_login, and lmtp has no log-in to wait for");
    } else if (listener.protocol == Protocol::kSmtp && !listener.require_auth) {
      Error(listener.path + ".backend",
            Quote(backend.name) + " connects at_login: smtp needs require_auth: true for that");
    }
  }

  void CheckForward(const Backend& backend) {
    const ForwardClient way = backend.forward_client;
    const Protocol protocol = backend.protocol;
    const bool mail = protocol == Protocol::kSmtp || protocol == Protocol::kLmtp;
    const bool fits = way == ForwardClient::kNone ||
                      (way == ForwardClient::kXclient && protocol == Protocol::kSmtp) ||
                      (way == ForwardClient::kId && protocol == Protocol::kImap) ||
                      (way == ForwardClient::kReceived && mail);
    if (fits) return;
    Error(backend.path + ".forward_client", std::string(Name(way)) + " does not fit " +
                                                std::string(Name(protocol)) +
                                                ": xclient is for smtp, id for imap, received "
                                                "for smtp and lmtp");
  }

  void CheckVerify(const Backend& backend) {
    if (backend.tls == TlsMode::kNone || !backend.verify.on || !backend.verify.name.empty()) return;
    const bool socket = std::any_of(backend.servers.begin(), backend.servers.end(),
                                    [](const Server& s) { return s.address.is_unix(); });
    if (!socket) return;
    Error(backend.path + ".verify",
          "needs a name: a Unix socket has no host that a certificate could be for");
  }

  const Config& config_;
  Report& report_;
};

}  // namespace

void CheckTogether(const Config& config, Report& report) { Checks(config, report).Run(); }

}  // namespace postern::conf
