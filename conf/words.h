// The words of the configuration for every enum of conf/config.h, in the order of its values. Both
// directions, reading and naming, go by these lists. Private to conf/.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "conf/config.h"

namespace postern::conf {

template <typename Enum>
struct Words;

template <>
struct Words<Protocol> {
  static constexpr std::string_view kList[] = {"imap", "pop3", "smtp", "lmtp"};
};
template <>
struct Words<TlsMode> {
  static constexpr std::string_view kList[] = {"implicit", "starttls", "none"};
};
template <>
struct Words<TlsVersion> {
  static constexpr std::string_view kList[] = {"1.0", "1.1", "1.2", "1.3"};
};
template <>
struct Words<Alpn> {
  static constexpr std::string_view kList[] = {"strict", "lenient", "off"};
};
template <>
struct Words<ClientCertificate> {
  static constexpr std::string_view kList[] = {"optional", "required"};
};
template <>
struct Words<LogLevel> {
  static constexpr std::string_view kList[] = {"debug", "info", "warn", "error"};
};
template <>
struct Words<LogFormat> {
  static constexpr std::string_view kList[] = {"json", "text"};
};
template <>
struct Words<Enforce> {
  static constexpr std::string_view kList[] = {"on", "observe"};
};
template <>
struct Words<Rule> {
  static constexpr std::string_view kList[] = {"never", "tls", "always"};
};
template <>
struct Words<ToBackend> {
  static constexpr std::string_view kList[] = {"same",        "auto",         "BASIC",    "PLAIN",
                                               "LOGIN",       "APOP",         "CRAM-MD5", "NTLM",
                                               "SCRAM-SHA-1", "SCRAM-SHA-256"};
};
template <>
struct Words<BareLf> {
  static constexpr std::string_view kList[] = {"normalize", "reject"};
};
template <>
struct Words<Balance> {
  static constexpr std::string_view kList[] = {"round_robin", "least_connections", "source"};
};
template <>
struct Words<ConnectAt> {
  static constexpr std::string_view kList[] = {"at_accept", "at_login"};
};
template <>
struct Words<ProxyProtocol> {
  static constexpr std::string_view kList[] = {"none", "v1", "v2"};
};
template <>
struct Words<ForwardClient> {
  static constexpr std::string_view kList[] = {"none", "xclient", "id", "received"};
};
template <>
struct Words<Profile> {
  static constexpr std::string_view kList[] = {"generic", "exchange-5.5", "exchange-2003",
                                               "domino"};
};

template <typename Enum>
constexpr std::string_view WordOf(Enum value) {
  return Words<Enum>::kList[static_cast<size_t>(value)];
}

}  // namespace postern::conf
