// What is known of the backend that a filter talks to: learned from its greeting and from the
// lists that it sends, whoever asked for them. Owned by a filter.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::pop3 {

class Backend {
 public:
  // Mechanisms beyond these are not remembered.
  static constexpr size_t kMaxMechanisms = 64;

  void LearnGreeting(std::string_view line);
  // An answer to CAPA or to a bare AUTH begins, `ok` by its first line; its lines follow.
  void BeginCapabilities(bool ok);
  void LearnCapability(std::string_view line);
  void BeginMechanisms() { asked_for_mechanisms_ = true; }
  void LearnMechanism(std::string_view line);

  // Whether CAPA, and where that named no SASL mechanism a bare AUTH, has been asked.
  bool knows_capabilities() const { return asked_for_capabilities_; }
  bool knows_mechanisms() const { return !mechanisms_.empty() || asked_for_mechanisms_; }

  const std::vector<std::string>& mechanisms() const { return mechanisms_; }
  // USER and PASS: taken for granted where CAPA is not known (RFC 1939 has no way to tell).
  bool has_user() const { return has_user_; }
  const std::optional<std::string>& stamp() const { return stamp_; }

 private:
  std::vector<std::string> mechanisms_;
  std::optional<std::string> stamp_;
  bool has_user_ = true;
  bool asked_for_capabilities_ = false;
  bool asked_for_mechanisms_ = false;
};

}  // namespace postern::pop3
