// What is written in a certificate, in the words that people use for it.
#pragma once

#include <openssl/base.h>
#include <openssl/pool.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

// subjectAltName's DNS names (lower case) and IP addresses; the subject's CN where there are none.
std::vector<std::string> CertificateNames(X509* certificate);
// RFC 6125, 6.4.3: `name` may start with "*.", which stands for one label. Any case.
bool NameCovers(std::string_view name, std::string_view host);
std::string IssuerName(X509* certificate);
std::string KeyKind(X509* certificate);  // "ECDSA P-256", "RSA 2048", "Ed25519"
double NotAfter(X509* certificate);      // Unix time
bool KeyFits(CRYPTO_BUFFER* certificate_der, EVP_PKEY* key);
// The TLS signature algorithms that a key can make (RFC 8446, 4.2.3); zeros where it is of no use
// for TLS.
std::array<uint16_t, 3> SignatureAlgorithms(EVP_PKEY* key);

}  // namespace postern
