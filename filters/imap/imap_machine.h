// The state machine behind MakeImapFilter, private to this folder. One member function a state and
// side: the client's in imap_client.cc, the server's in imap_server.cc, log-ins in
// imap_authenticate.cc, the rest in imap_filter.cc.
//
// Order of answers is kept in the simplest way: what Postern answers itself stays with the session,
// unread, until all that is owed to the client has come from the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "filters/farewell.h"
#include "filters/filter.h"
#include "filters/imap/imap_capabilities.h"
#include "filters/imap/imap_line.h"
#include "filters/imap/imap_login.h"
#include "filters/imap/imap_outgoing.h"
#include "filters/imap/imap_owed.h"
#include "filters/imap/imap_syntax.h"
#include "filters/login.h"
#include "filters/secret.h"

namespace postern::imap {

// Longest line of a server's that is taken before the log-in.
inline constexpr size_t kMaxServerLine = 16 * 1024;
// Longest SASL message, in base64 (RFC 4954, section 4, has the number); longer where a line may
// be.
inline constexpr size_t kMaxSaslLine = 12288;
// Lines that are no command of IMAP, in one session.
inline constexpr int kMaxBadCommands = 100;

// One call's input, and how much of it has been decided upon.
class Feed {
 public:
  Feed(std::string_view input, Actions& actions) : out(actions), rest_(input) {}

  std::string_view rest() const { return rest_; }
  void Forward(size_t size) {
    out.Forward(size);
    rest_.remove_prefix(size);
  }
  void Drop(size_t size) {
    out.Drop(size);
    rest_.remove_prefix(size);
  }

  Actions& out;

 private:
  std::string_view rest_;
};

// A command's line (its first, where it has literals).
struct Request {
  Line line;
  Command command;
  Tail tail = Tail::kNone;
  Literal literal;
};

// A log-in that is under way.
struct Attempt {
  std::string tag;
  Mechanism mechanism = Mechanism::kBasic;  // as the client says it
  std::string user;                         // as the client gave it, as far as it is known
  std::optional<Login> login;               // what Postern took, spelled for the server
  bool first_message = true;                // of the client's SASL messages
  bool responded = false;                   // the server has had one of them
  bool aborted = false;                     // by the client
  Secret held;  // initial response that waits for the server's first `+`
  bool has_held = false;
};

class ImapFilter final : public Filter {
 public:
  ImapFilter(const FilterOptions& options, const SessionInfo& info)
      : options_(options), info_(info) {}

  void OnClientUp(Channel channel, const TlsInfo* tls, Actions& out) override;
  void OnTlsUp(const TlsInfo& tls, Actions& out) override;
  void OnServerUp(Actions& out) override;
  void OnClientBytes(std::string_view input, Actions& out) override;
  void OnServerBytes(std::string_view input, Actions& out) override;
  void OnGone(Side side, Actions& out) override;
  void OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) override;
  Phase phase() const override;
  Turn turn() const override;
  bool AtRest() const override;
  bool ClientLeft() const override { return owed_.leaving(); }
  std::string_view user() const override { return user_; }
  std::unique_ptr<Follower> Detached() override;

 private:
  enum class State : uint8_t {
    kConnecting,    // the server's connection is awaited
    kGreeting,      // the server's greeting is awaited
    kAsking,        // a command of Postern's own is with the server
    kCommand,       // the client's next command is awaited
    kGathering,     // a command is coming that Postern needs in whole
    kSkipping,      // the rest of a refused command is coming: bytes behind `{n+}`
    kLiteralAsked,  // a line up to a literal has passed; the server's `+` is awaited
    kLiteral,       // a literal's bytes are passing
    kRest,          // the line behind a literal is coming
    kSending,       // a command of the client's, remade, waits for `+` to its literals
    kVerdict,       // a LOGIN has passed; the server's verdict is awaited
    kExchange,      // a SASL exchange is passing: it is the server's turn
    kResponse,      // a SASL exchange is passing: it is the client's turn
    kPrompted,      // a SASL exchange of Postern's own with the client: the client's turn
    kSpeaking,      // Postern speaks a log-in to the server: the server's turn
    kDeriving,      // … and waits for a key
    kAborting,      // … or has ended the exchange; what the server says to that is swallowed
    kTlsStarting,
    kDone,  // closed or detached
  };

  void Enter(State state);
  bool busy() const { return !owed_.empty(); }
  bool WithServer() const;  // a log-in is
  CapabilityView View() const { return {options_, server_, channel_}; }

  // imap_client.cc. Each says whether it has done something; false: it waits.
  bool ClientStep(Feed& in);
  bool OnCommand(Feed& in);
  bool Dispatch(Feed& in, const Request& request);
  bool OnSimple(Feed& in, const Request& request, Verb verb);
  bool AnswerAlone(Feed& in, const Request& request, Verb verb);
  bool OnStartTls(Feed& in, const Request& request);
  bool OnId(Feed& in, const Request& request);
  bool OnAllowed(Feed& in, const Request& request, Verb verb);
  bool Pass(Feed& in, const Request& request, Verb verb);
  bool PassPiece(Feed& in, const Line& line, Tail tail, const Literal& literal);
  bool Gather(Feed& in, const Request& request, Verb verb);
  bool OnGathering(Feed& in);
  bool OnGathered(Feed& in, size_t line_end);
  void SendId(std::string_view tag, std::string_view arguments, Actions& out);
  bool OnSkipping(Feed& in);
  bool OnLiteral(Feed& in);
  bool OnRest(Feed& in);
  bool Reply(Feed& in, const Request& request, std::string_view words);
  bool Misread(Feed& in, const Request& request, std::string_view tag);
  bool Block(Feed& in, const Request& request, BlockReason reason, std::string_view words);
  bool OnlyForTls() const;
  size_t Left(size_t used) const;

  // imap_authenticate.cc: the client's side of a log-in, and what comes of it.
  bool OnLogin(Feed& in, const Request& request);
  bool OnAuthenticate(Feed& in, const Request& request);
  bool PassAuthenticate(Feed& in, const Request& request, std::optional<std::string_view> initial);
  bool Permit(Feed& in, const Request& request, Mechanism mechanism, std::string_view name,
              std::string_view user);
  bool OnResponse(Feed& in);
  bool OnPromptAnswer(Feed& in);
  bool ResponseLine(Feed& in, Line& line);
  void TakeMessage(std::string_view message, Actions& out);
  void TakeLogin(std::optional<Login> login, Actions& out);
  void TakeArguments(std::string_view arguments, Actions& out);
  void RefuseBase64(Actions& out);
  void LearnUser(std::string_view message);
  void Prepare(Actions& out);
  void Ask(Verb verb, std::string_view line, Actions& out);
  void Speak(Actions& out);
  void Carry(ServerLogin::Do what, Actions& out);
  void AnswerAttempt(std::string_view words, AuthResult result, std::string_view reason,
                     Actions& out);
  void NoteAuth(AuthResult result, std::string_view reason, Actions& out);
  void OnVerdict(Feed& in, const Line& line, const Answer& answer);
  void OnAccepted(Feed& in, const Line& line, const Answer& answer);
  void OnRefused(Feed& in, const Line& line, const Answer& answer);

  // imap_server.cc
  bool ServerStep(Feed& in);
  bool OnServerLiteral(Feed& in);
  void OnGreeting(Feed& in, const Line& line, const Answer& answer);
  bool OnUntagged(Feed& in, const Line& line, const Answer& answer);
  void OnContinuation(Feed& in, const Line& line, const Answer& answer);
  void OnTagged(Feed& in, const Line& line, const Answer& answer);
  void OnInterrupted(Feed& in, const Line& line, const Answer& answer);
  bool ExpectServerLiteral(std::string_view text, bool swallow, Actions& out);
  std::string ShownToClient(const Line& line, const Answer& answer, bool logged_in);
  void PassAnswer(Feed& in, const Line& line, const Answer& answer, bool logged_in);
  void LearnFrom(const Answer& answer, bool logging_in);
  void ServerFault(Actions& out);  // it has broken the protocol

  // imap_filter.cc: ends.
  bool Fatal(Actions& out, ProtocolFault fault);     // once what is owed has been answered
  bool FatalNow(Actions& out, ProtocolFault fault);  // in the middle of a command
  void End(Actions& out, Cause cause, std::string goodbye);

  const FilterOptions& options_;
  const SessionInfo info_;
  State state_ = State::kConnecting;
  Channel channel_ = Channel::kClear;
  LineScanner client_lines_;
  ServerLineScanner server_lines_;
  OwedAnswers owed_;
  ServerCapabilities server_;
  bool server_up_ = false;
  bool own_id_sent_ = false;
  bool bye_seen_ = false;
  int bad_commands_ = 0;
  bool unnamed_ = false;  // the next unknown word may be a secret: of a log-in's literal, refused

  // The command that is passing in pieces, being gathered or skipped.
  std::string tag_;
  Verb verb_ = Verb::kUnknown;
  size_t arguments_at_ = 0;  // kGathering: where they begin in the input
  size_t used_ = 0;          // bytes of it so far
  size_t literal_left_ = 0;  // kLiteral, kLiteralAsked, kSkipping
  bool literal_binary_ = false;
  bool swallow_plus_ = false;           // the client does not wait for this literal's `+`
  bool agreed_ = false;                 // the server has said it
  std::optional<int> login_arguments_;  // of a LOGIN that passes: see CountLoginArguments
  bool literal_is_user_ = false;
  bool answered_early_ = false;  // before it had passed in whole
  std::optional<Outgoing> outgoing_;

  std::optional<Attempt> attempt_;
  std::optional<ServerLogin> speaker_;
  std::string_view abort_answer_;  // kAborting: what the client is told
  std::string_view abort_reason_;  // … and the log
  uint32_t logins_ = 0;
  int failures_ = 0;
  std::string user_;

  // Of a server's answer: the literal that is coming.
  uint64_t server_literal_ = 0;
  bool server_continues_ = false;  // its line goes on behind it
  bool server_swallowed_ = false;
};

// Passes a line on with CRLF, whatever its end was.
void ForwardLine(Feed& in, const Line& line, Side to);

}  // namespace postern::imap
