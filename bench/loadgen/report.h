// Writes a result as JSON.
#pragma once

#include <cstdio>

#include "bench/loadgen/options.h"
#include "bench/loadgen/runner.h"

namespace postern::loadgen {

void WriteReport(const Options& options, const Result& result, std::FILE* file);

}  // namespace postern::loadgen
