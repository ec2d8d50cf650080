// Postern's own short talk with a server, without I/O: it awaits the greeting, starts TLS where the
// backend is configured so (RFC 2595, RFC 3207), and for a health check also asks for the
// capabilities and says goodbye, so that an old server's log shows no broken-off connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/options.h"

namespace postern {

class Probe {
 public:
  enum class Goal : uint8_t {
    kStartTls,  // done as soon as TLS is up
    kHealth,    // done when the server has answered the goodbye
  };
  enum class State : uint8_t {
    kTalking,
    kStartTls,  // the caller starts TLS now and drops whatever else came in the clear, then calls
                // OnTlsUp
    kDone,
    kFailed,  // failure() says why
  };

  // `tls`: upgrade with STARTTLS/STLS first. `hostname`: for EHLO and LHLO.
  Probe(Protocol protocol, Goal goal, bool tls, std::string hostname);

  // Any piece of the server's bytes. `send` is set to what goes to the server (may be empty).
  State OnBytes(std::string_view bytes, std::string& send);
  State OnTlsUp(std::string& send);

  // What the server showed, in the form of ProbedCapabilities. Empty where it knows no such
  // command.
  const std::vector<std::string>& capabilities() const { return capabilities_; }
  std::string_view failure() const { return failure_; }      // a literal
  bool greeted() const { return step_ != Step::kGreeting; }  // the greeting was good

 private:
  enum class Step : uint8_t { kGreeting, kHello, kUpgrade, kTlsHello, kCapabilities, kGoodbye };

  State OnLine(std::string_view line, std::string& send);
  State OnGreeting(std::string_view line, std::string& send);
  State OnAnswer(bool good, std::string& send);
  void Collect(std::string_view line, bool last);
  State Ask(Step step, std::string_view command, std::string& send);
  State AskCapabilities(std::string& send);
  State Fail(std::string_view why);

  Protocol protocol_;
  Goal goal_;
  bool tls_;
  std::string hostname_;
  Step step_ = Step::kGreeting;
  bool in_list_ = false;  // POP3: within the multi-line answer to CAPA
  std::string partial_;   // a line that is not complete, at most kMaxLine
  std::vector<std::string> capabilities_;
  std::string_view failure_;
};

}  // namespace postern
