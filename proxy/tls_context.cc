#include "proxy/tls_context.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <span>

#include "filters/secret.h"
#include "filters/text.h"
#include "proxy/certificate_names.h"
#include "proxy/key_operation.h"

namespace postern {
namespace {

// Names that other protocols are registered under (IANA, TLS ALPN protocol IDs): with `lenient` an
// offer of these alone is an attack across protocols (ALPACA).
constexpr std::array<std::string_view, 30> kKnownProtocols = {
    "http/0.9",    "http/1.0",   "http/1.1", "h2",          "h2c",        "h3",
    "spdy/1",      "spdy/2",     "spdy/3",   "stun.turn",   "webrtc",     "c-webrtc",
    "ftp",         "imap",       "pop3",     "managesieve", "coap",       "xmpp-client",
    "xmpp-server", "acme-tls/1", "mqtt",     "dot",         "ntske/1",    "irc",
    "nntp",        "nnsp",       "smtp",     "esmtp",       "submission", "lmtp"};

std::span<const std::string_view> OwnAlpn(conf::Protocol protocol) {
  static constexpr std::array<std::string_view, 1> kImap = {"imap"};
  static constexpr std::array<std::string_view, 1> kPop3 = {"pop3"};
  static constexpr std::array<std::string_view, 3> kSmtp = {"smtp", "esmtp", "submission"};
  static constexpr std::array<std::string_view, 1> kLmtp = {"lmtp"};
  switch (protocol) {
    case conf::Protocol::kImap:
      return kImap;
    case conf::Protocol::kPop3:
      return kPop3;
    case conf::Protocol::kSmtp:
      return kSmtp;
    case conf::Protocol::kLmtp:
      break;
  }
  return kLmtp;
}

// Post-quantum first where the library has it.
#if defined(SSL_GROUP_X25519_MLKEM768)
constexpr const char* kBestGroups = "X25519MLKEM768:X25519:P-256:P-384";
#else
constexpr const char* kBestGroups = "X25519:P-256:P-384";
#endif

int Version(conf::TlsVersion version) {
  switch (version) {
    case conf::TlsVersion::kTls10:
      return TLS1_VERSION;
    case conf::TlsVersion::kTls11:
      return TLS1_1_VERSION;
    case conf::TlsVersion::kTls12:
      return TLS1_2_VERSION;
    case conf::TlsVersion::kTls13:
      break;
  }
  return TLS1_3_VERSION;
}

// OpenSSL's and the RFCs' names for what the library calls P-256 and so on.
std::string GroupName(std::string_view name) {
  if (EqualsIgnoreCase(name, "prime256v1") || EqualsIgnoreCase(name, "secp256r1")) return "P-256";
  if (EqualsIgnoreCase(name, "secp384r1")) return "P-384";
  if (EqualsIgnoreCase(name, "secp521r1")) return "P-521";
  if (EqualsIgnoreCase(name, "x25519")) return "X25519";
  return std::string(name);
}

int NoPassword(char*, int, int, void*) { return 0; }

bssl::UniquePtr<BIO> MemoryBio(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// All certificates of a file. None where one of them is broken: what comes behind it would be
// missed in silence.
std::vector<bssl::UniquePtr<X509>> ParseChain(std::string_view pem) {
  std::vector<bssl::UniquePtr<X509>> chain;
  const auto bio = MemoryBio(pem);
  ERR_clear_error();
  while (X509* x = PEM_read_bio_X509(bio.get(), nullptr, &NoPassword, nullptr))
    chain.emplace_back(x);
  const uint32_t why = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE;
  if (!at_end) chain.clear();
  ERR_clear_error();
  return chain;
}

std::string ListenerKey(const conf::Config& config, const conf::Listener& listener,
                        std::string_view key) {
  return config.PathOf(listener, key);
}

// What a ClientHello says that matters for the choice of a certificate, as far as the listener goes
// along with it.
struct ClientAbilities {
  bool ecdsa_ciphers = false;
  bool rsa_ciphers = false;
  bool tls13 = false;
  bool has_algorithms = false;
  std::vector<uint16_t> algorithms;

  bool Signs(std::span<const uint16_t> any_of) const {
    if (!has_algorithms) return true;
    return std::any_of(any_of.begin(), any_of.end(), [this](uint16_t id) {
      return std::find(algorithms.begin(), algorithms.end(), id) != algorithms.end();
    });
  }
};

// RFC 8446, 4.2.1.
bool OffersTls13(const SSL_CLIENT_HELLO& hello) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (!SSL_early_callback_ctx_extension_get(&hello, TLSEXT_TYPE_supported_versions, &data, &size)) {
    return false;
  }
  CBS body, list;
  CBS_init(&body, data, size);
  uint16_t version = 0;
  if (!CBS_get_u8_length_prefixed(&body, &list)) return false;
  while (CBS_get_u16(&list, &version)) {
    if (version == TLS1_3_VERSION) return true;
  }
  return false;
}

ClientAbilities ReadAbilities(const SSL_CLIENT_HELLO& hello) {
  SSL_CTX* context = SSL_get_SSL_CTX(hello.ssl);
  ClientAbilities client;
  client.tls13 = SSL_CTX_get_max_proto_version(context) >= TLS1_3_VERSION && OffersTls13(hello);
  CBS ciphers;
  CBS_init(&ciphers, hello.cipher_suites, hello.cipher_suites_len);
  uint16_t id = 0;
  while (CBS_get_u16(&ciphers, &id)) {
    const SSL_CIPHER* cipher = SSL_get_cipher_by_value(id);
    if (cipher == nullptr) continue;
    // In this order: most ciphers of a ClientHello are of a kind that is known already.
    const int auth = SSL_CIPHER_get_auth_nid(cipher);
    bool* const kind = auth == NID_auth_ecdsa ? &client.ecdsa_ciphers
                       : auth == NID_auth_rsa ? &client.rsa_ciphers
                                              : nullptr;
    if (kind == nullptr || *kind) continue;
    *kind = sk_SSL_CIPHER_find(SSL_CTX_get_ciphers(context), nullptr, cipher) != 0;
  }
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (SSL_early_callback_ctx_extension_get(&hello, TLSEXT_TYPE_signature_algorithms, &data,
                                           &size)) {
    CBS body, list;
    CBS_init(&body, data, size);
    client.has_algorithms = true;
    if (CBS_get_u16_length_prefixed(&body, &list)) {
      while (CBS_get_u16(&list, &id)) client.algorithms.push_back(id);
    }
  }
  return client;
}

std::string ReadServerName(const SSL_CLIENT_HELLO& hello) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (!SSL_early_callback_ctx_extension_get(&hello, TLSEXT_TYPE_server_name, &data, &size))
    return {};
  CBS body, list, name;
  uint8_t type = 0;
  CBS_init(&body, data, size);
  if (!CBS_get_u16_length_prefixed(&body, &list) || !CBS_get_u8(&list, &type) ||
      type != TLSEXT_NAMETYPE_host_name || !CBS_get_u16_length_prefixed(&list, &name)) {
    return {};
  }
  return std::string(reinterpret_cast<const char*>(CBS_data(&name)), CBS_len(&name));
}

}  // namespace

// One certificate with its key, ready for use.
struct ServerTls::Pair {
  CertificateInfo info;
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> chain;
  std::vector<CRYPTO_BUFFER*> chain_pointers;
  bssl::UniquePtr<EVP_PKEY> key;
  std::string ocsp;
  bool is_ecdsa = false;
  std::array<uint16_t, 3> algorithms{};  // any of these has to be the client's

  bool Load(std::string_view pem);
  bool Fits(const ClientAbilities& client) const {
    if (!client.Signs(algorithms)) return false;
    return client.tls13 || (is_ecdsa ? client.ecdsa_ciphers : client.rsa_ciphers);
  }
  // One of its names is this one, and no wildcard.
  bool Names(std::string_view host) const {
    return std::any_of(info.names.begin(), info.names.end(), [host](const std::string& name) {
      return !name.starts_with('*') && NameCovers(name, host);
    });
  }
  bool Covers(std::string_view host) const {
    return std::any_of(info.names.begin(), info.names.end(),
                       [host](const std::string& name) { return NameCovers(name, host); });
  }
};

bool ServerTls::Pair::Load(std::string_view pem) {
  const auto certificates = ParseChain(pem);
  if (certificates.empty()) return false;
  for (const auto& certificate : certificates) {
    uint8_t* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    if (size <= 0) return false;
    chain.emplace_back(CRYPTO_BUFFER_new(der, static_cast<size_t>(size), nullptr));
    OPENSSL_free(der);
    chain_pointers.push_back(chain.back().get());
  }
  X509* leaf = certificates.front().get();
  info.names = CertificateNames(leaf);
  info.issuer = IssuerName(leaf);
  info.key_kind = KeyKind(leaf);
  info.not_after = NotAfter(leaf);
  return true;
}

ServerTls::ServerTls() = default;
ServerTls::~ServerTls() = default;

std::shared_ptr<const ServerTls> ServerTls::Make(const conf::Config& config,
                                                 const conf::Listener& listener,
                                                 TicketKeys& tickets,
                                                 std::vector<conf::Mistake>& mistakes) {
  std::shared_ptr<ServerTls> self(new ServerTls());
  self->protocol_ = listener.protocol;
  self->alpn_ = listener.tls.alpn;
  const bool pairs_good = self->LoadPairs(config, listener, mistakes);
  const bool set_up = self->SetUp(config, listener, mistakes);
  if (!pairs_good || !set_up) return nullptr;
  tickets.Attach(self->context_.get());
  return self;
}

bool ServerTls::LoadPairs(const conf::Config& config, const conf::Listener& listener,
                          std::vector<conf::Mistake>& mistakes) {
  const std::string base = ListenerKey(config, listener, "tls.certificates");
  const size_t before = mistakes.size();
  for (size_t i = 0; i < listener.tls.certificates.size(); ++i) {
    const conf::Certificate& files = listener.tls.certificates[i];
    const std::string path = base + "[" + std::to_string(i) + "]";
    auto pair = std::make_unique<Pair>();
    pair->info.chain = files.chain;
    if (!pair->Load(ReadFile(files.chain))) {
      mistakes.push_back(config.MistakeAt(
          path + ".chain", "no certificate in PEM form in this file, or a broken one"));
      continue;
    }
    std::string key_pem = ReadFile(files.key);
    const auto bio = MemoryBio(key_pem);
    pair->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr));
    ERR_clear_error();
    Wipe(key_pem);
    if (!pair->key) {
      mistakes.push_back(config.MistakeAt(
          path + ".key", "no private key in PEM form in this file, or one with a password"));
      continue;
    }
    if (!KeyFits(pair->chain.front().get(), pair->key.get())) {
      mistakes.push_back(
          config.MistakeAt(path + ".key", "this key does not belong to the certificate"));
      continue;
    }
    pair->is_ecdsa = EVP_PKEY_id(pair->key.get()) == EVP_PKEY_EC;
    pair->algorithms = SignatureAlgorithms(pair->key.get());
    if (pair->algorithms[0] == 0) {
      mistakes.push_back(config.MistakeAt(
          path + ".key",
          "a key of this kind is not supported: RSA, ECDSA P-256, P-384 or P-521, Ed25519"));
      continue;
    }
    if (!files.ocsp.empty()) {
      pair->ocsp = ReadFile(files.ocsp);
      if (pair->ocsp.empty() || pair->ocsp.front() != 0x30) {  // DER SEQUENCE
        mistakes.push_back(
            config.MistakeAt(path + ".ocsp", "no OCSP response in DER form in this file"));
        continue;
      }
    }
    pairs_.push_back(std::move(pair));
  }
  return mistakes.size() == before;
}

bool ServerTls::SetUp(const conf::Config& config, const conf::Listener& listener,
                      std::vector<conf::Mistake>& mistakes) {
  const conf::Tls& tls = listener.tls;
  const size_t before = mistakes.size();
  auto complain = [&](std::string_view key, std::string message) {
    mistakes.push_back(config.MistakeAt(ListenerKey(config, listener, key), std::move(message)));
  };
  context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = context_.get();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_min_proto_version(context, static_cast<uint16_t>(Version(tls.min_version)));
  SSL_CTX_set_max_proto_version(context, static_cast<uint16_t>(Version(tls.max_version)));
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_early_data_enabled(context, 0);
  SSL_CTX_set_select_certificate_cb(context, &ServerTls::Select);
  if (!tls.ciphers.empty() && !SSL_CTX_set_strict_cipher_list(context, tls.ciphers.c_str())) {
    complain("tls.ciphers", "not a list of ciphers that the library knows");
  }
  std::string groups;
  for (const std::string& group : tls.groups) {
    if (!groups.empty()) groups += ':';
    groups += GroupName(group);
    if (groups.find("CECPQ2") != std::string::npos ||
        !SSL_CTX_set1_curves_list(context, GroupName(group).c_str())) {
      complain("tls.groups", "a group that the library does not know");
      break;
    }
  }
  SSL_CTX_set1_curves_list(context, groups.empty() ? kBestGroups : groups.c_str());
  if (tls.alpn != conf::Alpn::kOff)
    SSL_CTX_set_alpn_select_cb(context, &ServerTls::SelectAlpn, this);

  // Tickets are good only where the rules for client certificates are the same (CVE-2025-23419).
  std::string rules = "no client certificates";
  if (!tls.client_ca.empty()) {
    const std::string pem = ReadFile(tls.client_ca);
    const auto authorities = ParseChain(pem);
    if (authorities.empty())
      complain("tls.client_ca", "no certificate in PEM form in this file, or a broken one");
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const auto& authority : authorities) {
      X509_STORE_add_cert(store, authority.get());
      SSL_CTX_add_client_CA(context, authority.get());
    }
    const bool required = tls.client_certificate == conf::ClientCertificate::kRequired;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    rules = (required ? "required " : "optional ") + pem;
  }
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(rules.data()), rules.size(), digest.data());
  SSL_CTX_set_session_id_context(context, digest.data(), digest.size());
  ERR_clear_error();
  return mistakes.size() == before;
}

std::vector<CertificateInfo> ServerTls::Certificates() const {
  std::vector<CertificateInfo> all;
  for (const auto& pair : pairs_) all.push_back(pair->info);
  return all;
}

const ServerTls::Pair* ServerTls::Choose(const SSL_CLIENT_HELLO& hello) const {
  const ClientAbilities client = ReadAbilities(hello);
  const std::string host = ReadServerName(hello);
  // A name itself counts more than a wildcard; without a match the first certificate and those that
  // share a name with it.
  auto best = [&](auto&& eligible) -> const Pair* {
    const Pair* found = nullptr;
    for (const auto& pair : pairs_) {
      if (!eligible(*pair)) continue;
      if (found == nullptr || (!found->Fits(client) && pair->Fits(client)) ||
          (pair->Fits(client) && pair->is_ecdsa && !found->is_ecdsa)) {
        found = pair.get();
      }
    }
    return found;
  };
  if (!host.empty()) {
    const Pair* exact = best([&](const Pair& p) { return p.Names(host); });
    if (exact != nullptr && exact->Fits(client)) return exact;
    if (const Pair* pair = best([&](const Pair& p) { return p.Covers(host); })) return pair;
  }
  const Pair& first = *pairs_.front();
  return best([&](const Pair& p) {
    return &p == &first || std::any_of(p.info.names.begin(), p.info.names.end(),
                                       [&](const std::string& n) { return first.Covers(n); });
  });
}

enum ssl_select_cert_result_t ServerTls::Select(const SSL_CLIENT_HELLO* hello) {
  const auto* self =
      static_cast<const ServerTls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(hello->ssl)));
  const Pair* pair = self->Choose(*hello);
  // RSA signs ten times as long as ECDSA: on another thread.
  const bool slow = EVP_PKEY_id(pair->key.get()) == EVP_PKEY_RSA;
  const SSL_PRIVATE_KEY_METHOD* method = slow ? UseSlowKey(hello->ssl, pair->key.get()) : nullptr;
  if (!SSL_set_chain_and_key(hello->ssl, pair->chain_pointers.data(), pair->chain_pointers.size(),
                             slow ? nullptr : pair->key.get(), method)) {
    return ssl_select_cert_error;
  }
  if (!pair->ocsp.empty()) {
    SSL_set_ocsp_response(hello->ssl, reinterpret_cast<const uint8_t*>(pair->ocsp.data()),
                          pair->ocsp.size());
  }
  return ssl_select_cert_success;
}

int ServerTls::SelectAlpn(SSL*, const uint8_t** out, uint8_t* out_size, const uint8_t* in,
                          unsigned in_size, void* arg) {
  const auto* self = static_cast<const ServerTls*>(arg);
  CBS list, name;
  bool foreign = false;
  CBS_init(&list, in, in_size);
  while (CBS_get_u8_length_prefixed(&list, &name)) {
    const std::string_view offered(reinterpret_cast<const char*>(CBS_data(&name)), CBS_len(&name));
    const auto own = OwnAlpn(self->protocol_);
    if (std::find(own.begin(), own.end(), offered) != own.end()) {
      *out = CBS_data(&name);
      *out_size = static_cast<uint8_t>(CBS_len(&name));
      return SSL_TLSEXT_ERR_OK;
    }
    foreign = foreign || std::find(kKnownProtocols.begin(), kKnownProtocols.end(), offered) !=
                             kKnownProtocols.end();
  }
  const bool refuse = self->alpn_ == conf::Alpn::kStrict || foreign;
  return refuse ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

std::string AuthoritiesOf(const conf::Backend& backend) {
  return backend.verify.ca.empty() ? "/etc/ssl/certs/ca-certificates.crt" : backend.verify.ca;
}

bssl::UniquePtr<SSL_CTX> MakeClientContext(const conf::Config& config, const conf::Backend& backend,
                                           std::vector<conf::Mistake>& mistakes) {
  // Any TLS is more than the plain text that is the rule on this side: old servers know nothing
  // newer than 1.0.
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set1_curves_list(context.get(), kBestGroups);
  if (!backend.verify.on) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    return context;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (backend.verify.ca.empty()) {
    if (!SSL_CTX_load_verify_locations(context.get(), AuthoritiesOf(backend).c_str(), nullptr)) {
      SSL_CTX_set_default_verify_paths(context.get());
    }
  } else {
    const auto authorities = ParseChain(ReadFile(backend.verify.ca));
    if (authorities.empty()) {
      mistakes.push_back(config.MistakeAt(
          backend.path + ".verify.ca", "no certificate in PEM form in this file, or a broken one"));
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context.get());
    for (const auto& authority : authorities) X509_STORE_add_cert(store, authority.get());
    // A self-signed server certificate may be named as its own authority.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  }
  ERR_clear_error();
  return context;
}

std::string ReadFile(const std::string& path, size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string content(limit + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  const auto size = static_cast<size_t>(file.gcount());
  if (size > limit) return {};
  content.resize(size);
  return content;
}

}  // namespace postern
