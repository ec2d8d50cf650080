// The admin address: /metrics, /healthz, /readyz, /status.json and the page at /. libmicrohttpd on
// a thread of its own, over a listening socket that is opened by OpenAdminSocket
// (proxy/admin_socket.h) or was handed over; a slow reader never touches a worker.
//
// GET and HEAD alone. Over TCP the Host of a request has to be an IP address, a name of this
// machine or one of admin.hosts, or a web page could read what is here by DNS rebinding. A Unix
// socket is no place that a browser can be led to, so there any Host will do.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postern {

// What a peer may take. A connection is cut off where it neither sends nor takes a byte for
// kAdminIdle, or where one request with its answer lasts kAdminExchange; more connections than
// kMaxAdminConnections wait in the socket's queue.
inline constexpr unsigned kMaxAdminConnections = 256;
inline constexpr size_t kMaxAdminHead = 32 * 1024;  // bytes of a request before its body
inline constexpr size_t kMaxAdminBody = 64 * 1024;  // a body is of no use; this much is read over
inline constexpr std::chrono::seconds kAdminIdle{10};
inline constexpr std::chrono::seconds kAdminExchange{20};

// What the admin server shows. Called on its thread: everything behind these has to be safe for
// that.
struct AdminSource {
  std::function<std::string()> metrics;      // the text of /metrics
  std::function<std::string()> status_json;  // /status.json
  // Empty when ready, else the reason in a few words.
  std::function<std::string()> not_ready;
};

class AdminServer {
 public:
  // `listen_fd` is a listening TCP or Unix stream socket, taken over. `hosts`: admin.hosts.
  // Null with `error` set where it cannot start.
  static std::unique_ptr<AdminServer> Start(int listen_fd, AdminSource source,
                                            std::vector<std::string> hosts, std::string& error);
  // Ends its thread and closes the socket and all connections.
  ~AdminServer();

  void SetHosts(std::vector<std::string> hosts);  // reload; any thread

 private:
  AdminServer();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace postern
