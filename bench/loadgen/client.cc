#include "bench/loadgen/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace postern::loadgen {
namespace {

constexpr size_t kBodyStep = size_t{128} << 10;

// Spreads connections over loopback's addresses, each of which has ports of its own.
void BindTo(int fd, uint32_t source) {
  int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

bool Client::Open(const Script& script, uint32_t source, bool resume) {
  Close();
  script_ = &script;
  failure_ = Failure::kNone;
  resume_ = resume;
  resumed_ = false;
  bytes_ = 0;
  began_ = Clock::now();
  const auto* address = reinterpret_cast<const sockaddr*>(&target_.address);
  fd_ = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Fail(Failure::kConnect), false;
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source > 0) BindTo(fd_, source);
  if (connect(fd_, address, target_.address_size) != 0 && errno != EINPROGRESS) {
    return Fail(Failure::kConnect), false;
  }
  switch (target_.tls) {
    case Tls::kNone:
      return Begin(Part::kOpening) != Event::kFailed;
    case Tls::kStarttls:
      return Begin(Part::kClear) != Event::kFailed;
    case Tls::kImplicit:
      return StartTls() != Event::kFailed;
  }
  return false;
}

void Client::Close() {
  if (fd_ < 0) return;
  if (tls_ && part_ >= Part::kOpening && failure_ == Failure::kNone) {
    if (auto ticket = tls_->TakeTicket()) ticket_ = std::move(ticket);
    tls_->SendCloseNotify();
    Flush();
  }
  tls_.reset();
  close(fd_);
  fd_ = -1;
  part_ = Part::kClosed;
  outgoing_.clear();
  outgoing_done_ = 0;
  body_left_ = {};
}

Client::Event Client::Fail(Failure failure) {
  failure_ = failure;
  return Event::kFailed;
}

const std::vector<Step>& Client::steps() const {
  if (part_ == Part::kClear) return script_->clear;
  return part_ == Part::kOpening ? script_->opening : script_->loop;
}

Client::Event Client::Begin(Part part) {
  part_ = part;
  step_ = 0;
  return steps().empty() ? AfterPart() : BeginStep();
}

Client::Event Client::BeginStep() {
  const Step& step = steps()[step_];
  reader_.Expect(step.reply);
  if (step.with_body) body_left_ = script_->body;
  if (!Say(step.send)) return Fail(Failure::kTls);
  return Flush() ? Event::kNothing : Fail(Failure::kEnd);
}

Client::Event Client::AfterPart() {
  if (part_ == Part::kClear) return StartTls();
  bool opened = part_ == Part::kOpening;
  part_ = Part::kReady;
  return opened ? Event::kOpened : Event::kLooped;
}

Client::Event Client::StartTls() {
  part_ = Part::kHandshake;
  tls_ = std::make_unique<TlsClient>(tls_context_, resume_ ? ticket_.get() : nullptr, outgoing_);
  if (tls_->Handshake() != TlsClient::Status::kMore) return Fail(Failure::kTls);
  return Flush() ? Event::kNothing : Fail(Failure::kConnect);
}

Client::Event Client::StartLoop() {
  began_ = Clock::now();
  return Begin(Part::kLoop);
}

// Reads all there is: the runner's epoll tells of each change only once. A read that does not fill
// the buffer has emptied the socket, but for an end behind it, which `ended` tells of.
Client::Event Client::OnReady(bool ended) {
  if (!Flush()) return Fail(part_ == Part::kHandshake ? Failure::kConnect : Failure::kEnd);
  Event event = Event::kNothing;
  for (;;) {
    ssize_t size = recv(fd_, buffers_.ciphertext.get(), ReadBuffers::kSize, 0);
    if (size < 0 && errno == EAGAIN) return event;
    if (size <= 0) {
      if (event != Event::kNothing) return event;
      return Fail(part_ == Part::kHandshake ? Failure::kTls : Failure::kEnd);
    }
    std::string_view bytes(buffers_.ciphertext.get(), static_cast<size_t>(size));
    Event now = tls_ ? OnCiphertext(bytes) : OnPlaintext(bytes);
    if (now == Event::kFailed) return now;
    if (now != Event::kNothing) event = now;
    if (!ended && static_cast<size_t>(size) < ReadBuffers::kSize) return event;
  }
}

Client::Event Client::OnCiphertext(std::string_view bytes) {
  tls_->Receive(bytes);
  Event event = Event::kNothing;
  if (part_ == Part::kHandshake) {
    TlsClient::Status status = tls_->Handshake();
    if (status == TlsClient::Status::kFailed) return Fail(Failure::kTls);
    if (status == TlsClient::Status::kMore) {
      return Flush() ? event : Fail(Failure::kTls);
    }
    resumed_ = tls_->resumed();
    event = Begin(Part::kOpening);
    if (event == Event::kFailed || !Flush()) return Fail(Failure::kTls);
  }
  for (;;) {
    int size = tls_->Read(buffers_.plaintext.get(), ReadBuffers::kSize);
    if (size == 0) return event;
    if (size < 0) return event != Event::kNothing ? event : Fail(Failure::kEnd);
    Event now = OnPlaintext({buffers_.plaintext.get(), static_cast<size_t>(size)});
    if (now == Event::kFailed) return now;
    if (now != Event::kNothing) event = now;
  }
}

Client::Event Client::OnPlaintext(std::string_view bytes) {
  bytes_ += bytes.size();
  Event event = Event::kNothing;
  while (!bytes.empty() && part_ != Part::kReady) {
    ReplyReader::Status status = reader_.Feed(bytes);
    if (status == ReplyReader::Status::kRefused) return Fail(Failure::kReply);
    if (status == ReplyReader::Status::kMore) return event;
    event = ++step_ < steps().size() ? BeginStep() : AfterPart();
    if (event == Event::kFailed || part_ == Part::kHandshake) return event;
  }
  return event;
}

bool Client::Say(std::string_view text) {
  bytes_ += text.size();
  if (tls_) return tls_->Write(text);
  outgoing_.append(text);
  return true;
}

// False where the connection is broken; what the socket does not take waits for the next turn.
bool Client::Flush() {
  for (;;) {
    if (outgoing_.empty() && !body_left_.empty()) {
      std::string_view step = body_left_.substr(0, kBodyStep);
      body_left_.remove_prefix(step.size());
      if (!Say(step)) return false;
    }
    if (outgoing_.empty()) return true;
    ssize_t size = send(fd_, outgoing_.data() + outgoing_done_, outgoing_.size() - outgoing_done_,
                        MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN;
    outgoing_done_ += static_cast<size_t>(size);
    if (outgoing_done_ < outgoing_.size()) continue;
    outgoing_.clear();
    outgoing_done_ = 0;
  }
}

}  // namespace postern::loadgen
