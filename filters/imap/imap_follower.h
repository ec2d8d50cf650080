// Watches the two streams of an IMAP session after its log-in: where lines and literals end, which
// answers are owed, and that neither UNAUTHENTICATE (RFC 8437) nor a second STARTTLS reaches the
// server. A few dozen bytes of state; nothing is held or copied.
#pragma once

#include <memory>

#include "filters/filter.h"

namespace postern {

struct ImapFollowerOptions {
  bool unauthenticate = false;  // the server has shown it: COMPRESS is stopped, too
  bool literal_plus = false;    // the server has shown LITERAL+ or LITERAL-
  bool one_at_a_time = false;   // pipelining: false
};

std::unique_ptr<Follower> MakeImapFollower(const ImapFollowerOptions& options);

}  // namespace postern
