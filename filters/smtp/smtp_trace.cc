#include "filters/smtp/smtp_trace.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace postern::smtp {
namespace {

// RFC 5321, 4.5.3.1.2.
constexpr size_t kMaxDomain = 255;
// RFC 5321, 4.5.3.1.4, the CRLF included.
constexpr size_t kMaxCommand = 512;
constexpr std::string_view kUnavailable = "[UNAVAILABLE]";

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

// A client's word for a header: what is no domain or address literal can't break out of it.
std::string Cleaned(std::string_view helo) {
  if (helo.empty()) return "unknown";
  std::string name(helo.substr(0, kMaxDomain));
  for (char& c : name) {
    if (!IsNameByte(c)) c = '?';
  }
  return name;
}

// The names of RFC 3848 (its LMTP ones too).
std::string With(Protocol protocol, const Trace& trace) {
  if (!trace.extended) return "SMTP";
  std::string name = protocol == Protocol::kLmtp ? "LMTP" : "ESMTP";
  if (trace.tls) name += 'S';
  if (trace.logged_in) name += 'A';
  return name;
}

std::string TwoDigits(unsigned value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

// RFC 5322, 3.3, in UTC.
std::string Date(std::chrono::system_clock::time_point now) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(now - day));
  std::string text(kDays[weekday(day).c_encoding()]);
  text += ", " + std::to_string(static_cast<unsigned>(date.day())) + ' ';
  text += kMonths[static_cast<unsigned>(date.month()) - 1];
  text += ' ' + std::to_string(static_cast<int>(date.year())) + ' ';
  text += TwoDigits(static_cast<unsigned>(time.hours().count())) + ':';
  text += TwoDigits(static_cast<unsigned>(time.minutes().count())) + ':';
  text += TwoDigits(static_cast<unsigned>(time.seconds().count())) + " +0000";
  return text;
}

std::string AddressLiteral(const SessionInfo& info) {
  if (info.client_address.empty()) return "local";
  return (info.client_is_ipv6 ? "[IPv6:" : "[") + info.client_address + ']';
}

// RFC 3461, 4: everything but printable ASCII, and `+` and `=`, as +HH.
std::string Xtext(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string coded;
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') {
      coded += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    coded += '+';
    coded += kHex[byte >> 4];
    coded += kHex[byte & 15];
  }
  return coded;
}

std::string AddressValue(std::string_view address) {
  if (address.empty()) return std::string(kUnavailable);
  const bool ipv6 = address.find(':') != std::string_view::npos;
  return (ipv6 ? "IPV6:" : "") + Xtext(address);
}

std::string PortValue(std::string_view address, uint16_t port) {
  return address.empty() ? std::string(kUnavailable) : std::to_string(port);
}

std::string HeloValue(std::string_view helo) {
  std::string value = Xtext(helo);
  if (value.empty() || value.size() > kMaxDomain) return std::string(kUnavailable);
  return value;
}

// Empty where Postern has nothing to say about the attribute.
std::string AttributeValue(const SessionInfo& info, const Trace& trace, std::string_view name) {
  if (name == "NAME" || name == "REVERSE_NAME") return std::string(kUnavailable);
  if (name == "ADDR") return AddressValue(info.client_address);
  if (name == "PORT") return PortValue(info.client_address, info.client_port);
  if (name == "PROTO") return trace.extended ? "ESMTP" : "SMTP";
  if (name == "HELO") return HeloValue(trace.helo);
  if (name == "DESTADDR") return AddressValue(info.local_address);
  if (name == "DESTPORT") return PortValue(info.local_address, info.local_port);
  return {};
}

}  // namespace

std::string ReceivedHeader(const FilterOptions& options, const SessionInfo& info,
                           const Trace& trace, std::chrono::system_clock::time_point now,
                           char first) {
  std::string header = "Received: from " + Cleaned(trace.helo) + " (" + AddressLiteral(info) + ")";
  if (trace.tls) {
    header += "\r\n\t(using ";
    header += trace.tls_version;
    header += " with cipher ";
    header += trace.tls_cipher;
    header += ')';
  }
  header += "\r\n\tby " + Cleaned(options.hostname) + " (Postern) with " +
            With(options.protocol, trace) + " id " + Cleaned(info.id) + ";\r\n\t" + Date(now) +
            "\r\n";
  if (first == ' ' || first == '\t') header += "\r\n";
  return header;
}

std::vector<std::string> XclientCommands(const SessionInfo& info, const Trace& trace,
                                         const std::vector<std::string>& shown) {
  std::vector<std::string> commands;
  std::string command;
  for (const std::string& name : shown) {
    const std::string value = AttributeValue(info, trace, name);
    if (value.empty()) continue;
    const std::string attribute = ' ' + name + '=' + value;
    if (command.empty() || command.size() + attribute.size() + 2 > kMaxCommand) {
      if (!command.empty()) commands.push_back(command + "\r\n");
      command = "XCLIENT";
    }
    command += attribute;
  }
  if (!command.empty()) commands.push_back(command + "\r\n");
  return commands;
}

}  // namespace postern::smtp
