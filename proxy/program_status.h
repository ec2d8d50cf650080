// The part of the status that a snapshot and the shared state tell. Main thread.
#pragma once

#include "proxy/snapshot.h"
#include "proxy/status.h"

namespace postern {

// Everything but what only the program knows (start, readiness, reloads) and what the metrics tell.
Status StatusOf(const Snapshot& snapshot, const Shared& shared);

}  // namespace postern
