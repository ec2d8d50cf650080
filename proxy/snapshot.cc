#include "proxy/snapshot.h"

#include <openssl/base.h>
#include <openssl/sha.h>
#include <uv.h>

#include <algorithm>
#include <set>

#include "filters/secret.h"
#include "proxy/filter_factory.h"
#include "proxy/version.h"

namespace postern {
namespace {

// The same backend, wherever in the file it stands.
bool Same(conf::Backend a, const conf::Backend& b) {
  a.path = b.path;
  return a == b;
}

// Of the CA file of a backend with TLS; empty where none is needed.
std::string HashOfAuthorities(const conf::Backend& conf) {
  if (conf.tls == conf::TlsMode::kNone || !conf.verify.on) return {};
  const std::string pem = ReadFile(AuthoritiesOf(conf));
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const uint8_t*>(pem.data()), pem.size(),
         reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

// A backend as before keeps what is known of its servers.
std::shared_ptr<Backend> MakeBackend(const conf::Config& config, const conf::Backend& conf,
                                     const Snapshot* previous,
                                     std::vector<conf::Mistake>& mistakes) {
  std::string authorities = HashOfAuthorities(conf);
  if (previous != nullptr) {
    for (const auto& old : previous->backends) {
      if (Same(old->conf(), conf) && old->authorities() == authorities) return old;
    }
  }
  bssl::UniquePtr<SSL_CTX> context;
  if (conf.tls != conf::TlsMode::kNone) context = MakeClientContext(config, conf, mistakes);
  return std::make_shared<Backend>(conf, std::move(context), std::move(authorities));
}

void Count(ListenerRuntime& listener, Shared& shared) {
  const size_t workers = shared.metrics.workers();
  for (size_t w = 0; w <= workers; ++w) {
    listener.counters.push_back(&shared.metrics.Listener(listener.conf.name, w));
  }
  for (const auto& server : listener.backend->servers()) {
    auto& row = listener.servers.emplace_back();
    for (size_t w = 0; w <= workers; ++w) {
      row.push_back(&shared.metrics.Server(listener.backend->name(), server->name(), w));
    }
  }
}

std::shared_ptr<TicketKeys> LoadTicketKeys(const conf::Config& config,
                                           const conf::Listener& listener,
                                           std::vector<conf::Mistake>& mistakes) {
  auto keys = std::make_shared<TicketKeys>();
  std::string bytes = ReadFile(listener.tls.session_ticket_keys);
  const bool good = keys->Set(bytes);
  Wipe(bytes);
  if (good) return keys;
  mistakes.push_back(config.MistakeAt(config.PathOf(listener, "tls.session_ticket_keys"),
                                      "not a whole number (1 to 64) of 48-byte keys"));
  return nullptr;
}

// Whether one path names something inside of the other, or the same.
bool Related(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '.' || b[a.size()] == '[');
}

// The same mistake in a general key would be told once for every listener.
void DropRepeated(std::vector<conf::Mistake>& mistakes) {
  std::set<std::string> seen;
  std::erase_if(mistakes, [&](const conf::Mistake& m) { return !seen.insert(m.Text()).second; });
}

}  // namespace

Shared::Shared(size_t workers)
    : metrics(workers, BuildInfo{std::string(Version()), std::to_string(BORINGSSL_API_VERSION),
                                 uv_version_string()}) {}

const ListenerRuntime* Snapshot::Find(const std::string& name) const {
  const auto found = std::find_if(listeners.begin(), listeners.end(),
                                  [&](const auto& l) { return l->conf.name == name; });
  return found == listeners.end() ? nullptr : found->get();
}

const ListenerRuntime* Snapshot::At(const std::string& address) const {
  const auto found = by_address.find(address);
  return found == by_address.end() ? nullptr : found->second;
}

std::vector<CertificateInfo> Snapshot::Certificates() const {
  std::vector<CertificateInfo> all;
  std::set<std::string> seen;
  for (const auto& listener : listeners) {
    if (!listener->tls) continue;
    for (CertificateInfo& info : listener->tls->Certificates()) {
      if (seen.insert(info.chain).second) all.push_back(std::move(info));
    }
  }
  return all;
}

std::shared_ptr<const Snapshot> MakeSnapshot(conf::Config config, Shared& shared,
                                             const Snapshot* previous,
                                             std::vector<conf::Mistake>& mistakes) {
  auto snapshot = std::make_shared<Snapshot>();
  const size_t before = mistakes.size();
  snapshot->config = std::move(config);
  const conf::Config& loaded = snapshot->config;
  for (const conf::Backend& backend : loaded.backends) {
    snapshot->backends.push_back(MakeBackend(loaded, backend, previous, mistakes));
  }
  for (const conf::Listener& conf : loaded.listeners) {
    auto listener = std::make_unique<ListenerRuntime>();
    listener->conf = conf;
    listener->backend = snapshot->backends[conf.backend];
    listener->options = MakeFilterOptions(conf, loaded.backends[conf.backend], shared.hostname);
    if (conf.tls.mode != conf::TlsMode::kNone) {
      TicketKeys* keys = &shared.own_tickets;
      if (!conf.tls.session_ticket_keys.empty()) {
        listener->ticket_file = LoadTicketKeys(loaded, conf, mistakes);
        if (listener->ticket_file) keys = listener->ticket_file.get();
      }
      listener->tls = ServerTls::Make(loaded, conf, *keys, mistakes);
    }
    const ListenerRuntime* old = previous != nullptr ? previous->Find(conf.name) : nullptr;
    listener->own = old != nullptr ? old->own : std::make_shared<ListenerRuntime::Own>();
    Count(*listener, shared);
    snapshot->by_address[conf.address.Text()] = listener.get();
    snapshot->listeners.push_back(std::move(listener));
  }
  const bool good = std::none_of(
      mistakes.begin() + static_cast<std::ptrdiff_t>(before), mistakes.end(),
      [](const conf::Mistake& m) { return m.severity == conf::Mistake::Severity::kError; });
  DropRepeated(mistakes);
  if (!good) return nullptr;
  return snapshot;
}

void FindMoreMistakes(const conf::Config& draft, std::vector<conf::Mistake>& mistakes) {
  std::set<std::string> told;
  for (const conf::Mistake& mistake : mistakes) {
    if (mistake.severity == conf::Mistake::Severity::kError) told.insert(mistake.path);
  }
  std::vector<conf::Mistake> more;
  for (const conf::Listener& listener : draft.listeners) {
    TicketKeys unused;
    if (listener.tls.mode != conf::TlsMode::kNone) {
      ServerTls::Make(draft, listener, unused, more);
    }
  }
  for (const conf::Backend& backend : draft.backends) {
    if (backend.tls != conf::TlsMode::kNone) MakeClientContext(draft, backend, more);
  }
  std::erase_if(more, [&](const conf::Mistake& mistake) {
    return std::any_of(told.begin(), told.end(),
                       [&](const std::string& path) { return Related(path, mistake.path); });
  });
  mistakes.insert(mistakes.end(), more.begin(), more.end());
  DropRepeated(mistakes);
}

}  // namespace postern
