// The server's side of SASL log-ins, base64 included. Used by one dialogue.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bench/legacy_server/store.h"

namespace postern::legacy {

enum class SaslState : uint8_t { kChallenge, kAccepted, kRejected, kMalformed };

struct SaslStep {
  SaslState state;
  std::string challenge;  // before base64
};

class SaslMechanism {
 public:
  virtual ~SaslMechanism() = default;

  // `response` is what the client sent, nothing where it has not been asked yet.
  virtual SaslStep Next(std::optional<std::string_view> response) = 0;

  const std::string& user() const { return user_; }

 protected:
  std::string user_;
};

// One log-in from its command to the verdict.
class SaslExchange {
 public:
  explicit SaslExchange(const Store& store) : store_(store) {}

  // Begins; `initial` is the command's initial response as it stands there.
  SaslState Start(std::string_view mechanism, std::optional<std::string_view> initial);

  // Goes on with a line of the client's. A lone "*" is kMalformed.
  SaslState Feed(std::string_view line);

  bool active() const { return mechanism_ != nullptr; }
  const std::string& challenge() const { return challenge_; }  // in base64
  const std::string& user() const { return user_; }            // after kAccepted

 private:
  SaslState Step(std::optional<std::string_view> response);

  const Store& store_;
  std::unique_ptr<SaslMechanism> mechanism_;
  std::string challenge_;
  std::string user_;
};

// Mechanisms that prove the password without showing it; nullptr for other names.
std::unique_ptr<SaslMechanism> MakeProvingMechanism(std::string_view name, const Store& store);

}  // namespace postern::legacy
