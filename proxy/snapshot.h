// Everything that a configuration comes to once it is loaded: contexts, options, backends,
// counters. One immutable object behind a shared_ptr: a session keeps the one that it began with, a
// reload puts a new one in each worker. Made on the main thread. (This is the one shared_ptr with a
// reason: nobody knows which session is the last to need it.)
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "conf/config.h"
#include "filters/options.h"
#include "proxy/address_table.h"
#include "proxy/backend.h"
#include "proxy/metrics.h"
#include "proxy/ticket_keys.h"
#include "proxy/tls_context.h"

namespace postern {

// What outlives snapshots and is shared by all of them.
struct Shared {
  explicit Shared(size_t workers);

  MetricsRegistry metrics;
  AddressTable addresses;                    // of the general limits
  std::atomic<uint64_t> connections{0};      // over all listeners
  std::atomic<uint64_t> max_connections{0};  // limits.connections, lowered to the descriptor limit
  TicketKeys own_tickets;
  std::string hostname;
};

// One listener, ready to serve.
struct ListenerRuntime {
  conf::Listener conf;
  FilterOptions options;
  std::shared_ptr<TicketKeys> ticket_file;  // null: own keys
  std::shared_ptr<const ServerTls> tls;     // null with mode none
  std::shared_ptr<Backend> backend;
  // Limits that the listener has for itself (conf::OwnLimits); kept over a reload by name.
  struct Own {
    std::atomic<uint64_t> connections{0};
    AddressTable addresses;
  };
  std::shared_ptr<Own> own;
  std::vector<ListenerCounters*> counters;            // by worker
  std::vector<std::vector<ServerCounters*>> servers;  // [server of the backend][worker]
};

struct Snapshot {
  conf::Config config;
  std::vector<std::unique_ptr<ListenerRuntime>> listeners;
  std::vector<std::shared_ptr<Backend>> backends;  // as config.backends

  const ListenerRuntime* Find(const std::string& name) const;
  const ListenerRuntime* At(const std::string& address) const;  // conf::Address::Text
  std::map<std::string, const ListenerRuntime*, std::less<>> by_address;
  std::vector<CertificateInfo> Certificates() const;
};

// `previous` (may be null) lends what has not changed: backends keep the health of their servers,
// listeners their own limits. Null where something is wrong with a file; mistakes are appended,
// warnings too.
std::shared_ptr<const Snapshot> MakeSnapshot(conf::Config config, Shared& shared,
                                             const Snapshot* previous,
                                             std::vector<conf::Mistake>& mistakes);

// What else is wrong with a configuration that has mistakes already: what the TLS library says of
// its certificates, keys, ciphers and groups. Places that were complained about get no second word.
void FindMoreMistakes(const conf::Config& draft, std::vector<conf::Mistake>& mistakes);

}  // namespace postern
