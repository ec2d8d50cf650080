// Capability lists: what is learned from the server's, and what the client is shown of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/options.h"

namespace postern::imap {

// What the server of this connection has shown. One object a connection to it.
class ServerCapabilities {
 public:
  // Mechanisms remembered; the longest lists that servers send name about fifteen.
  static constexpr size_t kMaxMechanisms = 64;

  // Takes a list. `logging_in`: it came while a log-in was with the server, so that it is already
  // the list of the state behind it: then log-in mechanisms are not learned from it.
  void Learn(std::string_view words, bool logging_in);

  // Some list has come.
  bool known() const { return known_; }
  // The list cannot be had: go on without.
  void GiveUp() { known_ = true; }
  // True where the server takes a literal of this size as `{n+}` (RFC 7888).
  bool TakesPlus(uint64_t size) const {
    return literal_plus_ || (literal_minus_ && size <= kMinusLimit);
  }
  bool literals_without_waiting() const { return literal_plus_ || literal_minus_; }
  bool sasl_ir() const { return sasl_ir_; }
  bool login_disabled() const { return login_disabled_; }
  // UNAUTHENTICATE (RFC 8437) was shown at any time.
  bool unauthenticate() const { return unauthenticate_; }
  const std::vector<std::string>& mechanisms() const { return mechanisms_; }

 private:
  static constexpr uint64_t kMinusLimit = 4096;

  std::vector<std::string> mechanisms_;
  bool known_ = false;
  bool literal_plus_ = false;
  bool literal_minus_ = false;
  bool sasl_ir_ = false;
  bool login_disabled_ = false;
  bool unauthenticate_ = false;
};

// What one client is shown. Cheap to make; holds references.
class CapabilityView {
 public:
  CapabilityView(const FilterOptions& options, const ServerCapabilities& server, Channel channel)
      : options_(options), server_(server), channel_(channel) {}

  // The server's list for a client that has not logged in (`logged_in`: for one that has, or is
  // about to: nothing is added then).
  std::string Rewrite(std::string_view words, bool logged_in) const;
  // The list that Postern shows by itself (connect: at_login), made from the last probe's.
  std::string Own(const ProbedCapabilities& probed) const;

 private:
  bool Shown(std::string_view word, bool logged_in) const;
  bool MechanismShown(std::string_view mechanism, bool logged_in) const;
  bool Allowed(std::string_view mechanism) const;
  bool Denied(std::string_view command) const;
  void AppendOwn(std::string& list, bool has_sasl_ir) const;

  const FilterOptions& options_;
  const ServerCapabilities& server_;
  Channel channel_;
};

// Mechanisms that no proxy which ends TLS can pass, whatever the policy says.
bool NeverPasses(std::string_view mechanism);

// True where the upper-case list names `word` (in any case).
bool Names(const std::vector<std::string>& list, std::string_view word);

}  // namespace postern::imap
