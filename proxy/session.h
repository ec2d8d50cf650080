// One client connection and the backend connection that serves it. Owned by its worker, on whose
// thread all of it happens. A session carries bytes between its two streams through the filter,
// carries out the filter's actions, and after Detach pumps bytes past a follower. Inner code only
// names a reason; Finish writes the last words, and Report the log line and the metrics, once.
//
// session.cc: the beginning; session_bytes.cc: the path of bytes; session_server.cc: the way to a
// server; session_end.cc: timeouts and the end.
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/farewell.h"
#include "filters/filter.h"
#include "filters/probe.h"
#include "proxy/address_table.h"
#include "proxy/finish.h"
#include "proxy/snapshot.h"
#include "proxy/stream.h"
#include "proxy/timers.h"

namespace postern {

class Worker;

class Session final : public Stream::Owner {
 public:
  Session(Worker& worker, std::shared_ptr<const Snapshot> snapshot, const ListenerRuntime& listener,
          const sockaddr_storage& client);
  ~Session() override;

  // Takes over the accepted socket and begins. May be over when it returns (`done()`).
  void Start(int fd);
  // Ends it at once, with a goodbye where one may stand.
  void End(End end, Farewell words);

  // Drain. `all`: those logged in too. Says goodbye where the session is at rest; true where it
  // did.
  bool TryDrain(bool all);
  uint64_t drain_spread() const { return spread_; }
  bool over() const { return stage_ >= Stage::kDelaying; }
  bool setup_in_handshake() const;
  const ListenerRuntime& listener() const { return listener_; }

 private:
  enum class Stage : uint8_t {
    kProxyHeader,  // the client's PROXY header is awaited
    kHandshake,    // TLS with the client, implicit
    kInspecting,   // the filter sees all bytes
    kDetached,     // the follower watches them go by
    kDelaying,     // the last answer waits (limits.auth_failures_per_session)
    kLastWords,    // the goodbye is leaving
    kLingering,    // the client is given time to read it
    kClosing,      // handles are closing
  };
  enum class ServerStage : uint8_t { kNone, kConnecting, kTls, kHello, kGreeting, kUp };
  // What only the time before Detach needs; freed with the filter.
  struct Setup {
    std::vector<uint32_t> order;  // servers to try
    size_t next_server = 0;
    Addresses addresses;  // of the server that is being tried
    size_t next_address = 0;
    uint64_t connect_started = 0;  // ns
    std::unique_ptr<Probe> hello;
    std::string proxy_header;
    uint64_t handshake_started = 0;  // ns
    bool in_handshake = false;
  };

  // Stream::Owner
  void OnBytes(Stream& from, char* bytes, size_t size) override;
  void OnTlsUp(Stream& from) override;
  void OnEnd(Stream& from, StreamEnd end) override;
  void OnDrained(Stream& from) override;
  void OnConnected(Stream& from, int error) override;
  void OnClosed(Stream& from) override;
  bool OnKeyWork(Stream& from) override;
  HandshakeTurns* handshake_turns() override;
  bool TellsSecrets(const Stream& from, size_t size) const override;

  // Beginning (session.cc).
  bool TrustsProxyHeader() const;
  void OnProxyHeader(char* bytes, size_t size);
  bool Admit();
  void ClientUp(char* rest, size_t size);
  void StartClientTls();
  void OnClientTlsUp();
  void CountHandshakeFailure(TlsFailure why);
  void BeginFilter(Channel channel, const TlsInfo* tls);

  // The path of bytes (session_bytes.cc).
  void Inspect(Side side, std::string_view fresh);
  bool Ask(Side side, std::string_view& fresh);
  size_t Apply(Side side, std::string_view input);
  void ApplyAlone();
  void AfterActions();
  void ApplyNote(const Event& event);
  void ApplyDerive(std::unique_ptr<sasl::Derivation> work);
  void Settle();
  void RunElsewhere(std::function<void()> run, std::function<void()> done);
  void Detach();
  void Pump(Side side, char* bytes, size_t size);
  void PumpHeld();
  void SendTo(Side side, std::string_view bytes, bool secret);
  void KeepMoment();
  void AfterEvent();
  void CheckPressure();

  // The way to a server (session_server.cc).
  void ConnectServer();
  void TryNextAddress();
  void ServerFailed(BackendFaultReason why, std::string_view detail);
  void ServerConnected();
  void CountServerFailure(BackendFaultReason why, std::string_view detail);
  void StartServerTls();
  void OnHello(std::string_view bytes);
  void HelloSays(Probe::State state, std::string send);
  void ServerReady();
  void OnServerEnd(StreamEnd end);
  void ReleaseServer();

  // Timeouts and the end (session.cc).
  void OnStageTimeout();
  void FinishIdle(bool may_speak);
  void OnLoginTimeout();
  void ArmStage(std::chrono::milliseconds wait);
  void ArmForPhase();
  void OnClientEnd(StreamEnd end);
  void EndIfClientIsThrough();
  void Finish(enum End end, std::string_view goodbye, std::chrono::milliseconds delay = {});
  void SayLastWords();
  void OnLastWordsOut();
  void CloseAll();
  void Report();

  const conf::Limits& limits() const { return listener_.conf.limits; }
  AddressTable& table(bool own) const;
  ListenerCounters& counters() const;
  ServerCounters& server_counters() const;
  Turn turn() const;
  bool HoldsSecrets(size_t size) const;
  std::string_view GoodbyeText(Farewell why) const;

  Worker& worker_;
  std::shared_ptr<const Snapshot> snapshot_;
  const ListenerRuntime& listener_;
  Stream client_;
  Stream server_;
  std::unique_ptr<Filter> filter_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<Setup> setup_;
  std::array<std::string, 2> held_;  // by Side: bytes that the filter has not consumed
  Timer stage_timer_;
  Timer login_timer_;

  uint64_t id_ = 0;
  uint64_t started_ = 0;     // ms of the loop's clock
  uint64_t last_event_ = 0;  // ms
  uint64_t last_armed_ = 0;  // ms
  std::chrono::milliseconds last_wait_{0};
  uint64_t spread_ = 0;    // random: when in the second half of a drain
  uint64_t bytes_in_ = 0;  // from the client, inside TLS
  uint64_t bytes_out_ = 0;
  std::optional<AddressKey> key_;
  std::string client_text_;
  std::string user_;
  std::string goodbye_;
  sockaddr_storage peer_;
  Stage stage_ = Stage::kProxyHeader;
  ServerStage server_stage_ = ServerStage::kNone;
  enum End end_ = End::kClientClosed;
  uint32_t server_index_ = 0;
  uint16_t client_port_ = 0;
  uint8_t works_ = 0;           // key derivations and signatures under way
  bool server_chosen_ = false;  // counted as active on server_index_
  bool server_named_ = false;   // server_index_ is one that was tried
  bool exempt_ = false;
  bool counted_ip_ = false;
  bool counted_listener_ = false;
  bool client_gone_ = false;
  bool server_gone_ = false;
  bool login_armed_ = false;
  bool settled_ = false;  // counted as logged in
  bool linger_ = false;
  bool reported_ = false;
};

}  // namespace postern
