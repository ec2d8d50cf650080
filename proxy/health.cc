#include "proxy/health.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/filter_factory.h"
#include "proxy/proxy_protocol.h"

namespace postern {
namespace {

constexpr uint64_t kLookupInterval = 30'000;  // ms
constexpr uint64_t kLookupAfterFailure = 1'000;
constexpr size_t kMostAddresses = 64;  // of one name

}  // namespace

// One check under way: tries the server's addresses in turn, as a session would.
class HealthChecker::Check final : public Stream::Owner {
 public:
  Check(HealthChecker& checker, std::shared_ptr<Backend> backend, size_t server)
      : checker_(checker),
        backend_(std::move(backend)),
        server_(server),
        stream_(*this, checker.loop_, checker.scratch_, checker.scratch_.to_server, checker.bio_),
        timer_([](void* self) { static_cast<Check*>(self)->Fail("timed out"); }, this) {}

  void Start() {
    checker_.timers_.Arm(timer_, backend_->conf().health.timeout, uv_now(checker_.loop_));
    addresses_ = backend_->servers()[server_]->addresses();
    if (!addresses_ || addresses_->empty()) error_ = "the name does not resolve";
    Next();
  }
  void Abandon() { Fail("stopped"); }
  bool IsFor(const Backend* backend, size_t server) const {
    return backend_.get() == backend && server_ == server;
  }

 private:
  void Next() {
    while (addresses_ && next_ < addresses_->size()) {
      const auto& address = (*addresses_)[next_++];
      const int error = stream_.Connect(reinterpret_cast<const sockaddr*>(&address));
      if (error == 0) {
        if (stream_.open()) OnConnected(stream_, 0);
        return;
      }
      error_ = uv_strerror(error);
      if (!stream_.idle()) {
        retry_ = true;  // OnClosed goes on
        return;
      }
    }
    Done(false);
  }

  void OnConnected(Stream&, int error) override {
    if (over_) return;
    if (error != 0) {
      error_ = uv_strerror(error);
      retry_ = true;
      stream_.Close();
      return;
    }
    const conf::Backend& conf = backend_->conf();
    if (conf.proxy_protocol != conf::ProxyProtocol::kNone) {
      stream_.Write(MakeLocalProxyHeader(
          conf.proxy_protocol == conf::ProxyProtocol::kV1 ? ProxyVersion::kV1 : ProxyVersion::kV2));
      stream_.Flush();
    }
    probe_ = std::make_unique<Probe>(ToFilter(conf.protocol), Probe::Goal::kHealth,
                                     conf.tls == conf::TlsMode::kStarttls, checker_.hostname_);
    if (conf.tls == conf::TlsMode::kImplicit) StartTls();
  }

  void StartTls() {
    auto engine = backend_->MakeTls(server_, checker_.bio_);
    if (!engine) return Fail("no name to verify");
    stream_.StartTls(std::move(engine));
    stream_.Flush();
  }

  void OnTlsUp(Stream&) override {
    if (over_ || backend_->conf().tls == conf::TlsMode::kImplicit) return;
    std::string send;
    const Probe::State state = probe_->OnTlsUp(send);
    Follow(state, send);
  }

  void OnBytes(Stream&, char* bytes, size_t size) override {
    if (over_ || !probe_) return;
    std::string send;
    const Probe::State state = probe_->OnBytes({bytes, size}, send);
    Follow(state, send);
  }

  void Follow(Probe::State state, const std::string& send) {
    stream_.Write(send);
    stream_.Flush();
    if (state == Probe::State::kStartTls) StartTls();
    if (state == Probe::State::kFailed) Fail(probe_->failure());
    if (state == Probe::State::kDone) Done(true);
  }

  void OnEnd(Stream&, StreamEnd end) override {
    if (over_) return;
    if (end == StreamEnd::kTls && stream_.tls()) return Fail(stream_.tls()->failure_text());
    Fail("closed the connection");
  }
  void OnDrained(Stream&) override {}

  void OnClosed(Stream&) override {
    if (!over_ && std::exchange(retry_, false)) return Next();
    if (!over_) return Next();
    std::erase_if(checker_.checks_, [this](const auto& c) { return c.get() == this; });
  }

  void Fail(std::string_view why) {
    if (over_) return;
    error_ = why;
    Done(false);
  }

  void Done(bool good) {
    over_ = true;
    timer_.Disarm();
    checker_.End(checker_.Find(backend_.get(), server_), good, error_,
                 probe_ ? probe_->capabilities() : std::vector<std::string>());
    if (stream_.idle()) {
      std::erase_if(checker_.checks_, [this](const auto& c) { return c.get() == this; });
      return;
    }
    stream_.Close();
  }

  HealthChecker& checker_;
  std::shared_ptr<Backend> backend_;
  size_t server_;
  Stream stream_;
  Timer timer_;
  Addresses addresses_;
  size_t next_ = 0;
  std::unique_ptr<Probe> probe_;
  std::string error_;
  bool retry_ = false;
  bool over_ = false;
};

HealthChecker::HealthChecker(uv_loop_t* loop, Shared& shared, Log& log,
                             std::function<void()> changed)
    : loop_(loop), shared_(shared), log_(log), changed_(std::move(changed)) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::Watch(const std::vector<std::shared_ptr<Backend>>& backends,
                          const std::string& hostname) {
  hostname_ = hostname;
  std::list<Watched> old = std::exchange(watched_, {});
  for (const auto& backend : backends) {
    for (size_t i = 0; i < backend->servers().size(); ++i) {
      const auto known = std::find_if(old.begin(), old.end(), [&](const Watched& w) {
        return w.backend == backend && w.server == i;
      });
      if (known != old.end()) {
        watched_.splice(watched_.end(), old, known);
      } else {
        watched_.push_back({backend, i, 0, 0, false, false});
      }
      const Server& server = *backend->servers()[i];
      shared_.metrics.SetServerUp(backend->name(), server.name(), server.up());
    }
  }
  Tick();
}

void HealthChecker::Tick() {
  const uint64_t now = uv_now(loop_);
  timers_.Expire(now);
  if (stopping_) return;
  for (Watched& watched : watched_) {
    Server& server = *watched.backend->servers()[watched.server];
    const conf::Address& address = server.conf().address;
    if (!address.is_unix() && !address.is_ip() && !watched.looking_up) {
      if (server.TakeResolveWanted()) {
        watched.next_lookup = std::min(watched.next_lookup, now + kLookupAfterFailure);
      }
      if (now >= watched.next_lookup) LookUp(watched);
    }
    // The first check of a name waits for its first look-up.
    const bool waits = watched.looking_up && !server.addresses();
    if (!watched.checking && !waits && now >= watched.next_check) Begin(watched);
  }
}

void HealthChecker::Begin(Watched& watched) {
  watched.checking = true;
  watched.next_check =
      uv_now(loop_) + static_cast<uint64_t>(watched.backend->conf().health.interval.count());
  checks_.push_back(std::make_unique<Check>(*this, watched.backend, watched.server));
  checks_.back()->Start();
}

void HealthChecker::End(Watched* watched, bool good, std::string_view error,
                        std::vector<std::string> shown) {
  if (watched == nullptr || stopping_) return;  // its backend is gone
  watched->checking = false;
  Backend& backend = *watched->backend;
  Server& server = *backend.servers()[watched->server];
  const bool first = !server.checked();
  if (good) backend.SetProbed(std::move(shown));
  if (!good) server.WantResolve();
  const bool turned = server.Checked(good, error, backend.conf().health);
  if (turned) {
    shared_.metrics.SetServerUp(backend.name(), server.name(), server.up());
    log_.Write(server.up() ? LogLevel::kInfo : LogLevel::kError, "backend",
               {{"backend", std::string_view(backend.name())},
                {"server", std::string_view(server.name())},
                {"up", server.up()},
                {"reason", good ? std::string_view() : error}});
  }
  if (turned || first) changed_();
}

HealthChecker::Watched* HealthChecker::Find(const Backend* backend, size_t server) {
  const auto found = std::find_if(watched_.begin(), watched_.end(), [&](const Watched& w) {
    return w.backend.get() == backend && w.server == server;
  });
  return found == watched_.end() ? nullptr : &*found;
}

namespace {

// A look-up in libuv's pool: getaddrinfo has no bound of its own, so it must not hold up a loop.
struct Lookup {
  uv_getaddrinfo_t request{};
  std::function<void(int status, const addrinfo* list)> done;
};

Addresses Collect(const addrinfo* list) {
  std::vector<sockaddr_storage> addresses;
  for (; list != nullptr && addresses.size() < kMostAddresses; list = list->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, list->ai_addr, list->ai_addrlen);
    addresses.push_back(address);
  }
  return std::make_shared<const std::vector<sockaddr_storage>>(std::move(addresses));
}

}  // namespace

void HealthChecker::LookUp(Watched& watched) {
  watched.looking_up = true;
  watched.next_lookup = uv_now(loop_) + kLookupInterval;
  ++lookups_;
  auto lookup = std::make_unique<Lookup>();
  lookup->request.data = lookup.get();
  lookup->done = [this, backend = watched.backend, index = watched.server](int status,
                                                                           const addrinfo* list) {
    --lookups_;
    if (Watched* still = Find(backend.get(), index)) still->looking_up = false;
    Server& server = *backend->servers()[index];
    // A name that resolved once keeps its addresses while the resolver has a bad moment.
    if (status == 0) server.SetAddresses(Collect(list));
    if (status != 0 && !server.addresses()) {
      server.SetAddresses(Collect(nullptr));
      log_.Write(LogLevel::kError, "backend",
                 {{"backend", std::string_view(backend->name())},
                  {"server", std::string_view(server.name())},
                  {"reason", "its name does not resolve"}});
    }
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  const conf::Address& address = watched.backend->servers()[watched.server]->conf().address;
  uv_getaddrinfo(
      loop_, &lookup.release()->request,
      [](uv_getaddrinfo_t* request, int status, addrinfo* list) {
        const std::unique_ptr<Lookup> back(static_cast<Lookup*>(request->data));
        back->done(status, list);
        uv_freeaddrinfo(list);
      },
      address.host.c_str(), std::to_string(address.port).c_str(), &hints);
}

void HealthChecker::Stop() {
  stopping_ = true;
  std::vector<Check*> all;
  for (const auto& check : checks_) all.push_back(check.get());
  for (Check* check : all) check->Abandon();
}

}  // namespace postern
