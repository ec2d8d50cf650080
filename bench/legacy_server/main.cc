// The canned legacy mail server: see --help.
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/legacy_server/loop.h"
#include "bench/legacy_server/options.h"

namespace postern::legacy {
namespace {

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string Describe(const Endpoint& endpoint) {
  bool v6 = endpoint.host.find(':') != std::string::npos;
  std::string host = v6 ? "[" + endpoint.host + "]" : endpoint.host;
  return std::string(ProtocolName(endpoint.protocol)) + " " + host + ":" +
         std::to_string(endpoint.port);
}

// The first loop may choose ports; the others use the same.
bool ListenAll(Loop& loop, std::vector<Endpoint>& endpoints) {
  for (Endpoint& endpoint : endpoints) {
    if (loop.Listen(endpoint)) continue;
    std::fprintf(stderr, "legacy_server: %s: %s\n", Describe(endpoint).c_str(),
                 std::strerror(errno));
    return false;
  }
  return true;
}

int Serve(const Options& options) {
  RaiseDescriptorLimit();
  std::unique_ptr<Journal> journal;
  if (!options.log_file.empty()) {
    journal = std::make_unique<Journal>(options.log_file);
    if (!journal->good()) {
      std::fprintf(stderr, "legacy_server: %s: %s\n", options.log_file.c_str(),
                   std::strerror(errno));
      return 1;
    }
  }
  Store store(options);
  Shared shared{options, store, journal.get()};
  std::vector<Endpoint> endpoints = options.endpoints;
  std::vector<std::unique_ptr<Loop>> loops;
  for (size_t i = 0; i < options.threads; ++i) {
    loops.push_back(std::make_unique<Loop>(shared));
    if (!ListenAll(*loops.back(), endpoints)) return 1;
  }
  for (const Endpoint& endpoint : endpoints) std::printf("%s\n", Describe(endpoint).c_str());
  std::printf("ready\n");
  std::fflush(stdout);
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < loops.size(); ++i) {
    threads.emplace_back([loop = loops[i].get()] { loop->Run(); });
  }
  loops.front()->Run();
}

}  // namespace
}  // namespace postern::legacy

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(std::string(postern::legacy::Usage()).c_str(), stdout);
    return 0;
  }
  std::string error;
  std::optional<postern::legacy::Options> options =
      postern::legacy::ParseCommandLine(argc, argv, error);
  if (!options) {
    std::fprintf(stderr, "legacy_server: %s\n", error.c_str());
    return 2;
  }
  return postern::legacy::Serve(*options);
}
