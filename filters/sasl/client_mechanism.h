// A SASL mechanism from the client's side, without I/O: Postern speaks it to the backend with a
// password that it took from a basic log-in. All messages are raw bytes; base64 and framing are the
// protocol filters' business.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "filters/mechanism.h"
#include "filters/sasl/derivation.h"
#include "filters/secret.h"

namespace postern::sasl {

// What a log-in is made of. `user` and `password` hold no NUL, CR, LF or other control character
// (the filters check).
struct Credentials {
  std::string user;
  Secret password;
  std::string domain;  // of NTLM; empty: the one the server names in its challenge
};

enum class Step : uint8_t {
  kRespond,  // send `response` (it may be empty)
  kDerive,   // carry out TakeDerivation(), then OnDerived
  kFailed,  // the server broke the mechanism or signed wrongly: abort the exchange; a failed log-in
};

class ClientMechanism {
 public:
  virtual ~ClientMechanism() = default;

  virtual Mechanism mechanism() const = 0;
  // True where the client speaks first (PLAIN, NTLM, SCRAM): then Next("") gives the initial
  // response.
  virtual bool client_first() const = 0;
  // Takes the server's challenge (decoded; empty for the first step of client_first mechanisms).
  virtual Step Next(std::string_view challenge, Secret& response) = 0;
  virtual std::unique_ptr<Derivation> TakeDerivation() = 0;
  virtual Step OnDerived(std::unique_ptr<Derivation> work, Secret& response) = 0;
  // The server has said OK; `data` is what came with it (SCRAM's server-final may come so),
  // decoded. False where the mechanism proves the server and this one has not proved itself: the
  // session has to end.
  virtual bool Accept(std::string_view data) = 0;
  // A few words for the log after kFailed; a literal.
  virtual std::string_view failure() const = 0;
};

// PLAIN, LOGIN, CRAM-MD5, NTLM, SCRAM-SHA-1, SCRAM-SHA-256. Null for any other. `seed` is random
// and fresh for each log-in, `now` is the time of day (NTLM). APOP is no SASL mechanism: see
// apop.h.
std::unique_ptr<ClientMechanism> MakeClientMechanism(Mechanism mechanism, Credentials credentials,
                                                     const std::array<uint8_t, 32>& seed,
                                                     std::chrono::system_clock::time_point now);

}  // namespace postern::sasl
