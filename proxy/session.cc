// A session's beginning, and what is told to it of either side's TLS and end.
#include "proxy/session.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "conf/network.h"
#include "proxy/filter_factory.h"
#include "proxy/key_operation.h"
#include "proxy/log.h"
#include "proxy/proxy_protocol.h"
#include "proxy/socket_address.h"
#include "proxy/worker.h"

namespace postern {
namespace {

uint64_t RandomNumber() {
  uint64_t number = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&number), sizeof number);
  return number;
}

}  // namespace

Session::Session(Worker& worker, std::shared_ptr<const Snapshot> snapshot,
                 const ListenerRuntime& listener, const sockaddr_storage& client)
    : worker_(worker),
      snapshot_(std::move(snapshot)),
      listener_(listener),
      client_(*this, worker.loop(), worker.scratch(), worker.scratch().to_client, worker.bio()),
      server_(*this, worker.loop(), worker.scratch(), worker.scratch().to_server, worker.bio()),
      setup_(std::make_unique<Setup>()),
      stage_timer_([](void* self) { static_cast<Session*>(self)->OnStageTimeout(); }, this),
      login_timer_([](void* self) { static_cast<Session*>(self)->OnLoginTimeout(); }, this),
      id_(RandomNumber()),
      started_(worker.now()),
      last_event_(worker.now()),
      spread_(RandomNumber()),
      peer_(client) {
  counters().connections.Add();
  counters().sessions_active.Add();
}

Session::~Session() = default;

void Session::Start(int fd) {
  const bool is_unix = peer_.ss_family != AF_INET && peer_.ss_family != AF_INET6;
  client_.set_low_mark(limits().buffer / 2);
  if (client_.Adopt(fd, is_unix) != 0) {
    end_ = End::kInternal;
    stage_ = Stage::kClosing;
    CloseAll();
    return;
  }
  if (!worker_.CountConnection(listener_)) {
    counters().rejected[static_cast<size_t>(RejectReason::kLimit)].Add();
    worker_.NoteRefusal(AddressText(peer_), listener_.conf.name, {}, "connection limit");
    Finish(End::kLimit, GoodbyeText(Farewell::kTooMany));
    AfterEvent();
    return;
  }
  counted_listener_ = true;
  if (TrustsProxyHeader()) {
    ArmStage(listener_.conf.timeouts.handshake);
  } else {
    ClientUp(nullptr, 0);
  }
  AfterEvent();
}

bool Session::TrustsProxyHeader() const {
  const auto& networks = listener_.conf.proxy_protocol;
  if (networks.empty()) return false;
  if (listener_.conf.address.is_unix()) return true;
  const auto* peer = reinterpret_cast<const sockaddr*>(&peer_);
  return std::any_of(networks.begin(), networks.end(),
                     [peer](const conf::Network& n) { return n.Contains(peer); });
}

void Session::OnProxyHeader(char* bytes, size_t size) {
  std::string& held = held_[0];
  held.append(bytes, size);
  const ProxyHeader header = ParseProxyHeader(held);
  if (header.state == ProxyHeader::State::kNeedMore) return;
  if (header.state == ProxyHeader::State::kMalformed) {
    counters().rejected[static_cast<size_t>(RejectReason::kProxyProtocol)].Add();
    Finish(End::kProxyProtocol, {});
    return;
  }
  if (header.has_address) peer_ = header.client;
  std::string rest = std::exchange(held, {}).substr(header.size);
  ClientUp(rest.data(), rest.size());
}

// The limits per address, once the true one is known.
bool Session::Admit() {
  key_ = KeyOf(reinterpret_cast<const sockaddr*>(&peer_));
  client_text_ = AddressText(peer_);
  client_port_ = AddressPort(peer_);
  worker_.LogSession(
      LogLevel::kDebug, "connect", id_,
      {{"client", client_text_}, {"listener", std::string_view(listener_.conf.name)}});
  if (!key_) return true;
  const auto* peer = reinterpret_cast<const sockaddr*>(&peer_);
  exempt_ = std::any_of(limits().exempt.begin(), limits().exempt.end(),
                        [peer](const conf::Network& n) { return n.Contains(peer); });
  if (exempt_) return true;
  const conf::OwnLimits& own = listener_.conf.own_limits;
  const auto now = AddressTable::Clock::now();
  RejectReason why = RejectReason::kIpLimit;
  if (table(own.connections_per_ip).Connect(*key_, limits().connections_per_ip, now)) {
    counted_ip_ = true;
    if (listener_.conf.tls.mode != conf::TlsMode::kImplicit ||
        table(own.handshakes_per_ip).Handshake(*key_, limits().handshakes_per_ip, now)) {
      return true;
    }
    why = RejectReason::kThrottled;
  }
  counters().rejected[static_cast<size_t>(why)].Add();
  worker_.NoteRefusal(
      client_text_, listener_.conf.name, {},
      why == RejectReason::kIpLimit ? "connections per address" : "handshakes per address");
  Finish(End::kLimit, GoodbyeText(Farewell::kTooMany));
  return false;
}

// The client is there, its address known; `rest` is what came behind a PROXY header.
void Session::ClientUp(char* rest, size_t size) {
  if (!Admit()) return;
  if (listener_.conf.tls.mode == conf::TlsMode::kImplicit) {
    stage_ = Stage::kHandshake;
    StartClientTls();
    if (size > 0) client_.Feed(rest, size);
    return;
  }
  BeginFilter(Channel::kClear, nullptr);
  if (size > 0 && !over()) OnBytes(client_, rest, size);
}

void Session::StartClientTls() {
  // STARTTLS counts its handshake here, an implicit one before any work was done for it (Admit).
  if (stage_ == Stage::kInspecting && key_ && !exempt_ &&
      !table(listener_.conf.own_limits.handshakes_per_ip)
           .Handshake(*key_, limits().handshakes_per_ip, AddressTable::Clock::now())) {
    counters().rejected[static_cast<size_t>(RejectReason::kThrottled)].Add();
    Finish(End::kLimit, {});
    return;
  }
  setup_->handshake_started = uv_hrtime();
  setup_->in_handshake = true;
  client_.StartTls(std::make_unique<TlsEngine>(listener_.tls->context(), true, worker_.bio()));
  ArmStage(listener_.conf.timeouts.handshake);
}

HandshakeTurns* Session::handshake_turns() { return &worker_.handshake_turns(); }

bool Session::OnKeyWork(Stream& from) {
  const std::shared_ptr<KeyOperation> operation = PendingOperation(from.tls()->ssl());
  if (!worker_.handshake_turns().anybody_settled()) {  // another thread would spare nobody
    operation->Run();
    return false;
  }
  worker_.handshake_turns().Hold();
  RunElsewhere([operation] { operation->Run(); },
               [this, &from] {
                 worker_.handshake_turns().Release();
                 if (!over() && from.open()) from.ResumeHandshake();
               });
  return true;
}

void Session::OnTlsUp(Stream& from) {
  if (over()) return;
  if (&from == &client_) {
    OnClientTlsUp();
    return;
  }
  if (!setup_->hello) {
    server_stage_ = ServerStage::kGreeting;
    AfterEvent();
    return;
  }
  std::string send;
  const Probe::State state = setup_->hello->OnTlsUp(send);
  HelloSays(state, std::move(send));
  AfterEvent();
}

void Session::OnClientTlsUp() {
  const TlsEngine& tls = *client_.tls();
  const bool resumed = tls.resumed();
  setup_->in_handshake = false;
  counters().handshakes[static_cast<size_t>(tls.version())][resumed ? 1 : 0].Add();
  const double seconds = static_cast<double>(uv_hrtime() - setup_->handshake_started) / 1e9;
  counters().handshake_seconds.Observe(seconds);
  const TlsInfo info = tls.Info();
  worker_.LogSession(LogLevel::kDebug, "tls", id_,
                     {{"client", client_text_},
                      {"version", std::string_view(info.version)},
                      {"cipher", std::string_view(info.cipher)},
                      {"resumed", resumed},
                      {"seconds", seconds}});
  stage_timer_.Disarm();
  if (stage_ == Stage::kHandshake) {
    BeginFilter(Channel::kTls, &info);
  } else {
    KeepMoment();
    filter_->OnTlsUp(info, worker_.actions());
    ApplyAlone();
  }
  // The ticket stays with the stream until the server's greeting leaves. A greeting of our own
  // (connect: at_login) takes it along now.
  server_.Flush();
  if (bytes_out_ > 0) client_.Flush();
  if (!over()) ArmForPhase();
}

void Session::BeginFilter(Channel channel, const TlsInfo* tls) {
  stage_ = Stage::kInspecting;
  SessionInfo info;
  info.id = worker_.IdText(id_);
  info.client_address = client_text_;
  info.client_port = client_port_;
  info.client_is_ipv6 = client_text_.find(':') != std::string::npos;
  if (listener_.options.forward_client != ForwardClient::kNone) {
    const sockaddr_storage local = LocalAddress(client_.fd());
    info.local_address = AddressText(local);
    info.local_port = AddressPort(local);
  }
  info.server_name = listener_.options.hostname;
  info.probed = listener_.backend->probed();
  RAND_bytes(info.seed.data(), info.seed.size());
  filter_ = MakeFilter(listener_.options, info);
  KeepMoment();
  filter_->OnClientUp(channel, tls, worker_.actions());
  ApplyAlone();
}

void Session::OnEnd(Stream& from, StreamEnd end) {
  if (stage_ == Stage::kClosing) return;
  if (over()) {
    if (&from == &client_) CloseAll();
    return;
  }
  last_event_ = worker_.now();
  if (&from == &client_) {
    OnClientEnd(end);
  } else {
    OnServerEnd(end);
  }
  if (stage_ != Stage::kClosing) AfterEvent();
}

void Session::OnClientEnd(StreamEnd end) {
  if (setup_ && setup_->in_handshake) {
    CountHandshakeFailure(end == StreamEnd::kTls ? client_.tls()->failure() : TlsFailure::kEof);
    Finish(end == StreamEnd::kTls ? End::kTlsFailed : End::kClientClosed, {});
    return;
  }
  if (end == StreamEnd::kReset) {
    Finish(End::kClientReset, {});
    return;
  }
  if (end == StreamEnd::kTls) {
    Finish(End::kTlsFailed, {});
    return;
  }
  if (stage_ == Stage::kProxyHeader) {
    counters().rejected[static_cast<size_t>(RejectReason::kProxyProtocol)].Add();
    Finish(End::kProxyProtocol, {});
    return;
  }
  client_gone_ = true;
  if (stage_ == Stage::kInspecting) {
    KeepMoment();
    filter_->OnGone(Side::kClient, worker_.actions());
    ApplyAlone();
  }
}

void Session::CountHandshakeFailure(TlsFailure why) {
  counters().handshake_failures[static_cast<size_t>(why)].Add();
  const std::string_view text = client_.tls() ? client_.tls()->failure_text() : std::string_view();
  worker_.LogSession(LogLevel::kDebug, "tls", id_,
                     {{"client", client_text_}, {"failure", text.empty() ? ToString(why) : text}});
  setup_->in_handshake = false;
}

// A client that has sent its last byte still gets the answers to what it sent.
void Session::EndIfClientIsThrough() {
  if (over()) return;
  // Without a log-in or a command that waits for it, the connection that is being made is for
  // nobody.
  const bool connecting = server_stage_ == ServerStage::kConnecting &&
                          (listener_.options.connect_at_login || !held_[0].empty());
  if (turn() == Turn::kServer && (server_.open() || connecting)) {
    if (stage_ == Stage::kDetached && held_[0].empty()) server_.ShutdownWrites();
    return;
  }
  if (server_stage_ == ServerStage::kConnecting || client_.drained()) {
    Finish(End::kClientClosed, {});
  } else {
    client_.ReportDrained();
  }
}

Turn Session::turn() const {
  if (follower_) return follower_->turn();
  return filter_ ? filter_->turn() : Turn::kClient;
}

// Whether bytes that came together, this many, may belong to a log-in. In smtp without require_auth
// one may come at any time, or never: until then whatever is no larger than a command counts as
// one, which spares the bulk of a message.
bool Session::HoldsSecrets(size_t size) const {
  if (!filter_) return false;
  if (filter_->phase() != Phase::kLoggedIn) return true;
  return filter_->user().empty() && size <= limits().line;
}

bool Session::TellsSecrets(const Stream& from, size_t size) const {
  return &from == &client_ && HoldsSecrets(size);
}

std::string_view Session::GoodbyeText(Farewell why) const {
  const bool clear = listener_.conf.tls.mode != conf::TlsMode::kImplicit || client_.tls_up();
  return clear ? Goodbye(listener_.options.protocol, why) : std::string_view();
}

AddressTable& Session::table(bool own) const {
  return own ? listener_.own->addresses : worker_.shared().addresses;
}

ListenerCounters& Session::counters() const { return *listener_.counters[worker_.index()]; }

ServerCounters& Session::server_counters() const {
  return *listener_.servers[server_index_][worker_.index()];
}

}  // namespace postern
