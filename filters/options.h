// What a filter is told when it is made. FilterOptions belong to a listener (one object per
// listener and configuration snapshot, outliving every filter made with it); SessionInfo belongs to
// one session. No type of conf/ or proxy/ appears here: a factory in proxy/ fills these in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "filters/mechanism.h"
#include "filters/policy.h"

namespace postern {

enum class Protocol : uint8_t { kImap, kPop3, kSmtp, kLmtp };

// One rule of auth.users: where `match` is found in the user name, what it matched is replaced
// (ECMAScript format: $1, $&, …). The first rule that matches is the only one.
struct UserRule {
  std::regex match;
  std::string replace;
};

// How a backend wants user names spelled when Postern speaks the log-in and a domain is configured.
enum class UserSpelling : uint8_t {
  kAsGiven,
  kDomainBackslash,  // DOMAIN\user            (Exchange 2003)
  kDomainSlash,      // DOMAIN/user            (Exchange 5.5; a client may add /alias itself)
};

// auth.to_backend.
enum class ToBackend : uint8_t {
  kSame,  // as the client spoke it
  kAuto,  // the strongest that the backend shows
  kBasic,
  kPlain,
  kLogin,
  kApop,
  kCramMd5,
  kNtlm,
  kScramSha1,
  kScramSha256,
};

enum class ForwardClient : uint8_t { kNone, kXclient, kId, kReceived };

struct FilterOptions {
  Protocol protocol = Protocol::kImap;
  std::string hostname;  // this machine's name: greetings of our own, Received, HELO

  // Log-ins.
  Policy policy;
  bool observe = false;  // enforce: observe. Refuse and hide nothing, note what would have been
  std::vector<UserRule> users;
  ToBackend to_backend = ToBackend::kSame;
  std::string domain;  // of NTLM, and of UserSpelling
  UserSpelling spelling = UserSpelling::kAsGiven;
  bool require_auth = false;  // smtp: no MAIL before a successful log-in
  int max_auth_failures = 3;  // per session; 0 is no limit

  // TLS.
  bool starttls = false;    // the listener offers STARTTLS/STLS
  bool require_tls = true;  // of a starttls listener; false (smtp): mail is taken in the clear too

  // Lines.
  size_t line_limit =
      16 * 1024;  // bytes of one command before log-in, its literals included; smtp, lmtp: always
  bool reject_bare_lf = false;     // smtp, lmtp: bare_lf: reject
  std::vector<std::string> allow;  // commands.allow and .deny, in upper case
  std::vector<std::string> deny;

  // The backend.
  bool connect_at_login = false;
  bool pipelining = true;  // false: one command at a time to the backend
  ForwardClient forward_client = ForwardClient::kNone;
  std::vector<std::string>
      hidden;  // capabilities or EHLO keywords that the profile hides, in upper case
  std::vector<std::string>
      auth_hidden;  // mechanisms that the profile never uses towards the backend, in upper case

  // Whether Postern takes basic log-ins itself and speaks them to the backend (contract, section
  // 5).
  bool TakesLogins() const {
    return to_backend != ToBackend::kSame || !users.empty() || connect_at_login ||
           spelling != UserSpelling::kAsGiven;
  }
};

// The client's TLS, once it is up. Texts as the log and a Received header name them.
struct TlsInfo {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_128_GCM_SHA256"
  int bits = 0;
  std::string sni;
  std::string client_certificate;  // subject, empty without one
};

// What the backend showed when last probed (health check): IMAP capability words, POP3 CAPA lines,
// EHLO lines without the code and the first (name) line. Null before the first probe.
using ProbedCapabilities = std::shared_ptr<const std::vector<std::string>>;

struct SessionInfo {
  std::string id;              // of the session, as in the log
  std::string client_address;  // text without port or brackets; empty for a Unix socket without
                               // PROXY header
  uint16_t client_port = 0;
  std::string local_address;
  uint16_t local_port = 0;
  bool client_is_ipv6 = false;
  std::string
      server_name;  // host name of the backend as configured (for a greeting made up by Postern)
  ProbedCapabilities probed;
  std::array<uint8_t, 32> seed{};  // random; nonces are derived from it
};

}  // namespace postern
