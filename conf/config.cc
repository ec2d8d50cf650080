#include "conf/config.h"

#include "conf/words.h"

namespace postern::conf {
namespace {

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

// The path of the value around this one: up to the last "." or "[".
std::string_view Outer(std::string_view path) {
  const size_t end = path.find_last_of(".[");
  return end == std::string_view::npos ? std::string_view() : path.substr(0, end);
}

}  // namespace

std::string_view Name(Protocol value) { return WordOf(value); }
std::string_view Name(TlsMode value) { return WordOf(value); }
std::string_view Name(TlsVersion value) { return WordOf(value); }
std::string_view Name(Alpn value) { return WordOf(value); }
std::string_view Name(ClientCertificate value) { return WordOf(value); }
std::string_view Name(LogLevel value) { return WordOf(value); }
std::string_view Name(LogFormat value) { return WordOf(value); }
std::string_view Name(Enforce value) { return WordOf(value); }
std::string_view Name(Rule value) { return WordOf(value); }
std::string_view Name(ToBackend value) { return WordOf(value); }
std::string_view Name(BareLf value) { return WordOf(value); }
std::string_view Name(Balance value) { return WordOf(value); }
std::string_view Name(ConnectAt value) { return WordOf(value); }
std::string_view Name(ProxyProtocol value) { return WordOf(value); }
std::string_view Name(ForwardClient value) { return WordOf(value); }
std::string_view Name(Profile value) { return WordOf(value); }

bool CanNeverPass(std::string_view mechanism) {
  const std::string name = Upper(mechanism);
  return name == "EXTERNAL" || name.ends_with("-PLUS");
}

Rule RuleFor(const Auth& auth, std::string_view mechanism) {
  if (CanNeverPass(mechanism)) return Rule::kNever;
  const std::string name = Upper(mechanism);
  const auto& rules = auth.mechanisms;
  if (const auto own = rules.find(name); own != rules.end()) return own->second;
  const bool basic = name == "BASIC" || name == "PLAIN" || name == "LOGIN";
  if (const auto rule = rules.find("BASIC"); basic && rule != rules.end()) return rule->second;
  const auto rest = rules.find("*");
  return rest == rules.end() ? Rule::kNever : rest->second;
}

std::string Mistake::Text() const {
  std::string text = file;
  if (at.line > 0) text += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  text += ": ";
  if (!path.empty()) text += path + ": ";
  if (severity == Severity::kWarning) text += "warning: ";
  return text + message;
}

Position Config::At(std::string_view where) const {
  for (std::string_view path = where; !path.empty(); path = Outer(path)) {
    if (const auto found = positions.find(path); found != positions.end()) return found->second;
  }
  return {1, 1};
}

std::string Config::PathOf(const Listener& listener, std::string_view key) const {
  std::string own = listener.path + "." + std::string(key);
  return Written(own) ? own : std::string(key);
}

Mistake Config::MistakeAt(std::string_view path, std::string message,
                          Mistake::Severity severity) const {
  return {severity, file, At(path), std::string(path), std::move(message)};
}

}  // namespace postern::conf
