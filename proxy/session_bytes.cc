// The path of bytes: stream to filter to stream, and past the follower once the filter has let go.
#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>

#include "filters/secret.h"
#include "proxy/log.h"
#include "proxy/session.h"
#include "proxy/worker.h"

namespace postern {
namespace {

constexpr Side Other(Side side) { return side == Side::kClient ? Side::kServer : Side::kClient; }

// Lines of a server are bounded by the filters; this is more than any of them, so that a small
// limits.buffer does not keep a legal line from completing.
constexpr size_t kMinHeld = 128 * 1024;

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Commands whose refusal comes with an AuthEvent.
bool IsLoginCommand(std::string_view command) {
  constexpr std::array kCommands = {"LOGIN", "AUTHENTICATE", "AUTH", "USER", "PASS", "APOP"};
  return std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
}

// text.erase(0, size), and nothing of what was there stays behind the new end.
void EraseFront(std::string& text, size_t size, bool secret) {
  const size_t left = text.size() - size;
  text.erase(0, size);
  if (!secret) return;
  text.resize(left + size);
  Wipe(text.data() + left, size);
  text.resize(left);
}

void Hold(std::string& text, std::string_view bytes, bool secret) {
  if (secret) {
    AppendSecretly(text, bytes);
  } else {
    text.append(bytes);
  }
}

}  // namespace

void Session::OnBytes(Stream& from, char* bytes, size_t size) {
  if (over()) return;  // what a client still sends after our last words is of no interest
  last_event_ = worker_.now();
  const bool is_client = &from == &client_;
  if (is_client && stage_ == Stage::kProxyHeader) {
    OnProxyHeader(bytes, size);
    AfterEvent();
    return;
  }
  if (!is_client && server_stage_ == ServerStage::kHello) {
    OnHello({bytes, size});
    AfterEvent();
    return;
  }
  if (is_client) {
    bytes_in_ += size;
    counters().client_in.Add(size);
  } else {
    counters().server_in.Add(size);
  }
  const Side side = is_client ? Side::kClient : Side::kServer;
  if (stage_ == Stage::kDetached) {
    Pump(side, bytes, size);
  } else {
    if (!is_client && server_stage_ == ServerStage::kGreeting) ServerReady();
    const bool before = HoldsSecrets(size);
    Inspect(side, {bytes, size});
    if (before || HoldsSecrets(size)) Wipe(bytes, size);
  }
  AfterEvent();
}

// Shows `fresh` to the filter, and whatever is held on either side as long as it makes progress.
void Session::Inspect(Side side, std::string_view fresh) {
  if (over()) return;
  for (bool progress = true; progress && stage_ == Stage::kInspecting;) {
    progress = Ask(side, fresh);
    std::string_view none;
    if (stage_ == Stage::kInspecting) progress |= Ask(Other(side), none);
  }
  if (stage_ == Stage::kDetached) {  // the filter let go in the middle of these bytes
    PumpHeld();
    if (!fresh.empty() && !over()) Pump(side, const_cast<char*>(fresh.data()), fresh.size());
    return;
  }
  if (!fresh.empty() && !over()) {
    Hold(held_[static_cast<size_t>(side)], fresh, HoldsSecrets(fresh.size()));
  }
}

// One call of the filter with everything unconsumed of a side. False where it had nothing to say.
bool Session::Ask(Side side, std::string_view& fresh) {
  std::string& held = held_[static_cast<size_t>(side)];
  if (!held.empty() && !fresh.empty()) {
    Hold(held, fresh, HoldsSecrets(held.size()));
    fresh = {};
  }
  const std::string_view input = held.empty() ? fresh : std::string_view(held);
  if (input.empty()) return false;
  KeepMoment();
  Actions& actions = worker_.actions();
  if (side == Side::kClient) {
    filter_->OnClientBytes(input, actions);
  } else {
    filter_->OnServerBytes(input, actions);
  }
  if (actions.empty()) return false;
  const size_t used = Apply(side, input);
  if (held.empty()) {
    fresh.remove_prefix(used);
  } else if (used == held.size()) {
    if (HoldsSecrets(held.size())) Wipe(held);
    held.clear();
    held.shrink_to_fit();
  } else {
    EraseFront(held, used, HoldsSecrets(held.size()));
  }
  return true;
}

// Carries out what the filter asked for; returns how many bytes of the input were consumed.
size_t Session::Apply(Side side, std::string_view input) {
  size_t used = 0;
  const bool secret = HoldsSecrets(input.size());
  auto actions = std::move(worker_.actions().list());
  worker_.actions().clear();
  for (Action& action : actions) {
    if (over()) break;
    std::visit(Overloaded{
                   [&](const Forward& a) {
                     SendTo(Other(side), input.substr(used, a.size), secret);
                     used += a.size;
                   },
                   [&](const Drop& a) { used += a.size; },
                   [&](Send& a) {
                     SendTo(a.to, a.bytes, secret);
                     if (secret) Wipe(a.bytes);
                   },
                   [&](const struct StartTls&) { StartClientTls(); },
                   [&](const struct Connect&) { ConnectServer(); },
                   [&](const struct Detach&) { Detach(); },
                   [&](Close& a) { Finish(FromCause(a.cause), a.goodbye, a.delay); },
                   [&](const Note& a) { ApplyNote(a.event); },
                   [&](Derive& a) { ApplyDerive(std::move(a.work)); },
               },
               action);
  }
  actions.clear();
  worker_.actions().list() = std::move(actions);  // its capacity serves the next call
  return used;
}

// After a call of the filter that had no bytes: OnTlsUp, OnServerUp, OnGone, …
void Session::ApplyAlone() {
  Apply(Side::kClient, {});
  Inspect(Side::kServer, {});
}

void Session::SendTo(Side side, std::string_view bytes, bool secret) {
  if (bytes.empty()) return;
  if (side == Side::kClient) {
    bytes_out_ += bytes.size();
    counters().client_out.Add(bytes.size());
    client_.Write(bytes);
    return;
  }
  if (!server_.open()) {  // no filter does this; where one does, nothing may be lost in silence
    Finish(End::kInternal, GoodbyeText(Farewell::kFault));
    return;
  }
  counters().server_out.Add(bytes.size());
  server_.Write(bytes, secret);
}

// What the filter may need to know; see Moment.
void Session::KeepMoment() {
  Moment moment;
  moment.now = std::chrono::system_clock::now();
  if (key_ && !exempt_ && filter_->user().empty()) {
    moment.throttled =
        table(listener_.conf.own_limits.auth_failures_per_ip)
            .Throttled(*key_, limits().auth_failures_per_ip, AddressTable::Clock::now());
  }
  filter_->set_moment(moment);
}

void Session::ApplyNote(const Event& event) {
  std::visit(
      Overloaded{
          [&](const AuthEvent& e) {
            counters()
                .auth[static_cast<size_t>(e.mechanism)][static_cast<size_t>(e.channel)]
                     [static_cast<size_t>(e.result)]
                .Add();
            if (e.result == AuthResult::kRejected && key_ && !exempt_) {
              table(listener_.conf.own_limits.auth_failures_per_ip)
                  .Failed(*key_, limits().auth_failures_per_ip, AddressTable::Clock::now());
            }
            if (e.result == AuthResult::kBlocked) {
              worker_.NoteRefusal(client_text_, listener_.conf.name, ToString(e.mechanism),
                                  e.reason);
            }
            worker_.LogSession(LogLevel::kInfo, "auth", id_,
                               {{"listener", listener_.conf.name},
                                {"client", client_text_},
                                {"user", std::string_view(e.user)},
                                {"mechanism", ToString(e.mechanism)},
                                {"channel", ToString(e.channel)},
                                {"result", ToString(e.result)},
                                {"reason", e.reason}});
          },
          [&](const RewriteEvent& e) {
            counters().rewrites[static_cast<size_t>(e.from)][static_cast<size_t>(e.to)].Add();
          },
          [&](const BlockedEvent& e) {
            counters().blocked[static_cast<size_t>(e.reason)].Add();
            // A log-in has told of itself, and an unknown word may be anything, a password too.
            if (!IsLoginCommand(e.command)) {
              worker_.NoteRefusal(client_text_, listener_.conf.name,
                                  e.reason == BlockReason::kUnknown ? std::string_view()
                                                                    : std::string_view(e.command),
                                  ToString(e.reason));
            }
            worker_.LogSession(LogLevel::kInfo, "blocked", id_,
                               {{"listener", listener_.conf.name},
                                {"client", client_text_},
                                {"command", std::string_view(e.command)},
                                {"reason", ToString(e.reason)}});
          },
          [&](const ProtocolErrorEvent& e) {
            counters().protocol_errors[static_cast<size_t>(e.fault)].Add();
          },
          [&](const StartTlsInjectionEvent&) {
            counters().injections.Add();
            worker_.NoteRefusal(client_text_, listener_.conf.name, {}, "starttls injection");
          },
          [&](const BackendFaultEvent& e) {
            if (server_chosen_) server_counters().failures[static_cast<size_t>(e.reason)].Add();
            worker_.LogSession(
                LogLevel::kError, "backend", id_,
                {{"backend", listener_.backend->name()},
                 {"server",
                  server_chosen_
                      ? std::string_view(listener_.backend->servers()[server_index_]->name())
                      : std::string_view()},
                 {"reason", ToString(e.reason)},
                 {"detail", std::string_view(e.detail)}});
          },
      },
      event);
}

void Session::ApplyDerive(std::unique_ptr<sasl::Derivation> work) {
  // Functions of the standard library can be copied, and what they hold with them.
  auto shared = std::make_shared<std::unique_ptr<sasl::Derivation>>(std::move(work));
  RunElsewhere([shared] { (*shared)->Run(); },
               [this, shared] {
                 if (stage_ != Stage::kInspecting) return;
                 KeepMoment();
                 filter_->OnDerived(std::move(*shared), worker_.actions());
                 ApplyAlone();
                 AfterEvent();
               });
}

namespace {

// Work on its way through libuv's pool. It owns itself until the pool gives it back.
struct PoolWork {
  uv_work_t request{};
  std::function<void()> run;
  std::function<void()> done;
};

}  // namespace

// `run` on a thread of libuv's pool, then `done` here; the session is there until then.
void Session::RunElsewhere(std::function<void()> run, std::function<void()> done) {
  auto job = std::make_unique<PoolWork>();
  job->run = std::move(run);
  job->request.data = job.get();
  ++works_;
  job->done = [this, done = std::move(done)] {
    --works_;
    done();
    if (stage_ == Stage::kClosing) CloseAll();
  };
  uv_queue_work(
      worker_.loop(), &job.release()->request,
      [](uv_work_t* request) { static_cast<PoolWork*>(request->data)->run(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<PoolWork> back(static_cast<PoolWork*>(request->data));
        back->done();
      });
}

void Session::Detach() {
  user_ = filter_->user();
  follower_ = filter_->Detached();
  filter_.reset();
  setup_.reset();
  login_timer_.Disarm();
  stage_ = Stage::kDetached;
  Settle();
}

// The client is logged in: handshakes of others give it its turn.
void Session::Settle() {
  if (std::exchange(settled_, true)) return;
  worker_.handshake_turns().Settle();
}

// After Detach: what had been held goes first, the server's side before the client's.
void Session::PumpHeld() {
  for (const Side side : {Side::kServer, Side::kClient}) {
    std::string held = std::exchange(held_[static_cast<size_t>(side)], {});
    if (!held.empty() && !over()) Pump(side, held.data(), held.size());
    Wipe(held);
  }
}

void Session::Pump(Side side, char* bytes, size_t size) {
  if (side == Side::kServer) {
    follower_->OnServerBytes({bytes, size});
    SendTo(Side::kClient, {bytes, size}, false);
    if (follower_->Through()) {  // the server's end need not be waited for
      Finish(End::kLogout, {});
      return;
    }
    std::string& held = held_[0];
    if (held.empty()) return;
    std::string waiting = std::exchange(held, {});
    Pump(Side::kClient, waiting.data(), waiting.size());
    return;
  }
  std::string& held = held_[0];
  if (!held.empty()) {  // one command at a time: behind what waits already
    held.append(bytes, size);
    return;
  }
  const size_t now = follower_->OnClientBytes(bytes, size);
  SendTo(Side::kServer, {bytes, now}, false);
  if (now < size) held.assign(bytes + now, size - now);
}

// The end of every event: both sides' bytes leave, reading starts or stops, the timeout that fits
// runs.
void Session::AfterEvent() {
  if (stage_ == Stage::kClosing) return;
  server_.Flush();
  client_.Flush();
  if (over()) return;
  CheckPressure();
  ArmForPhase();
  if (client_gone_) EndIfClientIsThrough();
}

void Session::CheckPressure() {
  const size_t high = limits().buffer;
  auto judge = [high](Stream& reader, const Stream& writer, const std::string& held) {
    if (writer.queued() > high) {
      reader.Block(kPeerFull);
    } else if (reader.blocked(kPeerFull) && writer.queued() <= high / 2) {
      reader.Unblock(kPeerFull);
    }
    const size_t most = std::max(high, kMinHeld);
    if (held.size() >= most) {
      reader.Block(kHeld);
    } else if (reader.blocked(kHeld)) {
      reader.Unblock(kHeld);
    }
  };
  judge(client_, server_, held_[0]);
  if (server_.open()) judge(server_, client_, held_[1]);
}

void Session::OnDrained(Stream& from) {
  if (stage_ == Stage::kLastWords && &from == &client_) {
    if (client_.drained()) OnLastWordsOut();
    return;
  }
  if (!over()) AfterEvent();
}

}  // namespace postern
