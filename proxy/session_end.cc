// A session's timeouts and its end: every way out goes through Finish.
#include "proxy/log.h"
#include "proxy/session.h"
#include "proxy/socket_address.h"
#include "proxy/worker.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

// How long the goodbye may take to leave, and the client to read it (so that no reset overtakes
// it).
constexpr auto kLastWordsTime = 5000ms;
constexpr auto kLingerTime = 2000ms;
constexpr auto kLingerInDrain = 500ms;
// An idle timer is moved at most this often: the clock is coarser.
constexpr uint64_t kRearmAfter = 100;
// A session that has just done something is not idle yet, and drained a little later.
constexpr uint64_t kDrainQuiet = 300;

}  // namespace

void Session::ArmStage(std::chrono::milliseconds wait) {
  worker_.timers().Arm(stage_timer_, wait, worker_.now());
  last_wait_ = wait;
  last_armed_ = worker_.now();
}

void Session::ArmForPhase() {
  const conf::Timeouts& timeouts = listener_.conf.timeouts;
  if (stage_ == Stage::kInspecting) {
    if (setup_->in_handshake || server_stage_ == ServerStage::kConnecting ||
        server_stage_ == ServerStage::kTls || server_stage_ == ServerStage::kHello ||
        server_stage_ == ServerStage::kGreeting) {
      return;  // the timer of that step runs
    }
    const Phase phase = filter_->phase();
    if (phase == Phase::kGreeting) return;
    if (phase != Phase::kLoggedIn) {
      if (!login_armed_) {
        login_armed_ = true;
        worker_.timers().Arm(login_timer_, timeouts.login, worker_.now());
      }
      stage_timer_.Disarm();
      return;
    }
    login_timer_.Disarm();
    Settle();
  } else if (stage_ != Stage::kDetached) {
    return;
  }
  const std::chrono::milliseconds wait =
      turn() == Turn::kClient ? timeouts.idle : timeouts.backend_answer();
  if (stage_timer_.armed() && wait == last_wait_ && last_event_ - last_armed_ < kRearmAfter &&
      last_event_ != last_armed_) {
    return;
  }
  ArmStage(wait);
}

void Session::OnLoginTimeout() {
  const bool may_speak = !filter_ || filter_->CanSpeak();
  Finish(End::kLoginTimeout, may_speak ? GoodbyeText(Farewell::kLoginTimeout) : std::string_view());
  AfterEvent();
}

void Session::OnStageTimeout() {
  switch (stage_) {
    case Stage::kProxyHeader:
      counters().rejected[static_cast<size_t>(RejectReason::kProxyProtocol)].Add();
      Finish(End::kProxyProtocol, {});
      break;
    case Stage::kHandshake:
      CountHandshakeFailure(TlsFailure::kTimeout);
      Finish(End::kHandshakeTimeout, {});
      break;
    case Stage::kInspecting:
      if (setup_->in_handshake) {
        CountHandshakeFailure(TlsFailure::kTimeout);
        Finish(End::kHandshakeTimeout, {});
      } else if (server_stage_ == ServerStage::kConnecting) {
        ServerFailed(BackendFaultReason::kTimeout, "connect timed out");
      } else if (filter_->phase() == Phase::kGreeting || server_stage_ == ServerStage::kTls ||
                 server_stage_ == ServerStage::kHello || server_stage_ == ServerStage::kGreeting) {
        server_counters().failures[static_cast<size_t>(BackendFaultReason::kTimeout)].Add();
        Finish(End::kGreetingTimeout, GoodbyeText(Farewell::kNoServer));
      } else {
        FinishIdle(filter_->CanSpeak());
      }
      break;
    case Stage::kDetached:
      FinishIdle(follower_->CanSpeak());
      break;
    case Stage::kDelaying:
      SayLastWords();
      return;
    case Stage::kLastWords:
    case Stage::kLingering:
    case Stage::kClosing:
      CloseAll();
      return;
  }
  AfterEvent();
}

// Whoever's turn it was has let it pass.
void Session::FinishIdle(bool may_speak) {
  const bool client = turn() == Turn::kClient;
  Finish(client ? End::kIdleTimeout : End::kAnswerTimeout,
         may_speak ? GoodbyeText(client ? Farewell::kIdle : Farewell::kServerGone)
                   : std::string_view());
}

// The end.

void Session::End(enum End end, Farewell words) {
  if (stage_ == Stage::kLingering) CloseAll();
  if (over()) return;
  const bool may_speak =
      follower_ ? follower_->CanSpeak() : stage_ == Stage::kInspecting && filter_->AtRest();
  Finish(end, may_speak && !setup_in_handshake() ? GoodbyeText(words) : std::string_view());
  AfterEvent();
}

bool Session::setup_in_handshake() const { return setup_ && setup_->in_handshake; }

bool Session::TryDrain(bool all) {
  if (over()) return false;
  if (worker_.now() - last_event_ < kDrainQuiet) return false;
  if (stage_ == Stage::kDetached) {
    if (!all || !follower_->AtRest()) return false;
    // POP3's own goodbye has no place without a command: the end of the connection says it.
    const bool words = listener_.conf.protocol != conf::Protocol::kPop3;
    Finish(End::kDrain, words ? GoodbyeText(Farewell::kShutdown) : std::string_view());
  } else if (stage_ == Stage::kInspecting && !setup_in_handshake()) {
    if ((!all && filter_->Engaged()) || !filter_->AtRest()) return false;
    Finish(End::kDrain, GoodbyeText(Farewell::kShutdown));
  } else {
    return false;
  }
  AfterEvent();
  return true;
}

// The one place where a session is told to end. Safe to call within any event; nothing is destroyed
// here.
void Session::Finish(enum End end, std::string_view goodbye, std::chrono::milliseconds delay) {
  if (over()) return;
  end_ = end;
  if (filter_ && user_.empty()) user_ = filter_->user();
  const bool orderly = end == End::kServerClosed || end == End::kLogout ||
                       end == End::kClientClosed || end == End::kClientReset ||
                       end == End::kServerRefused;
  linger_ = !orderly && !client_gone_;
  goodbye_ = goodbye;
  login_timer_.Disarm();
  stage_ = Stage::kDelaying;
  server_.Flush();
  if (end == End::kClientClosed) server_.ShutdownWrites();
  if (delay.count() > 0) {
    client_.Block(kPeerFull);
    client_.Flush();
    ArmStage(delay);
    return;
  }
  SayLastWords();
}

void Session::SayLastWords() {
  stage_ = Stage::kLastWords;
  server_.Close();
  ArmStage(kLastWordsTime);
  if (!client_.open() || end_ == End::kClientReset) {
    CloseAll();
    return;
  }
  if (!goodbye_.empty()) {
    bytes_out_ += goodbye_.size();
    counters().client_out.Add(goodbye_.size());
    client_.Write(goodbye_);
    goodbye_.clear();
  }
  // Where nobody waits for the client, closing says as much as a FIN in front of it.
  if (linger_) {
    client_.ShutdownWrites();
  } else {
    client_.EndTls();
  }
  if (client_.drained()) OnLastWordsOut();
}

void Session::OnLastWordsOut() {
  if (!linger_ || client_.blocked(kEnded)) {
    CloseAll();
    return;
  }
  stage_ = Stage::kLingering;
  for (const ReadBlock reason : {kPeerFull, kHeld, kKeyWork}) client_.Unblock(reason);
  ArmStage(end_ == End::kDrain ? kLingerInDrain : kLingerTime);
}

void Session::CloseAll() {
  stage_ = Stage::kClosing;
  stage_timer_.Disarm();
  login_timer_.Disarm();
  Report();
  client_.Close();
  server_.Close();
  if (client_.idle() && server_.idle() && works_ == 0) worker_.Erase(*this);
}

void Session::OnClosed(Stream& which) {
  if (&which == &server_) {
    if (!over()) {
      if (server_stage_ == ServerStage::kConnecting) {
        TryNextAddress();
        AfterEvent();
      }
      return;
    }
    ReleaseServer();
  }
  if (stage_ == Stage::kClosing && client_.idle() && server_.idle() && works_ == 0) {
    worker_.Erase(*this);
  }
}

void Session::Report() {
  if (reported_) return;
  reported_ = true;
  counters().sessions_active.Sub();
  if (settled_) worker_.handshake_turns().Unsettle();
  const double seconds = static_cast<double>(worker_.now() - started_) / 1000.0;
  counters().session_duration.Observe(seconds);
  if (counted_listener_) worker_.UncountConnection(listener_);
  if (counted_ip_) table(listener_.conf.own_limits.connections_per_ip).Disconnect(*key_);
  if (!worker_.log().enabled(LogLevel::kInfo)) return;
  if (client_text_.empty()) client_text_ = AddressText(peer_);  // it was never admitted
  TlsInfo tls;
  std::string group;
  std::string alpn;
  const bool up = client_.tls_up();
  if (up) {
    tls = client_.tls()->Info();
    group = client_.tls()->Group();
    alpn = client_.tls()->Alpn();
  }
  const std::string_view server =
      server_named_ ? std::string_view(listener_.backend->servers()[server_index_]->name())
                    : std::string_view();
  worker_.LogSession(LogLevel::kInfo, "session", id_,
                     {{"client", client_text_},
                      {"listener", std::string_view(listener_.conf.name)},
                      {"server", server},
                      {"user", std::string_view(user_)},
                      {"tls", std::string_view(tls.version)},
                      {"cipher", std::string_view(tls.cipher)},
                      {"group", std::string_view(group)},
                      {"sni", std::string_view(tls.sni)},
                      {"alpn", std::string_view(alpn)},
                      {"resumed", up && client_.tls()->resumed()},
                      {"client_certificate", std::string_view(tls.client_certificate)},
                      {"bytes_in", bytes_in_},
                      {"bytes_out", bytes_out_},
                      {"duration", seconds},
                      {"end", ToString(end_)},
                      {"fault", ToString(FaultOf(end_))}});
}

}  // namespace postern
