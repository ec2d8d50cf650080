// The load generator: see --help.
#include <sys/resource.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "bench/loadgen/options.h"
#include "bench/loadgen/report.h"
#include "bench/loadgen/runner.h"

namespace {

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace postern::loadgen;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(std::string(HelpText()).c_str(), stdout);
    return 0;
  }
  std::string error;
  std::optional<Options> options = ParseCommandLine(argc, argv, error);
  if (!options) {
    std::fprintf(stderr, "loadgen: %s\n", error.c_str());
    return 2;
  }
  RaiseDescriptorLimit();
  Result result;
  Runner runner(*options);
  if (!runner.Run(result)) {
    std::fprintf(stderr, "loadgen: %s is no address\n", options->host.c_str());
    return 1;
  }
  WriteReport(*options, result, stdout);
  bool complete = IsCold(options->mode) || result.open == options->connections;
  return complete && result.operations + result.open > 0 ? 0 : 1;
}
