// One connection of the load: its socket, its TLS, and where it is in its script. Owned by the
// runner, which alone decides what it does when a script's part has ended.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "bench/loadgen/reply.h"
#include "bench/loadgen/script.h"
#include "bench/loadgen/tls_client.h"

namespace postern::loadgen {

using Clock = std::chrono::steady_clock;

enum class Failure : uint8_t { kNone, kConnect, kTls, kReply, kEnd, kCount };

struct Target {
  sockaddr_storage address;
  socklen_t address_size;
  Tls tls;
};

// The buffers into which all clients of a thread read.
struct ReadBuffers {
  static constexpr size_t kSize = size_t{256} << 10;
  std::unique_ptr<char[]> ciphertext = std::make_unique<char[]>(kSize);
  std::unique_ptr<char[]> plaintext = std::make_unique<char[]>(kSize);
};

class Client {
 public:
  // What has come to its end in a call.
  enum class Event : uint8_t { kNothing, kOpened, kLooped, kFailed };

  Client(const Target& target, const TlsContext& tls, ReadBuffers& buffers)
      : target_(target), tls_context_(tls), buffers_(buffers) {}
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects from `source` (127.0.0.x for loopback targets; 0 leaves it to the kernel) and begins
  // the script's opening.
  bool Open(const Script& script, uint32_t source, bool resume);

  // Begins one round of the script's loop.
  Event StartLoop();

  Event OnReady(bool ended);

  // Ends the connection politely; may be opened again.
  void Close();

  int fd() const { return fd_; }
  Failure failure() const { return failure_; }
  bool resumed() const { return resumed_; }
  Clock::time_point began() const { return began_; }  // of the opening or the last loop

  // Bytes of plaintext in both directions since the last call.
  uint64_t TakeBytes() { return std::exchange(bytes_, 0); }

  // For the runner's use.
  bool counted = false;
  bool cold = false;

 private:
  enum class Part : uint8_t { kClosed, kClear, kHandshake, kOpening, kReady, kLoop };

  Event Fail(Failure failure);
  Event Begin(Part part);
  Event BeginStep();
  Event AfterPart();
  Event StartTls();
  Event OnCiphertext(std::string_view bytes);
  Event OnPlaintext(std::string_view bytes);
  bool Say(std::string_view text);
  bool Flush();
  const std::vector<Step>& steps() const;

  const Target& target_;
  const TlsContext& tls_context_;
  ReadBuffers& buffers_;
  const Script* script_ = nullptr;
  int fd_ = -1;
  Part part_ = Part::kClosed;
  size_t step_ = 0;
  ReplyReader reader_;
  std::unique_ptr<TlsClient> tls_;
  bssl::UniquePtr<SSL_SESSION> ticket_;
  bool resume_ = false;
  bool resumed_ = false;
  std::string outgoing_;        // for the socket
  size_t outgoing_done_ = 0;    // bytes of it that have left
  std::string_view body_left_;  // of the script's body, not yet in outgoing_
  Failure failure_ = Failure::kNone;
  Clock::time_point began_;
  uint64_t bytes_ = 0;
};

}  // namespace postern::loadgen
