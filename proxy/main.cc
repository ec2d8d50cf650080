// The command line of postern: docs/operations.md and `postern --help`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "conf/matrix.h"
#include "proxy/cert_command.h"
#include "proxy/program.h"
#include "proxy/status_command.h"
#include "proxy/version.h"

namespace {

int Check(const std::string& file, bool matrix) {
  postern::Shared shared(1);
  std::vector<postern::conf::Mistake> mistakes;
  const auto snapshot = postern::Judge(postern::conf::Load(file), shared, nullptr, mistakes);
  for (const auto& mistake : mistakes) std::cerr << mistake.Text() << '\n';
  if (!snapshot) return 1;
  if (matrix) std::cout << postern::conf::MatrixText(postern::conf::MatrixOf(snapshot->config));
  return 0;
}

// -c may stand in front of the command as well as behind it.
void NeedConfig(const std::string& file) {
  if (file.empty()) throw CLI::RequiredError("--config");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"TLS for mail servers that have none: a proxy for IMAP, POP3, SMTP and LMTP."};
  app.name("postern");
  app.footer(
      "postern -c FILE is short for postern run -c FILE. Documentation: man postern, man "
      "postern.yaml.");
  app.set_version_flag("--version", [] { return postern::VersionText(); });
  int status = 0;
  std::string file;
  bool matrix = false;
  app.add_option("-c,--config", file, "the configuration")->type_name("FILE");

  CLI::App* run = app.add_subcommand("run", "serve in the foreground");
  run->add_option("-c,--config", file, "the configuration (YAML)")->type_name("FILE");
  run->callback([&] {
    NeedConfig(file);
    status = postern::Program(file).Run();
  });

  CLI::App* check = app.add_subcommand("check", "read and judge the configuration, open nothing");
  check->add_option("-c,--config", file, "the configuration (YAML)")->type_name("FILE");
  check->add_flag("--matrix", matrix, "print who may log in how");
  check->callback([&] {
    NeedConfig(file);
    status = Check(file, matrix);
  });

  postern::AddCertCommand(app, status);
  postern::AddStatusCommand(app, status);

  app.add_subcommand("version", "show the program, its libraries and their versions")->callback([] {
    std::cout << postern::VersionText();
  });
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!app.get_subcommands().empty()) return status;
  if (file.empty()) {
    std::cerr << app.help();
    return 2;
  }
  return postern::Program(file).Run();
}
