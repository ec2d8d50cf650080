// The admin address: /metrics, /healthz, /readyz, /status.json and the page at /. libmicrohttpd on
// a thread of its own, over listening sockets that are opened here or handed over; a slow reader
// never touches a worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postern {

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
  ~AdminServer();

  void SetHosts(std::vector<std::string> hosts);  // reload

 private:
  AdminServer();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace postern
