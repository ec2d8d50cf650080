// Plays a session against one filter without sockets: hands it bytes, keeps what it leaves, calls
// again while there is progress, carries its actions out and watches that they keep the rules of
// filters/filter.h. Used by the transcripts and the fuzzers. Header-only, so that a fuzzer needs no
// library of the tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "filters/filter.h"

namespace postern::testing {

class Player {
 public:
  // `auto_connect`: a Connect is answered with OnServerUp at once.
  Player(std::unique_ptr<Filter> filter, const Moment& moment, bool auto_connect)
      : filter_(std::move(filter)), moment_(moment), auto_connect_(auto_connect) {}

  // What happens to the session.
  void ClientUp(Channel channel, const TlsInfo* tls) {
    Call([&](Actions& out) { filter_->OnClientUp(channel, tls, out); });
  }
  void Bytes(Side side, std::string_view bytes) {
    if (closed_ || gone(side)) return;
    if (side == Side::kServer && !server_up_) return Violate("server bytes without a connection");
    if (side == Side::kClient && tls_wanted_) return Violate("client bytes while TLS is starting");
    pending(side).append(bytes);
    Pump();
  }
  void TlsUp(const TlsInfo& tls) {
    if (!tls_wanted_) return Violate("TLS without StartTls");
    tls_wanted_ = false;
    Call([&](Actions& out) { filter_->OnTlsUp(tls, out); });
  }
  void ServerUp() {
    if (!connect_wanted_) return Violate("a connection without Connect");
    connect_wanted_ = false;
    server_up_ = true;
    server_gone_ = false;
    Call([&](Actions& out) { filter_->OnServerUp(out); });
  }
  // Also for a Connect that failed (kServer).
  void Gone(Side side) {
    if (closed_ || detached()) return;
    if (side == Side::kClient) client_gone_ = true;
    if (side == Side::kServer) {
      connect_wanted_ = server_up_ = false;
      server_gone_ = true;
    }
    Call([&](Actions& out) { filter_->OnGone(side, out); });
    if (side == Side::kServer && !server_up_) server_pending_.clear();
  }
  void set_throttled(bool throttled) { moment_.throttled = throttled; }

  // What came of it.
  const std::string& sent(Side to) const { return to == Side::kClient ? to_client_ : to_server_; }
  const std::vector<Event>& notes() const { return notes_; }
  const std::optional<Close>& closed() const { return closed_; }
  bool tls_wanted() const { return tls_wanted_; }
  bool connect_wanted() const { return connect_wanted_; }
  bool server_up() const { return server_up_; }
  bool detached() const { return follower_ != nullptr; }
  bool at_rest() const { return follower_ ? follower_->AtRest() : filter_->AtRest(); }
  Turn turn() const { return follower_ ? follower_->turn() : filter_->turn(); }
  // Before Detach alone.
  const Filter* filter() const { return filter_.get(); }
  std::string_view user() const { return filter_ ? filter_->user() : user_; }
  // The first broken rule, or empty.
  const std::string& violation() const { return violation_; }

 private:
  // A filter that acts without taking a byte more often than this in a row spins.
  static constexpr int kMaxIdleCalls = 64;

  std::string& pending(Side side) {
    return side == Side::kClient ? client_pending_ : server_pending_;
  }
  bool gone(Side side) const { return side == Side::kClient ? client_gone_ : server_gone_; }
  void Violate(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
  }

  template <typename Function>
  void Call(Function function) {
    if (closed_ || detached()) return;
    Actions out;
    filter_->set_moment(moment_);
    function(out);
    Apply(out, nullptr);
    Pump();
  }

  void Pump() {
    for (bool progress = true; progress && !closed_ && violation_.empty();) {
      if (detached()) return PumpDetached();
      progress = !tls_wanted_ && Offer(Side::kClient);
      if (!closed_ && !detached() && server_up_) progress = Offer(Side::kServer) || progress;
    }
  }

  bool Offer(Side side) {
    std::string& input = pending(side);
    if (input.empty()) return false;
    // A copy of the exact size, so that a read behind the input is seen by the sanitizers.
    const std::vector<char> shown(input.begin(), input.end());
    Actions out;
    filter_->set_moment(moment_);
    const std::string_view view(shown.data(), shown.size());
    if (side == Side::kClient) filter_->OnClientBytes(view, out);
    if (side == Side::kServer) filter_->OnServerBytes(view, out);
    const size_t before = input.size();
    const bool acted = !out.empty();
    Apply(out, &side);
    const bool consumed = pending(side).size() < before;
    idle_calls_ = consumed ? 0 : idle_calls_ + (acted ? 1 : 0);
    if (idle_calls_ > kMaxIdleCalls) Violate("the filter acts for ever without taking a byte");
    return acted;
  }

  void PumpDetached() {
    std::string server = std::exchange(server_pending_, {});
    if (!server.empty()) {
      follower_->OnServerBytes(server);
      to_client_ += server;
    }
    while (!client_pending_.empty()) {
      const size_t size = follower_->OnClientBytes(client_pending_.data(), client_pending_.size());
      if (size > client_pending_.size()) return Violate("the follower passed more than there was");
      if (size == 0) return;
      to_server_.append(client_pending_, 0, size);
      client_pending_.erase(0, size);
    }
  }

  void Apply(Actions& out, const Side* input) {
    std::vector<std::unique_ptr<sasl::Derivation>> derivations;
    for (Action& action : out.list()) {
      if (closed_) return Violate("an action after Close");
      if (auto* forward = std::get_if<Forward>(&action)) Take(input, forward->size, true);
      if (auto* drop = std::get_if<Drop>(&action)) Take(input, drop->size, false);
      if (auto* send = std::get_if<Send>(&action)) Emit(send->to, send->bytes);
      if (std::holds_alternative<StartTls>(action)) BeginTls();
      if (std::holds_alternative<Connect>(action)) connect_wanted_ = true;
      if (std::holds_alternative<Detach>(action)) BeginDetached();
      if (auto* close = std::get_if<Close>(&action)) End(std::move(*close));
      if (auto* note = std::get_if<Note>(&action)) notes_.push_back(std::move(note->event));
      if (auto* derive = std::get_if<Derive>(&action))
        derivations.push_back(std::move(derive->work));
    }
    for (auto& work : derivations) {
      work->Run();
      Call([&](Actions& more) { filter_->OnDerived(std::move(work), more); });
    }
    if (connect_wanted_ && auto_connect_ && !closed_) ServerUp();
  }

  void Take(const Side* input, size_t size, bool forward) {
    if (input == nullptr) return Violate("Forward or Drop without input");
    if (detached()) return Violate("Forward or Drop after Detach");
    std::string& bytes = pending(*input);
    if (size > bytes.size()) return Violate("Forward or Drop beyond the input");
    if (forward) {
      Emit(*input == Side::kClient ? Side::kServer : Side::kClient, bytes.substr(0, size));
    }
    bytes.erase(0, size);
  }

  void Emit(Side to, std::string_view bytes) {
    if (to == Side::kServer && !server_up_) return Violate("bytes to a server that is not there");
    if (to == Side::kClient && tls_wanted_) return Violate("bytes to the client behind StartTls");
    (to == Side::kClient ? to_client_ : to_server_).append(bytes);
  }

  void BeginTls() {
    if (!client_pending_.empty()) Violate("StartTls with clear bytes left");
    tls_wanted_ = true;
  }

  void BeginDetached() {
    if (detached()) return Violate("Detach twice");
    user_ = filter_->user();
    follower_ = filter_->Detached();
    if (!follower_) return Violate("Detach without a follower");
    filter_.reset();
  }

  void End(Close close) {
    to_client_ += close.goodbye;
    closed_ = std::move(close);
  }

  std::unique_ptr<Filter> filter_;
  std::unique_ptr<Follower> follower_;
  Moment moment_;
  bool auto_connect_;
  std::string user_;
  std::string client_pending_;
  std::string server_pending_;
  std::string to_client_;
  std::string to_server_;
  std::vector<Event> notes_;
  std::optional<Close> closed_;
  bool tls_wanted_ = false;
  bool connect_wanted_ = false;
  bool server_up_ = false;
  bool client_gone_ = false;
  bool server_gone_ = false;
  int idle_calls_ = 0;
  std::string violation_;
};

}  // namespace postern::testing
