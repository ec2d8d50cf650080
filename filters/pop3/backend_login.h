// One log-in that Postern speaks to the backend with a password that it took from a basic log-in:
// USER and PASS, APOP, or a SASL mechanism (RFC 5034). No I/O: lines in, lines out. Owned by a
// filter while its log-in lasts; the password is wiped with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "filters/sasl/client_mechanism.h"

namespace postern::pop3 {

class BackendLogin {
 public:
  enum class Next : uint8_t {
    kSend,      // send the line, wait for an answer
    kDerive,    // carry out TakeDerivation(), then OnDerived
    kAccepted,  // the backend's line is its verdict: yes
    kRefused,   // … no
    kUnready,   // … no, before it had seen anything of the log-in: it does not have the mechanism
    kFailed,    // the mechanism gave up (failure() says why): end the exchange with `*`
    kUnproven,  // yes, from a server that did not prove itself: the session has to end
    kBroken,    // not POP3
  };

  // `stamp`: of the backend's greeting, for APOP. The others are as MakeClientMechanism has them.
  BackendLogin(Mechanism mechanism, sasl::Credentials credentials,
               const std::optional<std::string>& stamp, const std::array<uint8_t, 32>& seed,
               std::chrono::system_clock::time_point now);
  BackendLogin(const BackendLogin&) = delete;
  BackendLogin& operator=(const BackendLogin&) = delete;

  Mechanism mechanism() const { return mechanism_; }

  // The first line to send, CRLF included. Wipe it when it has been handed on.
  std::string Begin();
  // The backend's answer without its line end. `send` is filled where kSend comes back.
  Next OnLine(std::string_view line, std::string& send);
  std::unique_ptr<sasl::Derivation> TakeDerivation() { return sasl_->TakeDerivation(); }
  Next OnDerived(std::unique_ptr<sasl::Derivation> work, std::string& send);
  // A literal; after kFailed.
  std::string_view failure() const;

 private:
  Next OnChallenge(std::string_view text, std::string& send);
  Next Respond(sasl::Step step, const Secret& response, std::string& send);

  Mechanism mechanism_;
  std::unique_ptr<sasl::ClientMechanism> sasl_;  // null for USER/PASS and APOP
  std::string user_;
  Secret password_;
  Secret digest_;       // of APOP
  bool begun_ = false;  // something of the log-in has been sent
  bool undecodable_ = false;
};

}  // namespace postern::pop3
