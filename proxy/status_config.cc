#include "proxy/status_config.h"

#include <string>

#include "conf/matrix.h"

namespace postern {
namespace {

using Outcome = conf::MatrixCell::Outcome;

void AddCell(const std::string& listener, const std::string& mechanism, Channel channel,
             const conf::MatrixCell& cell, Status& status) {
  if (cell.outcome == Outcome::kNone) return;
  PolicyStatus policy;
  policy.listener = listener;
  policy.mechanism = mechanism;
  policy.channel = channel;
  policy.to = cell.to;
  policy.shown = cell.outcome != Outcome::kBlocked;
  if (cell.observed) {
    policy.action = PolicyStatus::Action::kObserved;
  } else if (cell.outcome == Outcome::kPassed) {
    policy.action = PolicyStatus::Action::kPassed;
  } else if (cell.outcome == Outcome::kRewritten) {
    policy.action = PolicyStatus::Action::kRewritten;
  }
  status.policy.push_back(std::move(policy));
}

}  // namespace

void DescribeConfig(const conf::Config& config, Status& status) {
  status.listeners.clear();
  status.policy.clear();
  for (const conf::Listener& listener : config.listeners) {
    ListenerStatus& shown = status.listeners.emplace_back();
    shown.name = listener.name;
    shown.protocol = Name(listener.protocol);
    shown.address = listener.address.Text();
    shown.tls = Name(listener.tls.mode);
    shown.backend = config.backends[listener.backend].name;
  }
  for (const conf::MatrixTable& table : conf::MatrixOf(config)) {
    for (const conf::MatrixRow& row : table.rows) {
      AddCell(table.listener, row.mechanism, Channel::kClear, row.clear, status);
      AddCell(table.listener, row.mechanism, Channel::kTls, row.tls, status);
    }
  }
}

}  // namespace postern
