// The IMAP filter: docs/architecture.md tells what a filter is, filters/filter.h how it is used.
#pragma once

#include <memory>

#include "filters/filter.h"

namespace postern {

// `options` outlive the filter; `info` is copied.
std::unique_ptr<Filter> MakeImapFilter(const FilterOptions& options, const SessionInfo& info);

}  // namespace postern
