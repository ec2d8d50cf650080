// The SMTP filter, and LMTP where it differs (RFC 2033): filters/filter.h tells how a filter is
// used.
#pragma once

#include <memory>

#include "filters/filter.h"

namespace postern {

// `options` outlive the filter; `info` is copied. `options.protocol` is kSmtp or kLmtp.
std::unique_ptr<Filter> MakeSmtpFilter(const FilterOptions& options, const SessionInfo& info);

}  // namespace postern
