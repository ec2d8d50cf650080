// The one place where the configuration meets the filters: options from conf's words, filters by
// protocol.
#pragma once

#include <memory>
#include <string>

#include "conf/config.h"
#include "filters/filter.h"
#include "filters/options.h"

namespace postern {

Protocol ToFilter(conf::Protocol protocol);
FilterOptions MakeFilterOptions(const conf::Listener& listener, const conf::Backend& backend,
                                const std::string& hostname);
std::unique_ptr<Filter> MakeFilter(const FilterOptions& options, const SessionInfo& info);

}  // namespace postern
