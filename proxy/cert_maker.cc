#include "proxy/cert_maker.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace postern {
namespace {

constexpr size_t kMaxName = 253;       // RFC 1035, 2.3.4, in text form
constexpr size_t kMaxLabel = 63;       // RFC 1035, 2.3.4
constexpr size_t kMaxCommonName = 64;  // RFC 5280, A.1, ub-common-name
constexpr size_t kSerialBytes = 16;    // RFC 5280, 4.1.2.2, allows 20
constexpr int kRsaBits = 2048;

bool IsAddress(std::string_view name) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  std::string text(name);
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

// In the notation that BoringSSL takes, as openssl's configuration files do. No name without a
// fault holds a comma or a colon that would mean something here.
std::string AlternativeNames(const std::vector<std::string>& names) {
  std::string value;
  for (const std::string& name : names) {
    if (!value.empty()) value += ',';
    value += (IsAddress(name) ? "IP:" : "DNS:") + name;
  }
  return value;
}

bool SetSubject(X509_NAME* subject, const std::vector<std::string>& names) {
  auto fits = [](const std::string& name) { return name.size() <= kMaxCommonName; };
  auto found = std::find_if(names.begin(), names.end(), fits);
  std::string common = found == names.end() ? "postern" : *found;
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const uint8_t*>(common.c_str()), -1, -1,
                                    0) == 1;
}

bssl::UniquePtr<X509_EXTENSION> Extension(X509V3_CTX& context, int nid, const std::string& value) {
  return bssl::UniquePtr<X509_EXTENSION>(
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
}

bool AddExtensions(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  // RSA key transport of TLS 1.2 enciphers; nothing else of TLS does.
  bool rsa = EVP_PKEY_id(key) == EVP_PKEY_RSA;
  const std::pair<int, std::string> extensions[] = {
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage,
       rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature"},
      {NID_ext_key_usage, "serverAuth"},
      {NID_subject_alt_name, AlternativeNames(names)},
      {NID_subject_key_identifier, "hash"}};
  for (const auto& [nid, value] : extensions) {
    bssl::UniquePtr<X509_EXTENSION> extension = Extension(context, nid, value);
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return true;
}

bool SetSerial(X509* certificate) {
  std::array<uint8_t, kSerialBytes> bytes;
  RAND_bytes(bytes.data(), bytes.size());
  bytes[0] = static_cast<uint8_t>((bytes[0] & 0x7F) | 0x40);  // positive, and of full length
  bssl::UniquePtr<BIGNUM> number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

std::optional<std::string> Contents(BIO* bio) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (BIO_mem_contents(bio, &data, &size) != 1) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(data), size);
}

}  // namespace

std::string NameFault(std::string_view name) {
  if (IsAddress(name)) return "";
  if (name.empty()) return "an empty name";
  std::string quoted = "\"" + std::string(name.substr(0, kMaxName)) + "\"";
  if (name.size() > kMaxName) return quoted + " is too long";
  if (name.starts_with("*.")) name.remove_prefix(2);
  while (true) {
    size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) {
      return quoted + " is no host name and no IP address (other scripts: as xn--…)";
    }
    if (dot == std::string_view::npos) return "";
    name.remove_prefix(dot + 1);
  }
}

std::vector<std::string> SplitNames(std::string_view list) {
  std::vector<std::string> names;
  while (true) {
    size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    std::string name(part);
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (comma == std::string_view::npos) return names;
    list.remove_prefix(comma + 1);
  }
}

bssl::UniquePtr<EVP_PKEY> MakeKey(KeyKindToMake kind) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (!key) return nullptr;
  if (kind == KeyKindToMake::kRsa2048) {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    if (!rsa || !exponent || BN_set_word(exponent.get(), RSA_F4) != 1 ||
        RSA_generate_key_ex(rsa.get(), kRsaBits, exponent.get(), nullptr) != 1 ||
        EVP_PKEY_set1_RSA(key.get(), rsa.get()) != 1) {
      return nullptr;
    }
    return key;
  }
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  if (!ec || EC_KEY_generate_key(ec.get()) != 1 || EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) {
    return nullptr;
  }
  return key;
}

std::optional<Secret> KeyPem(EVP_PKEY* key) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));  // wiped by the library when freed
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      BIO_mem_contents(bio.get(), &data, &size) != 1) {
    return std::nullopt;
  }
  return Secret(std::string_view(reinterpret_cast<const char*>(data), size));
}

std::optional<std::string> SelfSignedPem(EVP_PKEY* key, const std::vector<std::string>& names,
                                         std::chrono::system_clock::time_point now, int days) {
  time_t start = std::chrono::system_clock::to_time_t(now);
  bssl::UniquePtr<X509> certificate(X509_new());
  bssl::UniquePtr<X509_NAME> subject(X509_NAME_new());
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (!certificate || !subject || !bio ||
      X509_set_version(certificate.get(), X509_VERSION_3) != 1 || !SetSerial(certificate.get()) ||
      !SetSubject(subject.get(), names) ||
      X509_set_subject_name(certificate.get(), subject.get()) != 1 ||
      X509_set_issuer_name(certificate.get(), subject.get()) != 1 ||
      ASN1_TIME_adj(X509_getm_notBefore(certificate.get()), start, 0, 0) == nullptr ||
      ASN1_TIME_adj(X509_getm_notAfter(certificate.get()), start, days, 0) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1 ||
      !AddExtensions(certificate.get(), key, names) ||
      X509_sign(certificate.get(), key, EVP_sha256()) == 0 ||
      PEM_write_bio_X509(bio.get(), certificate.get()) != 1) {
    return std::nullopt;
  }
  return Contents(bio.get());
}

std::optional<std::string> RequestPem(EVP_PKEY* key, const std::vector<std::string>& names) {
  bssl::UniquePtr<X509_REQ> request(X509_REQ_new());
  bssl::UniquePtr<X509_NAME> subject(X509_NAME_new());
  bssl::UniquePtr<STACK_OF(X509_EXTENSION)> extensions(sk_X509_EXTENSION_new_null());
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (!request || !subject || !extensions || !bio) return std::nullopt;
  X509V3_CTX context;
  X509V3_set_ctx(&context, nullptr, nullptr, request.get(), nullptr, 0);
  bssl::UniquePtr<X509_EXTENSION> extension =
      Extension(context, NID_subject_alt_name, AlternativeNames(names));
  if (!extension || !bssl::PushToStack(extensions.get(), std::move(extension)) ||
      X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      !SetSubject(subject.get(), names) ||
      X509_REQ_set_subject_name(request.get(), subject.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_add_extensions(request.get(), extensions.get()) != 1 ||
      X509_REQ_sign(request.get(), key, EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
    return std::nullopt;
  }
  return Contents(bio.get());
}

}  // namespace postern
