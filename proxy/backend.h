// A backend and its servers while the program runs: which are up, where they are, which one is
// next. Shared by all workers; what changes is atomic or behind a lock that is taken once a
// connection. Health checks and name resolution live on the main thread (proxy/health.h) and write
// here.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "filters/options.h"

namespace postern {

class TlsBio;
class TlsEngine;

using Addresses = std::shared_ptr<const std::vector<sockaddr_storage>>;

class Server {
 public:
  explicit Server(conf::Server conf);

  const conf::Server& conf() const { return conf_; }
  const std::string& name() const { return conf_.name; }

  // Sessions connected to it, over all workers.
  std::atomic<int> active{0};

  bool up() const { return up_.load(std::memory_order_relaxed); }
  bool checked() const { return checked_.load(std::memory_order_relaxed); }
  // Empty while its name does not resolve.
  Addresses addresses() const;
  void SetAddresses(Addresses addresses);
  // A connection failed: its name is looked up again soon.
  void WantResolve() { resolve_wanted_.store(true, std::memory_order_relaxed); }
  bool TakeResolveWanted() { return resolve_wanted_.exchange(false, std::memory_order_relaxed); }

  // Main thread: the outcome of a health check. True where `up` has changed with it.
  bool Checked(bool good, std::string_view error, const conf::Health& health);

  struct View {
    bool up = true;
    bool checked = false;
    std::chrono::system_clock::time_point since;
    std::string last_error;
  };
  View view() const;

 private:
  conf::Server conf_;
  std::atomic<bool> up_{true};
  std::atomic<bool> checked_{false};
  std::atomic<bool> resolve_wanted_{false};
  mutable std::mutex mutex_;
  Addresses addresses_;
  std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
  std::string last_error_;
  uint32_t good_in_row_ = 0;
  uint32_t bad_in_row_ = 0;
};

class Backend {
 public:
  // `authorities`: a hash of the CA file that went into `client_context`.
  Backend(conf::Backend conf, bssl::UniquePtr<SSL_CTX> client_context,
          std::string authorities = {});

  const conf::Backend& conf() const { return conf_; }
  const std::string& name() const { return conf_.name; }
  const std::string& authorities() const { return authorities_; }
  // TLS to a server, with the name that its certificate is held against; null where there is none
  // to hold it against.
  std::unique_ptr<TlsEngine> MakeTls(size_t server, TlsBio& bio) const;
  std::vector<std::unique_ptr<Server>>& servers() { return servers_; }
  const std::vector<std::unique_ptr<Server>>& servers() const { return servers_; }

  // The servers to try for a client, best first: those that are up by `balance`, then the others.
  // `source` is a hash of the client's address.
  std::vector<uint32_t> Order(uint64_t source);
  bool HasServerUp() const;
  // Each server has had its first health check.
  bool Checked() const;

  ProbedCapabilities probed() const;
  void SetProbed(std::vector<std::string> capabilities);

 private:
  uint32_t RoundRobin(const std::vector<uint32_t>& from);
  uint32_t LeastConnections(const std::vector<uint32_t>& from) const;
  uint32_t BySource(const std::vector<uint32_t>& from, uint64_t source) const;

  conf::Backend conf_;
  bssl::UniquePtr<SSL_CTX> client_context_;
  std::string authorities_;
  std::vector<std::unique_ptr<Server>> servers_;
  mutable std::mutex mutex_;
  std::vector<int64_t> credit_;  // of the smooth weighted round robin
  ProbedCapabilities probed_;
};

}  // namespace postern
