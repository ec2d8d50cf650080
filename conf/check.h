// What can only be said of a whole configuration: settings that do not go together (errors), and
// settings that are weaker than they look (warnings). Private to conf/.
#pragma once

#include "conf/config.h"
#include "conf/report.h"

namespace postern::conf {

// Both skip what a listener without a backend (kNoBackend) cannot be asked.
void CheckTogether(const Config& config, Report& report);
void WarnOfWeakness(const Config& config, Report& report);

// The files that the configuration names: there, readable, and of the kind that they should be.
// User and group are looked up too.
void CheckFiles(const Config& config, Report& report);

}  // namespace postern::conf
