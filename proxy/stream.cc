#include "proxy/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace postern {
namespace {

// A queue that was once larger than this is given back rather than kept for the next short write.
constexpr size_t kKeptQueue = 4 * 1024;

bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(in->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

// A connection within this machine stands when connect(2) returns, though that says EINPROGRESS of
// a non-blocking socket; asked once more it says 0, and nobody has to wait for an event. The
// descriptor or a libuv error: UV_EALREADY where it takes longer after all (a full queue).
int ConnectAtOnce(const sockaddr* address) {
  const socklen_t size = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  const int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (::connect(fd, address, size) == 0) return fd;
  if (errno == EINPROGRESS && ::connect(fd, address, size) == 0) return fd;
  const int error = -errno;
  ::close(fd);
  return error;
}

}  // namespace

int Stream::InitHandle(bool is_unix) {
  const int error =
      is_unix ? uv_pipe_init(loop_, &handle_.pipe, 0) : uv_tcp_init(loop_, &handle_.tcp);
  if (error == 0) handle_.any.data = this;
  return error;
}

int Stream::Adopt(int fd, bool is_unix) {
  int error = InitHandle(is_unix);
  if (error == 0) {
    state_ = State::kOpen;
    error = is_unix ? uv_pipe_open(&handle_.pipe, fd) : uv_tcp_open(&handle_.tcp, fd);
  }
  if (error != 0) {
    ::close(fd);
    return error;
  }
  Unblock(kNotOpen);
  return 0;
}

int Stream::Connect(const sockaddr* address) {
  const bool is_unix = address->sa_family == AF_UNIX;
  no_delay_ = is_unix;
  if (IsLoopback(address)) {
    const int fd = ConnectAtOnce(address);
    const int error = fd >= 0 ? Adopt(fd, false) : fd;
    if (!idle() && error != 0) Close();
    if (error != UV_EALREADY) return error;
  }
  int error = InitHandle(is_unix);
  if (error != 0) return error;
  state_ = State::kConnecting;
  connecting_ = std::make_unique<uv_connect_t>();
  connecting_->data = this;
  if (is_unix) {
    uv_pipe_connect(connecting_.get(), &handle_.pipe,
                    reinterpret_cast<const sockaddr_un*>(address)->sun_path, &Stream::OnConnect);
  } else {
    error = uv_tcp_connect(connecting_.get(), &handle_.tcp, address, &Stream::OnConnect);
  }
  if (error != 0) Close();
  return error;
}

void Stream::OnConnect(uv_connect_t* request, int status) {
  auto* self = static_cast<Stream*>(request->data);
  if (self->state_ != State::kConnecting) return;  // closed meanwhile
  self->connecting_.reset();
  if (status == 0) {
    self->state_ = State::kOpen;
    self->Unblock(kNotOpen);
  }
  self->owner_.OnConnected(*self, status);
}

void Stream::StartTls(std::unique_ptr<TlsEngine> engine) {
  Flush();
  tls_ = std::move(engine);
  first_flight_ = SSL_is_server(tls_->ssl()) != 0;
  if (!first_flight_) Shake();
}

void Stream::ResumeHandshake() {
  Unblock(kKeyWork);
  bio_.Feed({});
  Shake();
}

bool Stream::MayShake() {
  HandshakeTurns* turns = owner_.handshake_turns();
  return !first_flight_ || has_turn_ || turns == nullptr || turns->Ask(*this, place_);
}

void Stream::TakeTurn() {
  place_ = 0;
  has_turn_ = true;
  Unblock(kTurn);
}

void Stream::Block(ReadBlock reason) {
  blocks_ |= reason;
  ApplyReading();
}

void Stream::Unblock(ReadBlock reason) {
  blocks_ &= static_cast<uint8_t>(~reason);
  ApplyReading();
}

void Stream::ApplyReading() {
  const bool wanted = blocks_ == 0 && state_ == State::kOpen;
  if (wanted == reading_) return;
  reading_ = wanted;
  if (wanted) {
    uv_read_start(&handle_.stream, &Stream::OnAlloc, &Stream::OnRead);
  } else if (state_ == State::kOpen) {
    uv_read_stop(&handle_.stream);
  }
}

void Stream::OnAlloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  auto* self = static_cast<Stream*>(handle->data);
  // libuv reads nothing into an empty buffer, and says UV_ENOBUFS.
  *buffer = self->MayShake() ? uv_buf_init(self->scratch_.read.get(), Scratch::kRead)
                             : uv_buf_init(nullptr, 0);
}

void Stream::OnRead(uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
  auto* self = static_cast<Stream*>(handle->data);
  if (size == 0) return;
  if (size == UV_ENOBUFS && self->place_ != 0) {
    self->Block(kTurn);
    return;
  }
  if (size < 0) {
    self->ReportEnd(size == UV_EOF ? StreamEnd::kEof : StreamEnd::kReset);
    return;
  }
  self->Receive(buffer->base, static_cast<size_t>(size));
}

// Nagle's algorithm (RFC 896) holds a write back while an earlier one is not acknowledged. In a
// dialogue of commands and answers there is none such, so most sessions do without this call.
void Stream::NoDelayIfUnanswered() {
  if (unanswered_ && !no_delay_) {
    no_delay_ = true;
    uv_tcp_nodelay(&handle_.tcp, 1);
  }
  unanswered_ = true;
}

void Stream::Receive(char* bytes, size_t size) {
  unanswered_ = false;
  if (!tls_) {
    owner_.OnBytes(*this, bytes, size);
    return;
  }
  bio_.Feed({bytes, size});
  if (tls_->up()) {
    ReadPlaintext();
  } else {
    Shake();
  }
}

void Stream::Shake() {
  bio_.Direct(out_);
  const TlsResult result = tls_->Handshake();
  if (result != TlsResult::kWant || !out_.empty()) first_flight_ = has_turn_ = false;
  switch (result) {
    case TlsResult::kWant:
      Flush();
      return;
    case TlsResult::kWork:
      if (!bio_.drained()) {  // nobody has anything to say before our flight
        ReportEnd(StreamEnd::kTls);
        return;
      }
      if (owner_.OnKeyWork(*this)) {
        Block(kKeyWork);
      } else {
        Shake();
      }
      return;
    case TlsResult::kDone:
      break;
    default:
      Flush();  // the alert
      ReportEnd(StreamEnd::kTls);
      return;
  }
  // TLS 1.3 has nothing left to say but its ticket, which can wait for the greeting; before it the
  // client waits for our Finished.
  if (tls_->version() == TlsVersion::kTls13 && SSL_is_server(tls_->ssl())) {
    Stash();
  } else {
    Flush();
  }
  owner_.OnTlsUp(*this);
  if (state_ == State::kOpen && !bio_.drained()) ReadPlaintext();
}

void Stream::ReadPlaintext() {
  bio_.Direct(out_);
  char* const plain = scratch_.plain.get();
  size_t total = 0;
  const bool secret = owner_.TellsSecrets(*this, bio_.left());
  TlsResult result = TlsResult::kWant;
  for (;;) {
    size_t size = 0;
    result = secret ? tls_->ReadSecret(plain + total, Scratch::kPlain - total, size)
                    : tls_->Read(plain + total, Scratch::kPlain - total, size);
    if (result != TlsResult::kDone) break;
    total += size;
  }
  if (total > 0) owner_.OnBytes(*this, plain, total);
  if (state_ != State::kOpen || result == TlsResult::kWant) return;
  if (result == TlsResult::kError) Flush();
  ReportEnd(result == TlsResult::kClosed ? StreamEnd::kEof : StreamEnd::kTls);
}

void Stream::ReportEnd(StreamEnd end) {
  Block(kEnded);
  owner_.OnEnd(*this, end);
}

void Stream::Write(std::string_view bytes, bool secret) {
  if (state_ != State::kOpen || ended_) return;
  secret_out_ = secret_out_ || secret;
  // Large pieces in the clear go to the socket from where they stand.
  if (!tls_ && bytes.size() >= Scratch::kPiece / 8 && queued() == 0) {
    Flush();
    TryWrite(bytes);
    return;
  }
  if (tls_) bio_.Direct(out_);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, Scratch::kPiece);
    bytes.remove_prefix(piece.size());
    if (out_.room() < 2 * Scratch::kPiece) Flush();
    if (!tls_) {
      out_.Append(piece.data(), piece.size());
    } else if (!tls_->Write(piece)) {
      return;  // the engine has failed; the next read reports it
    }
  }
}

void Stream::Flush() {
  if (state_ != State::kOpen) {
    out_.Clear();
    return;
  }
  if (queue_ && !queue_->busy && !queue_->waiting.empty()) {  // stashed
    if (!out_.empty()) Stash();
    WriteQueue();
    return;
  }
  if (out_.empty()) return;
  TryWrite(out_.view());
  if (secret_out_) {
    out_.WipeAndClear();
    secret_out_ = false;
  } else {
    out_.Clear();
  }
}

void Stream::TryWrite(std::string_view bytes) {
  NoDelayIfUnanswered();
  if (queued() == 0) {
    uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
    const int written = uv_try_write(&handle_.stream, &buffer, 1);
    // An error other than a full socket comes back from uv_write, which reports it in its own time.
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
    if (bytes.empty()) return;
  }
  Enqueue(bytes);
  if (!queue_->busy) WriteQueue();
}

void Stream::Enqueue(std::string_view bytes) {
  if (!queue_) queue_ = std::make_unique<Queue>();
  queue_->secret = queue_->secret || secret_out_;
  queue_->waiting.append(bytes);
  above_mark_ = above_mark_ || queued() > low_mark_;
}

void Stream::Stash() {
  if (out_.empty()) return;
  Enqueue(out_.view());
  if (secret_out_) {
    out_.WipeAndClear();
  } else {
    out_.Clear();
  }
  secret_out_ = false;
}

void Stream::WriteQueue() {
  Queue& queue = *queue_;
  // The first try spares the request: what was stashed nearly always leaves at once.
  uv_buf_t buffer = uv_buf_init(queue.waiting.data(), static_cast<unsigned>(queue.waiting.size()));
  const int written = uv_try_write(&handle_.stream, &buffer, 1);
  if (written == static_cast<int>(queue.waiting.size())) {
    if (queue.secret) Wipe(queue.waiting);
    queue_.reset();
    return;
  }
  if (written > 0) queue.waiting.erase(0, static_cast<size_t>(written));
  queue.flying = std::move(queue.waiting);
  queue.waiting.clear();
  queue.stream = this;
  queue.request.data = this;
  queue.busy = true;
  buffer = uv_buf_init(queue.flying.data(), static_cast<unsigned>(queue.flying.size()));
  const int error = uv_write(&queue.request, &handle_.stream, &buffer, 1, &Stream::OnWritten);
  if (error != 0) {
    queue_.reset();
    ReportEnd(StreamEnd::kReset);
  }
}

void Stream::OnWritten(uv_write_t* request, int status) {
  auto* self = static_cast<Stream*>(request->data);
  Queue& queue = *self->queue_;
  queue.busy = false;
  if (queue.secret) Wipe(queue.flying);
  queue.flying.clear();
  if (self->state_ != State::kOpen) return;
  if (status != 0) {
    self->queue_.reset();
    self->ReportEnd(StreamEnd::kReset);
    return;
  }
  if (queue.flying.capacity() > kKeptQueue) queue.flying.shrink_to_fit();
  if (!queue.waiting.empty()) self->WriteQueue();
  if (self->queue_ && self->queued() == 0) self->queue_.reset();
  if (self->above_mark_ && self->queued() <= self->low_mark_) {
    self->above_mark_ = self->queued() > 0;
    if (self->queued() == 0 && self->shutdown_wanted_) self->ShutdownWrites();
    self->owner_.OnDrained(*self);
  }
}

void Stream::EndTls() {
  if (state_ != State::kOpen || ended_) return;
  ended_ = true;
  if (tls_up()) {
    bio_.Direct(out_);
    tls_->Shutdown();
  }
  Flush();
  above_mark_ = queued() > 0;  // OnDrained is to be called when all has left
}

void Stream::ShutdownWrites() {
  if (state_ != State::kOpen || shutdown_done_) return;
  EndTls();
  shutdown_wanted_ = true;
  if (queued() > 0) {  // OnWritten comes back here
    above_mark_ = true;
    return;
  }
  shutdown_done_ = true;
  ::shutdown(fd(), SHUT_WR);
}

void Stream::Close() {
  if (state_ == State::kNone || state_ == State::kClosing) return;
  state_ = State::kClosing;
  reading_ = false;
  if (place_ != 0) owner_.handshake_turns()->Leave(std::exchange(place_, 0));
  uv_close(&handle_.any, &Stream::OnClose);
}

void Stream::OnClose(uv_handle_t* handle) {
  auto* self = static_cast<Stream*>(handle->data);
  self->state_ = State::kNone;
  self->blocks_ = kNotOpen;
  self->tls_.reset();
  self->queue_.reset();
  self->connecting_.reset();
  self->ended_ = self->shutdown_wanted_ = self->shutdown_done_ = self->above_mark_ =
      self->secret_out_ = self->unanswered_ = false;
  self->no_delay_ = true;
  self->owner_.OnClosed(*self);
}

int Stream::fd() const {
  uv_os_fd_t fd = -1;
  uv_fileno(&handle_.any, &fd);
  return fd;
}

}  // namespace postern
