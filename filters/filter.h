// A filter is a pure function of the bytes it has seen (docs/architecture.md). It holds no socket,
// clock, log or metric: it is handed bytes and appends actions to a list; the session carries them
// out after it has returned. One filter per session, owned by it, used on its worker's thread
// alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "filters/event.h"
#include "filters/options.h"
#include "filters/sasl/derivation.h"

namespace postern {

enum class Side : uint8_t { kClient, kServer };

// Why a filter ends a session. The session maps it to the log's `end` and `fault`.
enum class Cause : uint8_t {
  kLogout,           // the client said goodbye and Postern answered it alone
  kProtocolError,    // the client broke the protocol
  kInjection,        // bytes behind STARTTLS in the clear
  kTooManyFailures,  // limits.auth_failures_per_session
  kPolicy,           // a refusal that ends the session (BDAT before TLS, …)
  kServerRefused,    // the server's greeting said no, and was passed on
  kServerFault,      // the server broke the protocol, greeted PREAUTH, signed wrongly, …
  kServerGone,       // the server ended the connection
  kNoServer,         // no server could be reached
};

// The next `size` bytes of the input go to the other side unchanged.
struct Forward {
  size_t size = 0;
};
// The next `size` bytes of the input are swallowed.
struct Drop {
  size_t size = 0;
};
// Bytes that the filter made. What goes to the server before a log-in is wiped by the session when
// it has left.
struct Send {
  Side to = Side::kClient;
  std::string bytes;
};
// Start TLS with the client, once what was sent to it has left. Follows at once after the Send of
// the answer.
struct StartTls {};
// Open a connection to the backend. OnServerUp follows, or OnGone(kServer).
struct Connect {};
// No more inspection: what is not yet consumed and all that follows goes through Detached()'s
// follower.
struct Detach {};
// End the session: send `goodbye` to the client after `delay`, then close. Nothing after it counts.
struct Close {
  Cause cause = Cause::kProtocolError;
  std::string goodbye;  // whole lines; may be empty
  std::chrono::milliseconds delay{0};
};
struct Note {
  Event event;
};
// A password is to be turned into a key (PBKDF2), off the worker's thread. OnDerived follows.
struct Derive {
  std::unique_ptr<sasl::Derivation> work;
};

using Action = std::variant<Forward, Drop, Send, StartTls, Connect, Detach, Close, Note, Derive>;

// The list that a filter appends to. Adjacent Forwards (and Drops) are joined.
class Actions {
 public:
  void Forward(size_t size);
  void Drop(size_t size);
  // Joined with a Send to the same side that came right before.
  void Send(Side to, std::string_view bytes);
  void StartTls() { list_.emplace_back(postern::StartTls{}); }
  void Connect() { list_.emplace_back(postern::Connect{}); }
  void Detach() { list_.emplace_back(postern::Detach{}); }
  void Close(Cause cause, std::string goodbye, std::chrono::milliseconds delay = {});
  void Note(Event event) { list_.emplace_back(postern::Note{std::move(event)}); }
  void Derive(std::unique_ptr<sasl::Derivation> work);

  std::vector<Action>& list() { return list_; }
  const std::vector<Action>& list() const { return list_; }
  bool empty() const { return list_.empty(); }
  void clear() { list_.clear(); }

 private:
  std::vector<Action> list_;
};

// Chooses the timeout that runs, and a word for the log.
enum class Phase : uint8_t {
  kGreeting,        // the server's greeting is awaited (timeouts.backend_greeting)
  kBeforeLogin,     // timeouts.login
  kAuthenticating,  // a log-in is with the server (timeouts.login goes on)
  kLoggedIn,        // timeouts.idle; smtp without require_auth is here from the greeting on
};

// Who is to speak next: the idle timeout of smtp counts on the client's turn alone.
enum class Turn : uint8_t { kClient, kServer };

// What the session knows at the moment of a call and a filter may need.
struct Moment {
  std::chrono::system_clock::time_point now{};
  bool throttled = false;  // log-ins from this address are refused for the time being
};

// Watches the two streams of a session after Detach. Holds and copies nothing.
class Follower {
 public:
  virtual ~Follower() = default;
  // Client bytes on their way to the server. May overwrite single bytes in place, so that a
  // forbidden command (IMAP UNAUTHENTICATE) becomes one that the server does not know. Returns how
  // many of them may go now: all of them, or with `pipelining: false` those up to the end of the
  // first command while its answer is owed; the session keeps the rest and shows it again after the
  // next server bytes.
  virtual size_t OnClientBytes(char* bytes, size_t size) = 0;
  virtual void OnServerBytes(std::string_view bytes) = 0;
  // True where words of Postern's own may be said to the client: the server's stream is at the
  // start of a line outside any literal, no answer is owed (an IDLE that waits counts as at rest),
  // and COMPRESS is not on.
  virtual bool AtRest() const = 0;
  // True where a whole line of Postern's own can stand in the server's stream though an answer may
  // be owed: at the start of an answer, outside any literal or multi-line answer, and COMPRESS is
  // not on.
  virtual bool CanSpeak() const { return AtRest(); }
  // True once the client has said goodbye (LOGOUT, QUIT): the server's closing is then no fault of
  // its own.
  virtual bool ClientLeft() const { return false; }
  // True once the server has answered that goodbye: nothing more is to come from either side.
  virtual bool Through() const { return false; }
  virtual Turn turn() const = 0;
};

class Filter {
 public:
  virtual ~Filter() = default;

  // The client is there: accepted on a clear or starttls listener (kClear), or done with implicit
  // TLS (kTls, `tls` set). Called once, first. The filter asks for the Connect (at_accept), or
  // greets by itself (at_login).
  virtual void OnClientUp(Channel channel, const TlsInfo* tls, Actions& out) = 0;
  // TLS with the client is up after StartTls. `tls` is valid during the call.
  virtual void OnTlsUp(const TlsInfo& tls, Actions& out) = 0;
  // The connection asked for by Connect stands (its TLS included); the greeting comes as the first
  // server bytes.
  virtual void OnServerUp(Actions& out) = 0;

  // `input` is everything from that side that was not yet consumed: it starts at the first byte
  // that no Forward or Drop covered. What the actions don't cover is shown again, with more behind
  // it or after the other side has spoken; the filter remembers how far it has scanned. The session
  // calls again while there is progress.
  virtual void OnClientBytes(std::string_view input, Actions& out) = 0;
  virtual void OnServerBytes(std::string_view input, Actions& out) = 0;

  // That side will send nothing more (all it sent has been shown). kServer also when a Connect
  // failed. Where the filter does not answer with Close after kServer, the session forgets the
  // server, and a Connect may follow. After kClient the session ends by itself once nothing is owed
  // to the client.
  virtual void OnGone(Side side, Actions& out) = 0;

  // The server has gone, and `rest` is what it sent last, without a line end. True where it is of
  // an answer that passes as it is: the session sends it to the client, then says OnGone.
  virtual bool PassesUnfinished(std::string_view) { return false; }

  virtual void OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) = 0;

  virtual Phase phase() const = 0;
  virtual Turn turn() const = 0;
  // True where a goodbye may be said to the client: between commands, no answer owed or begun.
  virtual bool AtRest() const = 0;
  // True where a line of Postern's own can stand in the server's stream though an answer may be
  // owed: none has begun to reach the client that has not ended.
  virtual bool CanSpeak() const { return true; }
  // True where the client has begun what a drain lets it finish at first: it is logged in, or sends
  // a message.
  virtual bool Engaged() const { return !user().empty(); }
  // True once the client has said goodbye (LOGOUT, QUIT).
  virtual bool ClientLeft() const { return false; }
  // The user that logged in (as the client gave it), empty before. For the log.
  virtual std::string_view user() const = 0;
  // Called once after Detach: what watches the streams from here on. The filter is freed after it.
  virtual std::unique_ptr<Follower> Detached() = 0;

  void set_moment(const Moment& moment) { moment_ = moment; }

 protected:
  const Moment& moment() const { return moment_; }

 private:
  Moment moment_;
};

}  // namespace postern
