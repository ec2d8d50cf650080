// Listening sockets: opened by the main thread, one per worker with SO_REUSEPORT, lent to the
// workers. A Unix socket is one for all workers; it is bound under another name and renamed into
// place, so that a client finds either the old or the new one.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "conf/address.h"

namespace postern {

class ListenSocket {
 public:
  ListenSocket() = default;
  ~ListenSocket() { Close(); }
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&& other) noexcept;

  // `count` descriptors for one address; `error` says what went wrong (false then). `reuse_port`
  // false: exactly one.
  static bool Open(const conf::Address& address, size_t count, ListenSocket& socket,
                   std::string& error);
  // Takes over descriptors that a service manager kept (LISTEN_FDS); as many as there are.
  static ListenSocket Adopt(const conf::Address& address, std::vector<int> fds);

  const conf::Address& address() const { return address_; }
  const std::vector<int>& fds() const { return fds_; }
  bool open() const { return !fds_.empty(); }

  // Steers new connections away from these sockets to those of another process, where there are any
  // (the sockets of this process came first into the group). Called before the queues are emptied
  // and the sockets closed.
  void SteerAway() const;
  // Closes them; a Unix socket's name goes too where it is still ours.
  void Close();
  // Others have these sockets, too: closing them here takes neither their name nor their clients.
  void LeaveToOthers() { left_to_others_ = true; }

 private:
  bool OpenUnix(std::string& error);
  bool OpenTcp(size_t count, std::string& error);

  conf::Address address_;
  std::vector<int> fds_;
  size_t group_ = 1;  // how many of them share one address (a host name may stand for several)
  ino_t inode_ = 0;   // of a Unix socket's name
  bool left_to_others_ = false;
};

}  // namespace postern
