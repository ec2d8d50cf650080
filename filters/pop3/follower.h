// Watches a POP3 session after its log-in: which answers are owed and whether one of several lines
// has ended. A few dozen bytes of state, no allocation, nothing held or copied.
#pragma once

#include <memory>

#include "filters/filter.h"

namespace postern::pop3 {

// `pipelining`: false where the server takes one command at a time.
std::unique_ptr<Follower> MakeFollower(bool pipelining);

}  // namespace postern::pop3
