#include "proxy/program_status.h"

#include <chrono>

#include "proxy/status_config.h"
#include "proxy/version.h"

namespace postern {
namespace {

constexpr size_t kMostThrottled = 100;

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
  DescribeConfig(snapshot.config, status);
  for (const auto& listener : snapshot.listeners) {
    if (listener->conf.own_limits.auth_failures_per_ip) {
      AddThrottled(status.throttled, listener->own->addresses,
                   listener->conf.limits.auth_failures_per_ip);
    }
  }
  AddThrottled(status.throttled, shared.addresses, snapshot.config.limits.auth_failures_per_ip);
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
