#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "conf/check.h"

namespace postern::conf {
namespace {

// Certificates with long chains are some 20 KiB; a bundle of all public CAs is 250.
constexpr size_t kMaxNamedFile = 4 * 1024 * 1024;
constexpr size_t kTicketKey = 48;

struct Content {
  std::string bytes;
  std::string error;  // empty: read
};

Content ReadWhole(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return {"", std::strerror(errno)};
  if (S_ISDIR(status.st_mode)) return {"", "it is a directory"};
  if (!S_ISREG(status.st_mode)) return {"", "it is no plain file"};
  if (static_cast<size_t>(status.st_size) > kMaxNamedFile) return {"", "it is far too large"};
  errno = 0;
  std::ifstream stream;
  stream.rdbuf()->pubsetbuf(nullptr, 0);  // a key leaves no copy behind in a buffer
  stream.open(file, std::ios::binary);
  if (!stream) return {"", errno != 0 ? std::strerror(errno) : "it does not open"};
  Content content;
  content.bytes.resize(static_cast<size_t>(status.st_size));
  stream.read(content.bytes.data(), static_cast<std::streamsize>(content.bytes.size()));
  content.bytes.resize(static_cast<size_t>(stream.gcount()));
  if (stream.bad()) content.error = "reading it failed";
  return content;
}

bool Has(const std::string& bytes, std::string_view text) {
  return bytes.find(text) != std::string::npos;
}

bool HasCertificate(const std::string& bytes) {
  return Has(bytes, "-----BEGIN CERTIFICATE-----") ||
         Has(bytes, "-----BEGIN X509 CERTIFICATE-----") ||
         Has(bytes, "-----BEGIN TRUSTED CERTIFICATE-----");
}

bool HasKey(const std::string& bytes) { return Has(bytes, "PRIVATE KEY-----"); }

std::string WrongChain(const std::string& bytes) {
  if (HasCertificate(bytes)) return "";
  if (HasKey(bytes)) return "holds a key and no certificate: are chain and key swapped?";
  return "is no PEM file with a certificate";
}

std::string WrongKey(const std::string& bytes) {
  if (Has(bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || Has(bytes, "Proc-Type: 4,ENCRYPTED")) {
    return "holds a key that is locked with a passphrase, and nobody is there to type it";
  }
  if (HasKey(bytes)) return "";
  if (HasCertificate(bytes)) return "holds a certificate and no key: are chain and key swapped?";
  return "is no PEM file with a private key";
}

std::string WrongOcsp(const std::string& bytes) {
  constexpr char kSequence = 0x30;  // of OCSPResponse, RFC 6960, 4.2.1
  if (!bytes.empty() && bytes.front() == kSequence) return "";
  return "is no OCSP response in DER";
}

std::string WrongTicketKeys(const std::string& bytes) {
  if (!bytes.empty() && bytes.size() % kTicketKey == 0) return "";
  return "is " + std::to_string(bytes.size()) + " bytes long: keys of 48 bytes make 48, 96, 144, …";
}

// What is wrong with the content of a file; empty: nothing.
std::string WrongWith(FileRef::Kind kind, const std::string& bytes) {
  switch (kind) {
    case FileRef::Kind::kCertificateChain:
    case FileRef::Kind::kClientCa:
    case FileRef::Kind::kBackendCa:
      return WrongChain(bytes);
    case FileRef::Kind::kPrivateKey:
      return WrongKey(bytes);
    case FileRef::Kind::kOcspResponse:
      return WrongOcsp(bytes);
    case FileRef::Kind::kTicketKeys:
      return WrongTicketKeys(bytes);
  }
  return "";
}

void CheckFile(const FileRef& ref, const Config& config, Report& report) {
  Content content = ReadWhole(ref.file);
  const std::string shown = Quote(ref.file) == "this value" ? "the file" : Quote(ref.file);
  if (!content.error.empty()) {
    report.Error(config.At(ref.path), ref.path, shown + " cannot be read: " + content.error);
    return;
  }
  const std::string wrong = WrongWith(ref.kind, content.bytes);
  if (ref.kind == FileRef::Kind::kPrivateKey || ref.kind == FileRef::Kind::kTicketKeys) {
    explicit_bzero(content.bytes.data(), content.bytes.size());
  }
  if (!wrong.empty()) report.Error(config.At(ref.path), ref.path, shown + " " + wrong);
}

void CheckAccounts(const Config& config, Report& report) {
  if (!config.user.empty() && getpwnam(config.user.c_str()) == nullptr) {
    report.Error(config.At("user"), "user", "there is no user " + Quote(config.user));
  }
  if (!config.group.empty() && getgrnam(config.group.c_str()) == nullptr) {
    report.Error(config.At("group"), "group", "there is no group " + Quote(config.group));
  }
}

}  // namespace

void CheckFiles(const Config& config, Report& report) {
  for (const FileRef& ref : config.files) CheckFile(ref, config, report);
  CheckAccounts(config, report);
}

}  // namespace postern::conf
