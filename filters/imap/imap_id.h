// The ID command (RFC 2971): a client's own is passed on without what only a proxy may say, and
// Postern says who the client is (forward_client: id) in the names that Dovecot takes from a
// trusted proxy.
#pragma once

#include <string>
#include <string_view>

#include "filters/imap/imap_outgoing.h"
#include "filters/options.h"

namespace postern::imap {

enum class IdVerdict : uint8_t {
  kMalformed,
  kClean,     // may pass as it is
  kStripped,  // something has to be taken out
};

// `arguments`: all behind `ID `, literals in it with their bytes.
IdVerdict JudgeId(std::string_view arguments);

// Appends `arguments` to `out` without the forbidden fields; each value as it was written, literals
// in the form that the server takes. Only for arguments that are not malformed.
void AppendCleanId(std::string_view arguments, Outgoing& out);

// `tag ID (…)` with what the session knows of its client, CRLF included.
std::string OwnId(std::string_view tag, const SessionInfo& info);

}  // namespace postern::imap
