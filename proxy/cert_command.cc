#include "proxy/cert_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "proxy/cert_maker.h"

namespace postern {
namespace {

constexpr mode_t kKeyMode = 0600;
constexpr mode_t kCertificateMode = 0644;
constexpr int kMaxDays = 36500;

// A file that comes into being whole: written beside its place under a name of its own, and put
// there at once.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), beside_(path_ + ".XXXXXX") {}
  NewFile(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) {
      close(fd_);
      unlink(beside_.c_str());
    }
  }

  bool Write(std::string_view bytes, mode_t mode) {
    fd_ = mkostemp(beside_.data(), O_CLOEXEC);  // mode 0600
    if (fd_ < 0) return false;
    while (!bytes.empty()) {
      ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    struct stat old {};
    // Who reads the file that is replaced shall be able to read the new one.
    if (stat(path_.c_str(), &old) == 0 && fchown(fd_, old.st_uid, old.st_gid) != 0) errno = 0;
    return fchmod(fd_, mode) == 0 && fsync(fd_) == 0;
  }

  bool Publish(bool replace) {
    if (replace) {
      if (rename(beside_.c_str(), path_.c_str()) != 0) return false;
      close(fd_);
      fd_ = -1;
      return true;
    }
    return link(beside_.c_str(), path_.c_str()) == 0;  // the other name goes with this object
  }

 private:
  std::string path_;
  std::string beside_;
  int fd_ = -1;
};

int Fail(const std::string& what) {
  std::fprintf(stderr, "postern cert: %s\n", what.c_str());
  return 1;
}

int FailAt(const std::string& file) {
  if (errno == EEXIST) return Fail(file + " is there already; --force replaces it");
  return Fail(file + ": " + std::strerror(errno));
}

bool Exists(const std::string& file) {
  struct stat info {};
  if (lstat(file.c_str(), &info) != 0) return false;
  errno = EEXIST;
  return true;
}

int WriteBoth(const CertArguments& arguments, const Secret& key, const std::string& certificate) {
  NewFile key_file(arguments.key);
  if (!key_file.Write(key.Reveal(), kKeyMode)) return FailAt(arguments.key);
  NewFile certificate_file(arguments.certificate);
  if (!certificate_file.Write(certificate, kCertificateMode)) return FailAt(arguments.certificate);
  if (!key_file.Publish(arguments.force)) return FailAt(arguments.key);
  if (!certificate_file.Publish(arguments.force)) return FailAt(arguments.certificate);
  return 0;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void Report(const CertArguments& arguments) {
  std::printf("key:     %s (%s)\n", arguments.key.c_str(),
              arguments.rsa ? "RSA 2048" : "ECDSA P-256");
  std::string names = Joined(arguments.names);
  if (arguments.kind == CertArguments::Kind::kRequest) {
    std::printf("request: %s (for %s)\n", arguments.certificate.c_str(), names.c_str());
  } else {
    std::printf("chain:   %s (for %s, good for %d days)\n", arguments.certificate.c_str(),
                names.c_str(), arguments.days);
  }
}

// The options that both kinds have. `arguments` is filled by the parse.
CLI::App* AddKind(CLI::App& cert, const char* name, const char* description,
                  std::shared_ptr<CertArguments> arguments, int& status) {
  CLI::App* command = cert.add_subcommand(name, description);
  command
      ->add_option_function<std::vector<std::string>>(
          "--name",
          [arguments](const std::vector<std::string>& lists) {
            arguments->names = SplitNames(Joined(lists));
            for (const std::string& one : arguments->names) {
              std::string fault = NameFault(one);
              if (!fault.empty()) throw CLI::ValidationError("--name", fault);
            }
          },
          "host names and IP addresses that it is for")
      ->required()
      ->type_name("NAME[,NAME...]");
  command->add_option("--key", arguments->key, "file for the private key, made with mode 0600")
      ->required()
      ->type_name("FILE");
  command->add_flag("--rsa", arguments->rsa, "an RSA 2048 key in place of ECDSA P-256");
  command->add_flag("--force", arguments->force, "replace files that are there already");
  command->final_callback([arguments, &status] {
    if (arguments->key == arguments->certificate) {
      throw CLI::ValidationError("--key", "has to be another file than the other one");
    }
    status = RunCert(*arguments);
  });
  return command;
}

}  // namespace

int RunCert(const CertArguments& arguments) {
  if (!arguments.force) {
    if (Exists(arguments.key)) return FailAt(arguments.key);
    if (Exists(arguments.certificate)) return FailAt(arguments.certificate);
  }
  bssl::UniquePtr<EVP_PKEY> key =
      MakeKey(arguments.rsa ? KeyKindToMake::kRsa2048 : KeyKindToMake::kEcdsaP256);
  if (!key) return Fail("no key could be made");
  std::optional<Secret> key_pem = KeyPem(key.get());
  std::optional<std::string> certificate =
      arguments.kind == CertArguments::Kind::kRequest
          ? RequestPem(key.get(), arguments.names)
          : SelfSignedPem(key.get(), arguments.names, std::chrono::system_clock::now(),
                          arguments.days);
  if (!key_pem || !certificate) return Fail("no certificate could be made");
  int status = WriteBoth(arguments, *key_pem, *certificate);
  if (status == 0) Report(arguments);
  return status;
}

void AddCertCommand(CLI::App& app, int& status) {
  CLI::App* cert = app.add_subcommand("cert", "make a key with a certificate or a signing request");
  cert->require_subcommand(1);

  auto self_signed = std::make_shared<CertArguments>();
  CLI::App* command =
      AddKind(*cert, "self-signed", "make a key and a certificate that it signed itself",
              self_signed, status);
  command->add_option("--chain", self_signed->certificate, "file for the certificate")
      ->required()
      ->type_name("FILE");
  command->add_option("--days", self_signed->days, "how long it is good")
      ->check(CLI::Range(1, kMaxDays))
      ->type_name("DAYS")
      ->capture_default_str();

  auto request = std::make_shared<CertArguments>();
  request->kind = CertArguments::Kind::kRequest;
  command = AddKind(*cert, "request", "make a key and a request for a certificate authority",
                    request, status);
  command->add_option("--csr", request->certificate, "file for the signing request")
      ->required()
      ->type_name("FILE");
}

}  // namespace postern
