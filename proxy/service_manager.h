// What systemd (or anything that speaks its protocol) is told and gives: READY=1 and its like over
// NOTIFY_SOCKET, the watchdog, and listening sockets that outlive a restart in its descriptor store
// (LISTEN_FDS, sd_notify(3), sd_listen_fds(3)). Main thread. Without a service manager every call
// does nothing.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

class ServiceManager {
 public:
  // Reads the environment and removes from it what is for this process alone.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // Listening sockets that were kept for this address, by conf::Address::Text. The caller owns them
  // then.
  std::vector<int> TakeKept(const std::string& address);
  // Closes those that no listener asked for, and has them forgotten.
  void DropUnused();
  // Hands copies over for safe keeping; true where there is a store that may keep them.
  bool Keep(const std::string& address, const std::vector<int>& fds);
  void Forget(const std::string& address);
  bool keeps() const { return keeps_; }

  void Ready();
  void Reloading();
  void Stopping();
  // How often Alive has to be called at least; nullopt: not at all.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }
  void Alive();

 private:
  bool Send(std::string_view state, const std::vector<int>& fds = {});
  static std::string NameOf(const std::string& address);

  std::string socket_path_;
  int socket_ = -1;
  bool keeps_ = false;
  std::optional<std::chrono::microseconds> watchdog_;
  std::map<std::string, std::vector<int>> kept_;  // by FDNAME
};

}  // namespace postern
