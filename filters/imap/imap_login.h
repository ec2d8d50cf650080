// A log-in that Postern speaks to the server itself, with a password that it took from the client:
// as LOGIN, or as AUTHENTICATE with a mechanism of filters/sasl (RFC 9051, 6.2.2 and 6.2.3).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "filters/imap/imap_capabilities.h"
#include "filters/imap/imap_outgoing.h"
#include "filters/login.h"
#include "filters/sasl/client_mechanism.h"
#include "filters/secret.h"

namespace postern::imap {

class ServerLogin {
 public:
  enum class Do : uint8_t {
    kSend,    // what TakeText gives
    kDerive,  // what TakeDerivation gives; then OnDerived
    kAbort,   // the mechanism failed, or the server broke it: see failure()
  };

  // `tag`: of the command. `login` has the user's name as the server spells it.
  ServerLogin(Mechanism mechanism, std::string_view tag, Login login, const std::string& domain,
              const ServerCapabilities& server, const std::array<uint8_t, 32>& seed,
              std::chrono::system_clock::time_point now);

  Mechanism mechanism() const { return mechanism_; }
  Do Begin();
  // The server's `+`; `text` is what stands behind it.
  Do OnContinuation(std::string_view text);
  Do OnDerived(std::unique_ptr<sasl::Derivation> work);
  // All of LOGIN, or at least one response, has been sent: the server's NO is a verdict.
  bool complete() const { return sasl_ == nullptr ? outgoing_.finished() : begun_; }
  // The server has said OK. False where it holds an open log-in without having proved itself.
  bool Accept();

  // Whole lines or a line up to a literal; valid until the next call.
  std::string_view text() const { return text_.Reveal(); }
  std::unique_ptr<sasl::Derivation> TakeDerivation() { return sasl_->TakeDerivation(); }
  // A literal, for the log.
  std::string_view failure() const { return failure_; }

 private:
  Do BeginLogin();
  Do BeginAuthenticate();
  // What a step of the mechanism means on the wire.
  Do Carry(sasl::Step step, const Secret& response);
  Do Fail(std::string_view why);

  const Mechanism mechanism_;
  const std::string tag_;
  const ServerCapabilities& server_;
  Login login_;                                  // of LOGIN
  std::unique_ptr<sasl::ClientMechanism> sasl_;  // of AUTHENTICATE
  Outgoing outgoing_;                            // of LOGIN
  Secret text_;
  std::string_view failure_;
  bool begun_ = false;  // the mechanism has made its first step
};

}  // namespace postern::imap
