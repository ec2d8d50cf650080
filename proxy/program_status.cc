#include "proxy/program_status.h"

#include <chrono>

#include "conf/matrix.h"
#include "proxy/version.h"

namespace postern {
namespace {

constexpr size_t kMostThrottled = 100;

void AddCell(std::vector<PolicyStatus>& policy, const conf::MatrixTable& table,
             const conf::MatrixRow& row, const conf::MatrixCell& cell, Channel channel) {
  if (cell.outcome == conf::MatrixCell::Outcome::kNone) return;
  PolicyStatus status;
  status.listener = table.listener;
  status.mechanism = row.mechanism;
  status.channel = channel;
  status.shown = cell.outcome != conf::MatrixCell::Outcome::kBlocked;
  status.to = cell.to;
  if (cell.observed) {
    status.action = PolicyStatus::Action::kObserved;
  } else if (cell.outcome == conf::MatrixCell::Outcome::kRewritten) {
    status.action = PolicyStatus::Action::kRewritten;
  } else if (cell.outcome == conf::MatrixCell::Outcome::kPassed) {
    status.action = PolicyStatus::Action::kPassed;
  }
  policy.push_back(std::move(status));
}

void AddThrottled(std::vector<ThrottledStatus>& all, const AddressTable& table,
                  const conf::Rate& rate) {
  const auto now = std::chrono::system_clock::now();
  for (const AddressTable::Row& row :
       table.ThrottledNow(rate, AddressTable::Clock::now(), kMostThrottled)) {
    all.push_back({row.address, row.failures, now + row.left});
  }
}

}  // namespace

Status StatusOf(const Snapshot& snapshot, const Shared& shared) {
  Status status;
  status.version = Version();
  for (const auto& listener : snapshot.listeners) {
    ListenerStatus row;
    row.name = listener->conf.name;
    row.protocol = Name(listener->conf.protocol);
    row.address = listener->conf.address.Text();
    row.tls = Name(listener->conf.tls.mode);
    row.backend = listener->backend->name();
    status.listeners.push_back(std::move(row));
    if (listener->conf.own_limits.auth_failures_per_ip) {
      AddThrottled(status.throttled, listener->own->addresses,
                   listener->conf.limits.auth_failures_per_ip);
    }
  }
  AddThrottled(status.throttled, shared.addresses, snapshot.config.limits.auth_failures_per_ip);
  for (const conf::MatrixTable& table : conf::MatrixOf(snapshot.config)) {
    for (const conf::MatrixRow& row : table.rows) {
      AddCell(status.policy, table, row, row.clear, Channel::kClear);
      AddCell(status.policy, table, row, row.tls, Channel::kTls);
    }
  }
  for (const auto& backend : snapshot.backends) {
    for (const auto& server : backend->servers()) {
      const Server::View view = server->view();
      BackendStatus row;
      row.backend = backend->name();
      row.server = server->name();
      row.up = view.up;
      if (view.checked) row.since = view.since;
      row.last_error = view.last_error;
      status.backends.push_back(std::move(row));
    }
  }
  for (const CertificateInfo& info : snapshot.Certificates()) {
    status.certificates.push_back(
        {info.chain, info.names, info.issuer, info.key_kind,
         StatusTime(std::chrono::seconds(static_cast<int64_t>(info.not_after)))});
  }
  return status;
}

}  // namespace postern
