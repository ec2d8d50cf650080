// How much power the process keeps. Main thread, before any other thread is there.
#pragma once

#include <cstdint>
#include <string>

namespace postern {

// Raises the soft limit of descriptors to the hard one; returns what counts then.
uint64_t RaiseDescriptorLimit();

// No core dumps, no ptrace by others of the same user (PR_SET_DUMPABLE), no new privileges by exec.
void LockDown();

// As root: becomes `user` (and `group`; empty: the user's own), keeping only CAP_NET_BIND_SERVICE
// and CAP_DAC_READ_SEARCH, so that a reload can still open low ports and keys of mode 0600. Nothing
// happens with an empty user. False with `error` set where it cannot be done.
bool DropPrivileges(const std::string& user, const std::string& group, std::string& error);

}  // namespace postern
