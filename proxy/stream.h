// One side of a session: a TCP or Unix socket with or without TLS. The session writes plaintext and
// is handed plaintext; a stream knows nothing of protocols. All on its worker's thread.
//
// Writes of one event are gathered in the worker's scratch and leave with Flush, in one system
// call. What the socket does not take is copied into the stream's own queue, which frees itself
// when it has left.
#pragma once

#include <openssl/ssl.h>
#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/handshake_turns.h"
#include "proxy/scratch.h"
#include "proxy/tls_engine.h"

namespace postern {

enum class StreamEnd : uint8_t {
  kEof,    // the peer will send no more: close_notify, FIN
  kReset,  // the connection broke
  kTls,    // TLS failed: tls()->failure() says how
};

// Why a stream is not read at present; it is read when no reason is left.
enum ReadBlock : uint8_t {
  kPeerFull = 1,   // the other side's queue is over its high mark
  kHeld = 2,       // too many bytes wait for the filter
  kNotOpen = 4,    // no connection, or its set-up is not complete
  kFinishing = 8,  // the session is ending
  kEnded = 16,     // the peer has sent its last byte
  kKeyWork = 32,   // a private key operation is under way elsewhere
  kTurn = 64,      // other handshakes come first
};

class Stream {
 public:
  // What a session is told. Each may end the session, which closes the stream; it lives on until
  // OnClosed.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnBytes(Stream& from, char* bytes, size_t size) = 0;
    virtual void OnTlsUp(Stream& from) = 0;
    virtual void OnEnd(Stream& from, StreamEnd end) = 0;
    virtual void OnDrained(Stream& from) = 0;  // the queue has fallen to the low mark
    virtual void OnConnected(Stream& from, int error) = 0;
    virtual void OnClosed(Stream& from) = 0;
    // The handshake waits for PendingOperation (server sides alone). False: it has run. True: it
    // will, and ResumeHandshake is called then.
    virtual bool OnKeyWork(Stream&) { return true; }
    // Where handshakes queue; null: they do not.
    virtual HandshakeTurns* handshake_turns() { return nullptr; }
    // True where a read of this many bytes may hold a part of a log-in: no copy of it is to be left
    // behind.
    virtual bool TellsSecrets(const Stream&, size_t) const { return false; }
  };

  Stream(Owner& owner, uv_loop_t* loop, Scratch& scratch, OutBuffer& out, TlsBio& bio)
      : owner_(owner), loop_(loop), scratch_(scratch), out_(out), bio_(bio) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes over a connected, non-blocking socket. 0 or a libuv error (the socket is closed then).
  int Adopt(int fd, bool is_unix);
  // 0 or a libuv error. Where it is not open() at once OnConnected follows. `address`: AF_INET,
  // AF_INET6 or AF_UNIX.
  int Connect(const sockaddr* address);
  // Starts TLS; what is written from here on is encrypted. A client-side engine speaks at once.
  void StartTls(std::unique_ptr<TlsEngine> engine);
  // Bytes that came before TLS was started but belong to it (behind a PROXY header).
  void Feed(char* bytes, size_t size) { Receive(bytes, size); }
  // A private key operation is done: goes on with the handshake.
  void ResumeHandshake();
  // Its turn has come to read and to shake hands (HandshakeTurns).
  void TakeTurn();

  void Block(ReadBlock reason);
  void Unblock(ReadBlock reason);
  bool blocked(ReadBlock reason) const { return (blocks_ & reason) != 0; }

  // Plaintext. `secret`: wiped from the scratch and the queue once it has left.
  void Write(std::string_view bytes, bool secret = false);
  // Sends what was gathered. The session flushes both sides at the end of each event.
  void Flush();
  // Keeps what was gathered for the next Flush (a session ticket waits for the greeting).
  void Stash();
  // Sends what was gathered, and close_notify. Nothing is written after it.
  void EndTls();
  // EndTls, and FIN once everything has left; the other direction stays open.
  void ShutdownWrites();
  // Closes the handle; OnClosed follows. Whatever is queued is lost.
  void Close();

  bool open() const { return state_ == State::kOpen; }
  bool idle() const { return state_ == State::kNone; }  // no handle: may be connected (again)
  bool closing() const { return state_ == State::kClosing; }
  size_t queued() const { return queue_ ? queue_->flying.size() + queue_->waiting.size() : 0; }
  bool drained() const { return queued() == 0 && out_.empty(); }
  // OnDrained is called once all of the queue has left, too.
  void ReportDrained() { above_mark_ = queued() > 0; }
  void set_low_mark(size_t bytes) { low_mark_ = bytes; }
  TlsEngine* tls() { return tls_.get(); }
  const TlsEngine* tls() const { return tls_.get(); }
  bool tls_up() const { return tls_ && tls_->up(); }
  int fd() const;
  uv_stream_t* handle() { return &handle_.stream; }

 private:
  enum class State : uint8_t { kNone, kConnecting, kOpen, kClosing };
  // What the socket did not take. `flying` belongs to a uv_write under way.
  struct Queue {
    Stream* stream = nullptr;
    uv_write_t request{};
    std::string flying;
    std::string waiting;
    bool busy = false;
    bool secret = false;
  };

  static void OnAlloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer);
  static void OnRead(uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer);
  static void OnWritten(uv_write_t* request, int status);
  static void OnConnect(uv_connect_t* request, int status);
  static void OnClose(uv_handle_t* handle);

  int InitHandle(bool is_unix);
  void Receive(char* bytes, size_t size);
  void Shake();
  void ReadPlaintext();
  void NoDelayIfUnanswered();
  void TryWrite(std::string_view bytes);
  void Enqueue(std::string_view bytes);
  void WriteQueue();
  void ApplyReading();
  bool MayShake();
  void ReportEnd(StreamEnd end);

  Owner& owner_;
  uv_loop_t* loop_;
  Scratch& scratch_;
  OutBuffer& out_;
  TlsBio& bio_;
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_{};
  std::unique_ptr<uv_connect_t> connecting_;
  std::unique_ptr<TlsEngine> tls_;
  std::unique_ptr<Queue> queue_;
  size_t low_mark_ = 0;
  uint64_t place_ = 0;  // in the queue of handshakes; 0: in none
  State state_ = State::kNone;
  uint8_t blocks_ = kNotOpen;
  bool reading_ = false;
  bool first_flight_ = false;  // server side: its flight is still to be made
  bool has_turn_ = false;
  bool ended_ = false;
  bool shutdown_wanted_ = false;
  bool shutdown_done_ = false;
  bool above_mark_ = false;
  bool secret_out_ = false;
  bool no_delay_ = true;     // accepted sockets have it from their listener
  bool unanswered_ = false;  // something was sent since the last read
};

}  // namespace postern
