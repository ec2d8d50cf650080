#include "proxy/status_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

#include "conf/load.h"
#include "proxy/http_get.h"
#include "proxy/status_table.h"

namespace postern {
namespace {

constexpr int kOk = 200;

struct StatusArguments {
  std::string config;
  std::string admin;
  bool ready = false;
};

int Fail(const std::string& what) {
  std::fprintf(stderr, "postern status: %s\n", what.c_str());
  return 1;
}

bool TerminalWithColour() {
  const char* no_colour = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

// The admin address that a configuration names. The files that it names besides are not looked at:
// whoever asks for the status need not be able to read keys.
std::optional<conf::Address> AddressFromConfig(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    Fail(file + ": " + std::strerror(errno));
    return std::nullopt;
  }
  conf::LoadResult loaded = conf::LoadFromString(text.str(), file, false);
  if (!loaded.ok()) {
    for (const conf::Mistake& mistake : loaded.mistakes) {
      if (mistake.severity != conf::Mistake::Severity::kError) continue;
      std::fprintf(stderr, "%s\n", mistake.Text().c_str());
    }
    return std::nullopt;
  }
  if (!loaded.config->admin.address) Fail("admin.address is off in " + file);
  return loaded.config->admin.address;
}

int Run(const StatusArguments& arguments) {
  std::optional<conf::Address> address = conf::Admin().address;
  if (!arguments.admin.empty()) address = conf::ParseAddress(arguments.admin).value;
  if (!arguments.config.empty()) address = AddressFromConfig(arguments.config);
  if (!address) return 1;
  return arguments.ready ? RunReady(*address) : RunStatus(*address, TerminalWithColour());
}

}  // namespace

int RunStatus(const conf::Address& admin, bool colour) {
  HttpAnswer answer = HttpGet(admin, "/status.json");
  if (answer.status == 0) return Fail(admin.Text() + ": " + answer.error);
  std::optional<std::string> table;
  if (answer.status == kOk) table = StatusTable(answer.body, colour);
  if (!table) return Fail(admin.Text() + ": what answers there is no Postern of this version");
  std::fputs(table->c_str(), stdout);
  return 0;
}

int RunReady(const conf::Address& admin) { return HttpGet(admin, "/readyz").status == kOk ? 0 : 1; }

void AddStatusCommand(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("status", "show how a running Postern is");
  auto arguments = std::make_shared<StatusArguments>();
  CLI::Option* config =
      command->add_option("-c,--config", arguments->config, "take the admin address from here")
          ->type_name("FILE");
  command
      ->add_option("--admin", arguments->admin,
                   "the admin address: host:port, :port or unix:/path; without it and -c "
                   "127.0.0.1:9190")
      ->type_name("ADDRESS")
      ->check(
          [](const std::string& text) {
            return text.empty() ? std::string("is empty") : conf::ParseAddress(text).error;
          },
          "")
      ->excludes(config);
  command->add_flag("--ready", arguments->ready,
                    "print nothing; the exit status is 0 if it is ready, else 1");
  command->final_callback([arguments, &app, &status] {
    // -c may stand in front of the command, too.
    const CLI::Option* before = app.get_option_no_throw("--config");
    const bool asked = !arguments->config.empty() || !arguments->admin.empty();
    if (before != nullptr && before->count() > 0 && !asked) {
      arguments->config = before->as<std::string>();
    }
    status = Run(*arguments);
  });
}

}  // namespace postern
