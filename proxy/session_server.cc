// The way to a server: which one, its addresses one after the other, what is said before the filter
// takes over.
#include <arpa/inet.h>

#include "proxy/log.h"
#include "proxy/proxy_protocol.h"
#include "proxy/session.h"
#include "proxy/socket_address.h"
#include "proxy/worker.h"

namespace postern {
namespace {

BackendFaultReason ReasonOf(int error) {
  return error == UV_ETIMEDOUT                         ? BackendFaultReason::kTimeout
         : error == UV_ECONNRESET || error == UV_EPIPE ? BackendFaultReason::kReset
                                                       : BackendFaultReason::kRefused;
}

// What the filter sees as the greeting where the real one came before TLS, when nothing could be
// trusted.
std::string MadeGreeting(conf::Protocol protocol, const std::string& name) {
  switch (protocol) {
    case conf::Protocol::kImap:
      return "* OK " + name + " ready\r\n";
    case conf::Protocol::kPop3:
      return "+OK " + name + " ready\r\n";
    default:
      return "220 " + name + " ready\r\n";
  }
}

}  // namespace

void Session::ConnectServer() {
  setup_->order = listener_.backend->Order(key_ ? key_->Hash() : id_);
  setup_->next_server = 0;
  setup_->addresses.reset();
  server_gone_ = false;
  TryNextAddress();
}

// The next address of this server, else the first of the next server, else the filter is told that
// there is none.
void Session::TryNextAddress() {
  server_stage_ = ServerStage::kConnecting;
  Setup& setup = *setup_;
  for (;;) {
    if (setup.addresses && setup.next_address < setup.addresses->size()) {
      setup.connect_started = uv_hrtime();
      const auto& address = (*setup.addresses)[setup.next_address++];
      ArmStage(listener_.conf.timeouts.backend_connect);
      const int error = server_.Connect(reinterpret_cast<const sockaddr*>(&address));
      if (error == 0) {
        if (server_.open()) ServerConnected();
        return;
      }
      CountServerFailure(ReasonOf(error), uv_strerror(error));
      if (!server_.idle()) return;  // OnClosed comes back here
      continue;
    }
    if (setup.next_server >= setup.order.size()) break;
    ReleaseServer();
    server_index_ = setup.order[setup.next_server++];
    Server& server = *listener_.backend->servers()[server_index_];
    setup.addresses = server.addresses();
    setup.next_address = 0;
    server_chosen_ = server_named_ = true;
    server.active.fetch_add(1, std::memory_order_relaxed);
    server_counters().connections_active.Add();
    if (!setup.addresses || setup.addresses->empty()) server.WantResolve();
  }
  ReleaseServer();
  stage_timer_.Disarm();
  server_stage_ = ServerStage::kNone;
  worker_.LogSession(
      LogLevel::kError, "backend", id_,
      {{"backend", listener_.backend->name()}, {"reason", "no server could be reached"}});
  KeepMoment();
  filter_->OnGone(Side::kServer, worker_.actions());
  ApplyAlone();
  AfterEvent();
}

void Session::CountServerFailure(BackendFaultReason why, std::string_view detail) {
  Server& server = *listener_.backend->servers()[server_index_];
  server_counters().failures[static_cast<size_t>(why)].Add();
  server.WantResolve();
  worker_.LogSession(LogLevel::kWarn, "backend", id_,
                     {{"backend", listener_.backend->name()},
                      {"server", std::string_view(server.name())},
                      {"reason", ToString(why)},
                      {"detail", detail}});
}

// The server at hand is of no use: count it, close, and OnClosed goes on with the next.
void Session::ServerFailed(BackendFaultReason why, std::string_view detail) {
  CountServerFailure(why, detail);
  setup_->hello.reset();
  server_stage_ = ServerStage::kConnecting;
  stage_timer_.Disarm();
  server_.Close();
}

void Session::OnConnected(Stream&, int error) {
  if (over()) return;
  if (error != 0) {
    ServerFailed(ReasonOf(error), uv_strerror(error));
    return;
  }
  ServerConnected();
  AfterEvent();
}

void Session::ServerConnected() {
  const double seconds = static_cast<double>(uv_hrtime() - setup_->connect_started) / 1e9;
  server_counters().connect_seconds.Observe(seconds);
  worker_.LogSession(
      LogLevel::kDebug, "backend", id_,
      {{"backend", listener_.backend->name()},
       {"server", std::string_view(listener_.backend->servers()[server_index_]->name())},
       {"seconds", seconds}});
  const conf::Backend& conf = listener_.backend->conf();
  server_.set_low_mark(limits().buffer / 2);
  ArmStage(listener_.conf.timeouts.backend_greeting);
  if (conf.proxy_protocol != conf::ProxyProtocol::kNone) {
    const auto version =
        conf.proxy_protocol == conf::ProxyProtocol::kV1 ? ProxyVersion::kV1 : ProxyVersion::kV2;
    server_.Write(MakeProxyHeader(version, Unmapped(peer_), LocalAddress(client_.fd())));
  }
  switch (conf.tls) {
    case conf::TlsMode::kNone:
      server_stage_ = ServerStage::kGreeting;
      return;
    case conf::TlsMode::kImplicit:
      StartServerTls();
      return;
    case conf::TlsMode::kStarttls:
      server_stage_ = ServerStage::kHello;
      setup_->hello = std::make_unique<Probe>(listener_.options.protocol, Probe::Goal::kStartTls,
                                              true, listener_.options.hostname);
      return;
  }
}

void Session::StartServerTls() {
  auto engine = listener_.backend->MakeTls(server_index_, worker_.bio());
  server_stage_ = ServerStage::kTls;
  if (!engine) {
    ServerFailed(BackendFaultReason::kTls, "no name to verify");
    return;
  }
  server_.StartTls(std::move(engine));
}

void Session::OnHello(std::string_view bytes) {
  std::string send;
  const Probe::State state = setup_->hello->OnBytes(bytes, send);
  HelloSays(state, std::move(send));
}

void Session::HelloSays(Probe::State state, std::string send) {
  if (!send.empty()) server_.Write(send);
  switch (state) {
    case Probe::State::kTalking:
      return;
    case Probe::State::kStartTls:
      StartServerTls();
      return;
    case Probe::State::kFailed:
      ServerFailed(
          setup_->hello->greeted() ? BackendFaultReason::kTls : BackendFaultReason::kGreeting,
          setup_->hello->failure());
      return;
    case Probe::State::kDone:
      break;
  }
  setup_->hello.reset();
  server_stage_ = ServerStage::kGreeting;
  ServerReady();
  Inspect(Side::kServer, MadeGreeting(listener_.conf.protocol, listener_.options.hostname));
}

// The first bytes of the server are here: from now on it is the one, and its end is the filter's
// business.
void Session::ServerReady() {
  server_stage_ = ServerStage::kUp;
  KeepMoment();
  filter_->OnServerUp(worker_.actions());
  Apply(Side::kServer, {});
}

void Session::OnServerEnd(StreamEnd end) {
  switch (server_stage_) {
    case ServerStage::kNone:
    case ServerStage::kConnecting:
      return;
    case ServerStage::kTls:
    case ServerStage::kHello:
      ServerFailed(end == StreamEnd::kTls ? BackendFaultReason::kTls : BackendFaultReason::kReset,
                   end == StreamEnd::kTls && server_.tls() ? server_.tls()->failure_text()
                                                           : "closed before TLS was up");
      return;
    case ServerStage::kGreeting:  // closed without a word: as good as refused
      ServerFailed(BackendFaultReason::kReset, "closed before its greeting");
      return;
    case ServerStage::kUp:
      break;
  }
  server_gone_ = true;
  if (end != StreamEnd::kEof) {
    server_counters()
        .failures[static_cast<size_t>(end == StreamEnd::kTls ? BackendFaultReason::kTls
                                                             : BackendFaultReason::kReset)]
        .Add();
  }
  if (stage_ == Stage::kDetached) {
    const bool left = follower_->ClientLeft();
    const bool between = follower_->AtRest();
    const std::string_view words =
        follower_->CanSpeak() && !left ? GoodbyeText(Farewell::kServerGone) : std::string_view();
    Finish(left                     ? End::kLogout
           : end != StreamEnd::kEof ? End::kServerReset
           : between                ? End::kServerClosed
                                    : End::kServerGone,
           words);
    return;
  }
  const bool left = filter_->ClientLeft();
  std::string& rest = held_[1];
  if (!rest.empty() && filter_->PassesUnfinished(rest)) {
    SendTo(Side::kClient, rest, false);
    rest.clear();
  }
  KeepMoment();
  filter_->OnGone(Side::kServer, worker_.actions());
  ApplyAlone();
  if (!over()) {  // the filter goes on without a server (at_login)
    server_stage_ = ServerStage::kNone;
    server_.Close();
    ReleaseServer();
    AfterEvent();
  } else if (left) {
    end_ = End::kLogout;
  }
}

void Session::ReleaseServer() {
  if (!server_chosen_) return;
  server_chosen_ = false;
  listener_.backend->servers()[server_index_]->active.fetch_sub(1, std::memory_order_relaxed);
  server_counters().connections_active.Sub();
}

}  // namespace postern
