// What the client is shown of the log-ins and commands that there are: the backend's CAPA (RFC
// 2449) and AUTH lists rewritten, and lists of Postern's own where the backend has none (contract,
// section 5). Knows the policy and the channel, and does no I/O. Owned by a filter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/options.h"
#include "filters/policy.h"

namespace postern::pop3 {

class Offer {
 public:
  // `options` outlive it.
  explicit Offer(const FilterOptions& options) : options_(options) {}

  void set_channel(Channel channel) { channel_ = channel; }
  Channel channel() const { return channel_; }

  // The policy's word on a mechanism (BASIC, APOP or a SASL name) here and now. `observed` is set
  // where it is allowed only because of `enforce: observe`.
  Verdict Judge(std::string_view mechanism, bool* observed = nullptr) const;
  bool Allows(std::string_view mechanism) const { return Judge(mechanism) == Verdict::kAllow; }
  // Whether Postern takes that log-in itself.
  bool Takes(std::string_view mechanism) const;
  // Whether the backend's profile hides a mechanism that would pass.
  bool IsMechanismHidden(std::string_view mechanism) const;
  // Whether Postern offers the upgrade here.
  bool OffersStls() const { return options_.starttls && channel_ == Channel::kClear; }
  // Whether commands that lead neither to TLS nor to a log-in are refused for now.
  bool HoldsBack() const { return OffersStls() && !options_.observe; }

  // The greeting's text without the stamp where APOP is never allowed (RFC 1939, section 7).
  std::string EditGreeting(std::string_view text) const;

  // The backend's lists, line by line (without line ends), each between BeginList and its end. What
  // the client gets in a line's place is appended to `out`.
  void BeginList() { shown_ = {}; }
  void EditCapability(std::string_view line, std::string& out);
  void EndCapabilities(std::string& out);
  // The list that a bare AUTH brings: a mechanism a line.
  void EditMechanism(std::string_view line, std::string& out);
  void EndMechanisms(std::string& out);

  // Whole answers where no backend gives one. `probed` may be null.
  bool HasOwnCapabilities() const;
  std::string OwnCapabilities(const std::vector<std::string>* probed);
  bool HasOwnMechanisms() const { return options_.TakesLogins(); }
  std::string OwnMechanisms();

 private:
  bool IsHidden(std::string_view capability) const;
  bool IsDenied(std::string_view command) const;
  bool ShowsStls() const { return OffersStls() && !IsDenied("STLS"); }
  // The mechanisms of a SASL line that may be shown, each with a blank before it.
  std::string FilterMechanisms(std::string_view list) const;
  // Those that Postern takes itself, in the same form.
  std::string OwnSasl() const;

  // What this answer has shown already.
  struct Shown {
    bool user = false;
    bool sasl = false;
  };

  const FilterOptions& options_;
  Channel channel_ = Channel::kClear;
  Shown shown_;
};

}  // namespace postern::pop3
