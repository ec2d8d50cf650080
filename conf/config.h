// The configuration (docs/configuration.md) as the program uses it: plain values, fully merged. A
// listener carries what counts for it in the end; nobody has to look at the general part again.
// Made by Load (conf/load.h), never changed afterwards, so every thread may read it.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conf/address.h"
#include "conf/network.h"

namespace postern::conf {

using std::chrono::milliseconds;

enum class Protocol : uint8_t { kImap, kPop3, kSmtp, kLmtp };
enum class TlsMode : uint8_t { kImplicit, kStarttls, kNone };
enum class TlsVersion : uint8_t { kTls10, kTls11, kTls12, kTls13 };
enum class Alpn : uint8_t { kStrict, kLenient, kOff };
enum class ClientCertificate : uint8_t { kOptional, kRequired };
enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kJson, kText };
enum class Enforce : uint8_t { kOn, kObserve };
enum class Rule : uint8_t { kNever, kTls, kAlways };
enum class ToBackend : uint8_t {
  kSame,
  kAuto,
  kBasic,
  kPlain,
  kLogin,
  kApop,
  kCramMd5,
  kNtlm,
  kScramSha1,
  kScramSha256
};
enum class BareLf : uint8_t { kNormalize, kReject };
enum class Balance : uint8_t { kRoundRobin, kLeastConnections, kSource };
enum class ConnectAt : uint8_t { kAccept, kLogin };
enum class ProxyProtocol : uint8_t { kNone, kV1, kV2 };
enum class ForwardClient : uint8_t { kNone, kXclient, kId, kReceived };
enum class Profile : uint8_t { kGeneric, kExchange55, kExchange2003, kDomino };

// The word of the configuration for each: "imap", "starttls", "1.2", "SCRAM-SHA-256", …
std::string_view Name(Protocol value);
std::string_view Name(TlsMode value);
std::string_view Name(TlsVersion value);
std::string_view Name(Alpn value);
std::string_view Name(ClientCertificate value);
std::string_view Name(LogLevel value);
std::string_view Name(LogFormat value);
std::string_view Name(Enforce value);
std::string_view Name(Rule value);
std::string_view Name(ToBackend value);
std::string_view Name(BareLf value);
std::string_view Name(Balance value);
std::string_view Name(ConnectAt value);
std::string_view Name(ProxyProtocol value);
std::string_view Name(ForwardClient value);
std::string_view Name(Profile value);

// A place in the file, both counted from 1; {0, 0}: not written in it.
struct Position {
  int line = 0;
  int column = 0;

  auto operator<=>(const Position&) const = default;
};

struct Admin {
  std::optional<Address> address =
      Address{Address::Kind::kTcp, "127.0.0.1", 9190, ""};  // nullopt: off
  std::vector<std::string> hosts;                           // in lower case
};

struct Log {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
};

// Paths are made absolute or relative to the working directory: ready to open.
struct Certificate {
  std::string chain;
  std::string key;
  std::string ocsp;  // may be empty

  bool operator==(const Certificate&) const = default;
};

// The TLS of one listener. Two that compare equal can share their context.
struct Tls {
  TlsMode mode = TlsMode::kImplicit;
  std::vector<Certificate> certificates;  // the first is the default
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  std::string ciphers;              // empty: the library's own
  std::vector<std::string> groups;  // in order; empty: the library's own
  Alpn alpn = Alpn::kStrict;
  std::string session_ticket_keys;  // a file; empty: keys of the process's own
  std::string client_ca;            // a file; empty: client certificates are not asked for
  ClientCertificate client_certificate = ClientCertificate::kOptional;

  bool operator==(const Tls&) const = default;
};

struct Rate {
  uint64_t count = 0;  // 0: no limit
  milliseconds window{0};

  bool off() const { return count == 0; }
  bool operator==(const Rate&) const = default;
};

// Counts of 0 mean no limit. `line` and `buffer` are always bounded: 0 in the file becomes
// kMaxLine and kMaxBuffer here, and `buffer` is never less than `line`.
struct Limits {
  uint64_t connections = 20000;
  uint64_t connections_per_ip = 1000;
  Rate handshakes_per_ip{1200, std::chrono::minutes(1)};
  Rate auth_failures_per_ip{20, std::chrono::minutes(5)};
  uint64_t auth_failures_per_session = 3;
  std::vector<Network> exempt;  // from the limits per address
  size_t line = 16 * 1024;      // bytes
  size_t buffer = 64 * 1024;    // bytes
};

inline constexpr size_t kMaxLine = 1024 * 1024;
inline constexpr size_t kMaxBuffer = 64 * 1024 * 1024;

// Which counters a listener keeps for itself because its own `limits` name them. `connections`:
// besides the general one, which holds over all listeners whatever a listener says; the others:
// instead of the general ones, which all listeners without their own share.
struct OwnLimits {
  bool connections = false;
  bool connections_per_ip = false;
  bool handshakes_per_ip = false;
  bool auth_failures_per_ip = false;
};

struct Timeouts {
  milliseconds handshake = std::chrono::seconds(10);
  milliseconds login = std::chrono::seconds(60);
  milliseconds idle = std::chrono::minutes(35);  // of a listener: resolved by its protocol
  milliseconds backend_connect = std::chrono::seconds(5);
  milliseconds backend_greeting = std::chrono::seconds(30);

  // How long a backend may owe an answer.
  milliseconds backend_answer() const {
    return std::max<milliseconds>(idle, std::chrono::minutes(10));
  }
};

// One rule of `auth.users`. `regex` is compiled so that the time of a search grows with the length
// of the name and not exponentially with it, unless the expression has back-references.
struct UserRule {
  std::string match;
  std::string replace;  // ECMAScript's: $&, $1, $$ have their meaning
  std::regex regex;
};

struct Auth {
  Enforce enforce = Enforce::kOn;
  // By name in upper case: BASIC, APOP, "*", or a SASL mechanism's. Always holds "BASIC" and "*".
  std::map<std::string, Rule, std::less<>> mechanisms{{"*", Rule::kTls}, {"BASIC", Rule::kTls}};
  std::vector<UserRule> users;
  ToBackend to_backend = ToBackend::kSame;
  std::string domain;
};

// The rule for a log-in, by the most specific name there is: the mechanism's own, then BASIC for
// PLAIN and LOGIN, then "*". IMAP's LOGIN and POP3's USER/PASS go by the name BASIC. Names compare
// without case. EXTERNAL and everything that ends in -PLUS is never: neither can pass a proxy that
// ends TLS, whatever a configuration says.
Rule RuleFor(const Auth& auth, std::string_view mechanism);

// EXTERNAL and the -PLUS mechanisms, without case.
bool CanNeverPass(std::string_view mechanism);

// What is let through besides, or not, of the built-in lists. Names in upper case; no name is in
// both: `deny` has won.
struct Commands {
  std::set<std::string, std::less<>> allow;
  std::set<std::string, std::less<>> deny;
};

struct Listener {
  std::string name;  // unique; letters digits . _ - :
  Protocol protocol = Protocol::kImap;
  Address address;
  Tls tls;
  bool require_tls = true;
  std::vector<Network> proxy_protocol;  // empty: no PROXY header is expected
  bool require_auth = false;
  BareLf bare_lf = BareLf::kNormalize;
  Auth auth;
  Commands commands;  // those of its protocol
  Limits limits;
  OwnLimits own_limits;
  Timeouts timeouts;
  size_t backend = 0;  // index into Config::backends
  std::string path;    // "listeners[0]", for Config::At
};

struct Server {
  Address address;
  uint32_t weight = 1;
  std::string name;  // address.Text(): what metrics and the log call it

  bool operator==(const Server&) const = default;
};

struct Verify {
  bool on = true;
  std::string ca;    // a file; empty: the system's
  std::string name;  // empty: the server's host

  bool operator==(const Verify&) const = default;
};

struct Health {
  milliseconds interval = std::chrono::seconds(5);
  milliseconds timeout = std::chrono::seconds(2);
  uint32_t rise = 2;
  uint32_t fall = 3;

  bool operator==(const Health&) const = default;
};

// Only backends that a listener uses are here. One that was written as an address in a listener is
// called by that address, and shared by all listeners of the protocol that name the same one.
struct Backend {
  std::string name;  // unique
  Protocol protocol = Protocol::kImap;
  std::vector<Server> servers;  // at least one
  Balance balance = Balance::kRoundRobin;
  ConnectAt connect = ConnectAt::kAccept;
  TlsMode tls = TlsMode::kNone;
  Verify verify;
  ProxyProtocol proxy_protocol = ProxyProtocol::kNone;
  ForwardClient forward_client = ForwardClient::kNone;
  Profile profile = Profile::kGeneric;
  std::optional<bool> pipelining;  // nullopt: not written, the profile decides
  Health health;
  std::string path;  // "backends.legacy" or "listeners[0].backend", for Config::At

  // The name that the certificate of a server has to be for; empty for a Unix socket without one.
  const std::string& CertificateName(size_t server) const {
    return verify.name.empty() ? servers[server].address.host : verify.name;
  }

  bool operator==(const Backend&) const = default;
};

// A file that the configuration names. Load has seen that it can be read and looks like what it
// should be; what is inside is for who uses it to judge, with Config::MistakeAt for its complaints.
struct FileRef {
  enum class Kind : uint8_t {
    kCertificateChain,
    kPrivateKey,
    kOcspResponse,
    kTicketKeys,
    kClientCa,
    kBackendCa
  };

  Kind kind = Kind::kCertificateChain;
  std::string file;  // ready to open, the same text as in Certificate, Tls or Verify
  std::string path;  // "tls.certificates[0].chain"
};

// One line for the postmaster.
struct Mistake {
  enum class Severity : uint8_t { kWarning, kError };

  Severity severity = Severity::kError;
  std::string file;  // of the configuration
  Position at;
  std::string path;  // "listeners[1].tls"; may be empty
  std::string message;

  // FILE:LINE:COL: PATH: MESSAGE, or FILE:LINE:COL: PATH: warning: MESSAGE; parts that are not
  // known are left out with their colons.
  std::string Text() const;
};

struct Config {
  std::string file;                 // as it was given to Load
  std::optional<unsigned> workers;  // nullopt: as many as there are processors to use
  std::string user;                 // empty: stay
  std::string group;                // empty: the user's own
  milliseconds drain_timeout = std::chrono::seconds(30);
  Admin admin;
  Log log;
  Limits limits;  // the general ones: for counters that all listeners share
  std::vector<Listener> listeners;
  std::vector<Backend> backends;
  std::vector<FileRef> files;
  std::map<std::string, Position, std::less<>> positions;  // of every value, by its path

  // Where a value was written. A path that is not in the file gives the place of the nearest value
  // around it.
  Position At(std::string_view path) const;
  bool Written(std::string_view path) const { return positions.contains(path); }
  // The path under which a setting counts for a listener: its own ("listeners[0].tls.ciphers")
  // where it was written there, else the general one ("tls.ciphers").
  std::string PathOf(const Listener& listener, std::string_view key) const;
  Mistake MistakeAt(std::string_view path, std::string message,
                    Mistake::Severity severity = Mistake::Severity::kError) const;
};

}  // namespace postern::conf
