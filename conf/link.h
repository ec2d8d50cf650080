// Joins what was read apart: names for listeners, addresses held against each other, and the
// backend of each listener. Private to conf/.
#pragma once

#include <string>
#include <vector>

#include "conf/schema.h"

namespace postern::conf {

// Gives the listeners without a name protocol-port or protocol-file, made longer where that is
// taken; complains about names written twice.
void NameListeners(std::vector<ListenerDraft>& drafts, Report& report);

// Every address may be bound once, the admin's included.
void CheckAddresses(const std::vector<ListenerDraft>& drafts, const Config& config, Report& report);

// Fills config.listeners with the drafts whose protocol is known, and config.backends with those
// that they use.
void LinkBackends(std::vector<ListenerDraft> drafts, std::vector<BackendDraft> named,
                  Config& config, Report& report);

}  // namespace postern::conf
