// Opens the listening socket of the admin address. Main thread, before privileges are dropped.
#pragma once

#include <string>

#include "conf/address.h"

namespace postern {

struct AdminSocket {
  int fd = -1;          // the caller's; -1: `error` says why
  bool shared = false;  // another process, most likely an older instance of this one, listens there
                        // too: answers come from either
  std::string error;
};

// A host name is resolved, and every address of this machine means both families. A Unix socket is
// made beside its path and renamed into place, so that a stale one is no obstacle and a second
// instance takes over; only this user and group may connect. TCP ports are shared with other
// processes of the same user, as those of the listeners are.
AdminSocket OpenAdminSocket(const conf::Address& address);

}  // namespace postern
