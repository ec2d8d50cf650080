// What a configuration says of the status: its listeners and who may log in how.
#pragma once

#include "conf/config.h"
#include "proxy/status.h"

namespace postern {

// Sets `listeners` and `policy`, the counts still zero.
void DescribeConfig(const conf::Config& config, Status& status);

}  // namespace postern
