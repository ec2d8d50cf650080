// links: postern_proxy
// The TLS engine, driven as a stream drives it, against a BoringSSL peer in this process whose
// records are changed, dropped, doubled, cut short or mixed with raw bytes on their way. However
// the same bytes are cut into reads, the same plaintext and the same end come out; nothing comes
// out behind an end; and what nobody has touched comes out whole.
//
// Input: a byte of flags, one for the cuts, one for the size of reads, then changes of four bytes
// each (see Apply); kRaw is followed by as many bytes as it says.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proxy/tls_engine.h"

namespace {

using namespace postern;

enum Flag : uint8_t { kEngineIsClient = 1, kTls12 = 2, kSecret = 4, kSaysGoodbye = 8 };
enum Kind : uint8_t { kData, kFlip, kDrop, kDouble, kCut, kRaw, kKeyUpdate, kLength };

constexpr std::string_view kGreeting = "* OK [CAPABILITY IMAP4rev1] ready\r\n";
constexpr size_t kMostChanges = 24;
constexpr size_t kMostData = 40'000;
constexpr size_t kByteByByte = 3'000;
constexpr size_t kHeader = 5;

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Change {
  Kind kind = kData;
  uint8_t mask = 0;
  size_t record = 0;  // of all that the peer has sent, counted from 0
  size_t value = 0;
  std::string raw;
};

struct Plan {
  uint8_t flags = 0;
  uint8_t cuts = 0;
  size_t capacity = 0;
  std::vector<Change> changes;

  bool is(Flag flag) const { return (flags & flag) != 0; }
  bool untouched() const {
    return std::all_of(changes.begin(), changes.end(),
                       [](const Change& c) { return c.kind == kData || c.kind == kKeyUpdate; });
  }
};

Plan ParsePlan(std::string_view input) {
  Plan plan;
  const auto next = [&input] {
    if (input.empty()) return uint8_t{0};
    const auto byte = static_cast<uint8_t>(input[0]);
    input.remove_prefix(1);
    return byte;
  };
  plan.flags = next();
  plan.cuts = next();
  plan.capacity = size_t{next()} * 64 + 1;
  size_t data = 0;
  while (input.size() >= 4 && plan.changes.size() < kMostChanges) {
    Change change;
    const uint8_t kind = next();
    change.kind = static_cast<Kind>(kind & 7);
    change.mask = static_cast<uint8_t>(kind >> 3 | 1);
    change.record = next();
    change.value = size_t{next()} << 8;
    change.value |= next();
    if (change.kind == kRaw) {
      change.raw = input.substr(0, change.value % 256);
      input.remove_prefix(change.raw.size());
    } else if (change.kind == kData) {
      change.value = std::min(change.value, kMostData - data);
      data += change.value;
    }
    plan.changes.push_back(std::move(change));
  }
  return plan;
}

// Ed25519, whose signatures always have the same size: runs differ in no length.
struct Contexts {
  bssl::UniquePtr<SSL_CTX> server{SSL_CTX_new(TLS_method())};
  bssl::UniquePtr<SSL_CTX> client{SSL_CTX_new(TLS_method())};

  Contexts() {
    EVP_PKEY* made = nullptr;
    bssl::UniquePtr<EVP_PKEY_CTX> maker(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
    Require(EVP_PKEY_keygen_init(maker.get()) == 1 && EVP_PKEY_keygen(maker.get(), &made) == 1);
    const bssl::UniquePtr<EVP_PKEY> key(made);
    const bssl::UniquePtr<X509> certificate(X509_new());
    X509_gmtime_adj(X509_get_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_get_notAfter(certificate.get()), 86400);
    X509_set_pubkey(certificate.get(), key.get());
    Require(X509_sign(certificate.get(), key.get(), nullptr) > 0);
    Require(SSL_CTX_use_certificate(server.get(), certificate.get()) == 1);
    Require(SSL_CTX_use_PrivateKey(server.get(), key.get()) == 1);
    const uint16_t algorithm = SSL_SIGN_ED25519;
    Require(SSL_CTX_set_verify_algorithm_prefs(client.get(), &algorithm, 1) == 1);
    SSL_CTX_set_session_cache_mode(server.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
  }

  void SetVersion(uint16_t version) const {
    for (SSL_CTX* context : {server.get(), client.get()}) {
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
      SSL_CTX_set_max_proto_version(context, version);
    }
  }
};

const Contexts& TheContexts() {
  static const Contexts contexts;
  return contexts;
}

// The other end: says what the plan says as soon as its handshake is done.
class Peer {
 public:
  explicit Peer(const Plan& plan) : plan_(plan) {
    const Contexts& contexts = TheContexts();
    const bool is_server = plan.is(kEngineIsClient);
    ssl_.reset(SSL_new(is_server ? contexts.server.get() : contexts.client.get()));
    is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
    BIO_set_mem_eof_return(SSL_get_wbio(ssl_.get()), -1);
  }

  // Takes what the engine has written; returns what it says to that, changed as planned.
  std::string Hear(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    if (!up_ && SSL_do_handshake(ssl_.get()) == 1) {
      up_ = true;
      Talk();
    }
    if (up_) Listen();
    ERR_clear_error();
    return Spoil();
  }

  const std::string& said() const { return said_; }
  const std::string& heard() const { return heard_; }

 private:
  void Talk() {
    for (const Change& change : plan_.changes) {
      if (change.kind == kData && change.value > 0) {
        const std::string data(change.value, static_cast<char>('a' + said_.size() % 26));
        SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
        said_ += data;
      } else if (change.kind == kKeyUpdate && !plan_.is(kTls12)) {
        SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
      }
    }
    if (plan_.is(kSaysGoodbye)) SSL_shutdown(ssl_.get());
  }

  void Listen() {
    char buffer[4096];
    for (int size; (size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;) {
      heard_.append(buffer, static_cast<size_t>(size));
    }
  }

  std::string Spoil() {
    const uint8_t* bytes = nullptr;
    size_t size = 0;
    BIO_mem_contents(SSL_get_wbio(ssl_.get()), &bytes, &size);
    std::string_view written(reinterpret_cast<const char*>(bytes), size);
    std::string out;
    while (written.size() >= kHeader) {
      const size_t length =
          kHeader + (static_cast<uint8_t>(written[3]) << 8) + static_cast<uint8_t>(written[4]);
      Require(length <= written.size());
      if (!cut_) out += Apply(std::string(written.substr(0, length)));
      written.remove_prefix(length);
      ++records_;
    }
    BIO_reset(SSL_get_wbio(ssl_.get()));
    return out;
  }

  std::string Apply(std::string record) {
    std::string before;
    for (const Change& change : plan_.changes) {
      if (change.record != records_ || record.empty()) continue;
      switch (change.kind) {
        case kFlip:
          record[change.value % record.size()] ^= static_cast<char>(change.mask);
          break;
        case kDrop:
          record.clear();
          break;
        case kDouble:
          record += record;
          break;
        case kCut:
          record.resize(change.value % record.size());
          cut_ = true;
          break;
        case kRaw:
          before += change.raw;
          break;
        case kLength:
          if (record.size() < kHeader) break;
          record[3] = static_cast<char>(change.value >> 8);
          record[4] = static_cast<char>(change.value);
          break;
        case kData:
        case kKeyUpdate:
          break;
      }
    }
    return before + record;
  }

  const Plan& plan_;
  bssl::UniquePtr<SSL> ssl_;
  std::string said_, heard_;
  size_t records_ = 0;
  bool up_ = false;
  bool cut_ = false;
};

struct Outcome {
  bool up = false;
  std::string plaintext;
  TlsResult end = TlsResult::kWant;
  TlsFailure failure = TlsFailure::kOther;
  std::string text;
  std::string said, heard;

  bool operator==(const Outcome& other) const {
    return std::tie(up, plaintext, end, failure, text, said, heard) ==
           std::tie(other.up, other.plaintext, other.end, other.failure, other.text, other.said,
                    other.heard);
  }
};

// One connection from its first byte to its end. `piece` says how many bytes the next read brings.
class Connection {
 public:
  explicit Connection(const Plan& plan)
      : plan_(plan),
        peer_(plan),
        engine_(plan.is(kEngineIsClient) ? TheContexts().client.get() : TheContexts().server.get(),
                !plan.is(kEngineIsClient), io_) {
    if (plan.is(kEngineIsClient)) Require(engine_.SetServerName("mail.example.test", false));
  }

  template <typename Piece>
  Outcome Run(Piece piece) {
    if (plan_.is(kEngineIsClient)) Receive({});
    std::string wire = Exchange();
    for (size_t at = 0; at < wire.size() && outcome_.end == TlsResult::kWant;) {
      const std::string read = wire.substr(at, std::clamp<size_t>(piece(), 1, Scratch::kRead));
      at += read.size();
      Receive(read);
      wire += Exchange();
    }
    if (outcome_.end != TlsResult::kWant) NothingMore();
    outcome_.said = peer_.said();
    outcome_.heard = peer_.heard();
    return outcome_;
  }

 private:
  std::string Exchange() {
    std::string answer = peer_.Hear(out_.view());
    out_.Clear();
    return answer;
  }

  // As Stream::Receive does it.
  void Receive(std::string_view bytes) {
    io_.Direct(out_);
    io_.Feed(bytes);
    if (!engine_.up()) {
      outcome_.end = engine_.Handshake();
      if (outcome_.end == TlsResult::kDone) {
        outcome_.up = true;
        outcome_.end = TlsResult::kWant;
        Require(engine_.Write(kGreeting));
        ReadAll();
      }
    } else {
      ReadAll();
    }
    if (outcome_.end == TlsResult::kWant) Require(io_.drained());
    if (outcome_.end == TlsResult::kError) {
      outcome_.failure = engine_.failure();
      outcome_.text = engine_.failure_text();
    }
    Require(outcome_.end != TlsResult::kWork);
  }

  void ReadAll() {
    std::string buffer(plan_.capacity, '\0');
    for (;;) {
      size_t size = 0;
      outcome_.end = plan_.is(kSecret) ? engine_.ReadSecret(buffer.data(), buffer.size(), size)
                                       : engine_.Read(buffer.data(), buffer.size(), size);
      if (outcome_.end != TlsResult::kDone) return;
      Require(size > 0 && size <= buffer.size());
      outcome_.plaintext.append(buffer, 0, size);
    }
  }

  // An end is the end, whatever still comes.
  void NothingMore() {
    io_.Direct(out_);
    char byte = 0;
    size_t size = 0;
    for (const std::string_view more :
         {std::string_view(), std::string_view("\x17\x03\x03\x00\x01x")}) {
      io_.Feed(more);
      Require((engine_.up() ? engine_.Read(&byte, 1, size) : engine_.Handshake()) !=
              TlsResult::kDone);
    }
    engine_.Shutdown();
    out_.Clear();
  }

  const Plan& plan_;
  Peer peer_;
  OutBuffer out_{Scratch::kOut};
  TlsBio io_;
  TlsEngine engine_;
  Outcome outcome_;
};

void CheckUntouched(const Plan& plan, const Outcome& outcome) {
  Require(outcome.up && outcome.plaintext == outcome.said && outcome.heard == kGreeting);
  Require(outcome.end == (plan.is(kSaysGoodbye) ? TlsResult::kClosed : TlsResult::kWant));
}

// A change can make TLS read its own random numbers as something else, and then two runs may differ
// that were cut alike: the same outcome has to be possible, not certain.
template <typename Piece>
void CheckCut(const Plan& plan, Outcome whole, Piece piece) {
  constexpr int kTries = 40;
  for (int i = 0; i < kTries; ++i) {
    if (Connection(plan).Run(piece) == whole) return;
    whole = Connection(plan).Run([] { return Scratch::kRead; });
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Plan plan = ParsePlan({reinterpret_cast<const char*>(data), size});
  TheContexts().SetVersion(plan.is(kTls12) ? TLS1_2_VERSION : TLS1_3_VERSION);
  const Outcome whole = Connection(plan).Run([] { return Scratch::kRead; });
  if (plan.untouched()) CheckUntouched(plan, whole);
  Require(whole.said.compare(0, whole.plaintext.size(), whole.plaintext) == 0);
  std::minstd_rand dice(plan.cuts + 1u);
  CheckCut(plan, whole, [&dice] { return 1 + dice() % (1u << dice() % 15); });
  if (whole.said.size() <= kByteByByte) CheckCut(plan, whole, [] { return size_t{1}; });
  return 0;
}
