#include "proxy/certificate_names.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "filters/text.h"

namespace postern {
namespace {

std::string Text(const ASN1_STRING* string) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                     static_cast<size_t>(ASN1_STRING_length(string)));
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string NameEntry(const X509_NAME* name, int nid) {
  const int index = X509_NAME_get_index_by_NID(name, nid, -1);
  if (index < 0) return {};
  return Text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
}

std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return {};
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text.data(), text.size());
  return text.data();
}

int CurveOf(EVP_PKEY* key) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);
  return ec != nullptr ? EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) : NID_undef;
}

}  // namespace

std::vector<std::string> CertificateNames(X509* certificate) {
  std::vector<std::string> names;
  bssl::UniquePtr<GENERAL_NAMES> list(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (size_t i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type == GEN_DNS) names.push_back(Lower(Text(name->d.dNSName)));
    if (name->type == GEN_IPADD) names.push_back(AddressText(name->d.iPAddress));
  }
  if (names.empty()) {
    const std::string common = NameEntry(X509_get_subject_name(certificate), NID_commonName);
    if (!common.empty()) names.push_back(Lower(common));
  }
  return names;
}

bool NameCovers(std::string_view name, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!name.starts_with("*.")) return EqualsIgnoreCase(name, host);
  const size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 &&
         EqualsIgnoreCase(name.substr(1), host.substr(dot));
}

std::string IssuerName(X509* certificate) {
  const X509_NAME* issuer = X509_get_issuer_name(certificate);
  std::string name = NameEntry(issuer, NID_commonName);
  const std::string organization = NameEntry(issuer, NID_organizationName);
  if (!organization.empty()) name = name.empty() ? organization : organization + ", " + name;
  return name;
}

std::string KeyKind(X509* certificate) {
  bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(certificate));
  if (!key) return "unknown";
  switch (EVP_PKEY_id(key.get())) {
    case EVP_PKEY_RSA:
      return "RSA " + std::to_string(EVP_PKEY_bits(key.get()));
    case EVP_PKEY_EC: {
      const char* curve = EC_curve_nid2nist(CurveOf(key.get()));
      return std::string("ECDSA ") + (curve != nullptr ? curve : "of an unknown curve");
    }
    case EVP_PKEY_ED25519:
      return "Ed25519";
    default:
      return "unknown";
  }
}

double NotAfter(X509* certificate) {
  int days = 0;
  int seconds = 0;
  bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  if (!epoch || !ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate))) {
    return 0;
  }
  return days * 86400.0 + seconds;
}

bool KeyFits(CRYPTO_BUFFER* certificate_der, EVP_PKEY* key) {
  bssl::UniquePtr<X509> certificate(X509_parse_from_buffer(certificate_der));
  return certificate && X509_check_private_key(certificate.get(), key) == 1;
}

std::array<uint16_t, 3> SignatureAlgorithms(EVP_PKEY* key) {
  switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_RSA:
      return {SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256, SSL_SIGN_RSA_PKCS1_SHA1};
    case EVP_PKEY_EC:
      break;
    case EVP_PKEY_ED25519:
      return {SSL_SIGN_ED25519, SSL_SIGN_ED25519, SSL_SIGN_ED25519};
    default:
      return {};
  }
  switch (CurveOf(key)) {
    case NID_X9_62_prime256v1:
      return {SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SHA1,
              SSL_SIGN_ECDSA_SECP256R1_SHA256};
    case NID_secp384r1:
      return {SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_ECDSA_SHA1,
              SSL_SIGN_ECDSA_SECP384R1_SHA384};
    case NID_secp521r1:
      return {SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_ECDSA_SHA1,
              SSL_SIGN_ECDSA_SECP521R1_SHA512};
    default:
      return {};
  }
}

}  // namespace postern
