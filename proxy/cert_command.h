// `postern cert self-signed` and `postern cert request` (the contract's section 2): a key, mode
// 0600, with a certificate or a signing request. On the main thread, with no configuration.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace postern {

struct CertArguments {
  enum class Kind { kSelfSigned, kRequest };

  Kind kind = Kind::kSelfSigned;
  std::vector<std::string> names;  // without faults (proxy/cert_maker.h), at least one
  std::string key;                 // file to make
  std::string certificate;         // file to make: the chain, or the request
  int days = 90;                   // kSelfSigned
  bool rsa = false;
  bool force = false;  // replaces files that are there; a running program sees the old or the new
};

// Makes the two files, and says so on stdout, or what is wrong on stderr. Without `force` a file
// that is there already is left as it is and nothing is made. Returns the exit status: 0 or 1.
int RunCert(const CertArguments& arguments);

// Adds the subcommand. Where it is used the parse runs it and leaves the exit status in `status`;
// both live as long as `app`. A bad name, days or a missing option is a CLI::ParseError.
void AddCertCommand(CLI::App& app, int& status);

}  // namespace postern
