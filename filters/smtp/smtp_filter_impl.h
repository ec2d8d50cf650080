// The class behind MakeSmtpFilter. Its parts by file: smtp_filter.cc the life of a session,
// smtp_client.cc the client's lines, smtp_server.cc the server's replies, smtp_auth.cc log-ins. How
// bytes look is told elsewhere: smtp_command.h, smtp_reply.h, smtp_ehlo.h, smtp_data.h,
// smtp_trace.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/answer_queue.h"
#include "filters/farewell.h"
#include "filters/filter.h"
#include "filters/login.h"
#include "filters/sasl/client_mechanism.h"
#include "filters/secret.h"
#include "filters/smtp/smtp_command.h"
#include "filters/smtp/smtp_data.h"
#include "filters/smtp/smtp_ehlo.h"
#include "filters/smtp/smtp_reply.h"
#include "filters/smtp/smtp_trace.h"

namespace postern::smtp {

// RFC 4954, 4: characters of base64 in one SASL message, without the line end.
inline constexpr size_t kMaxSaslLine = 12288;
// Commands whose answers are owed at a time; a client that pipelines more waits.
inline constexpr size_t kMaxOwed = 32;
// The argument of EHLO, HELO and LHLO. A domain has 255 (RFC 5321, 4.5.3.1.2).
inline constexpr size_t kMaxHelo = 512;

// How the client's next bytes are taken.
enum class State : uint8_t {
  kGreeting,      // not yet: the server's greeting is awaited
  kCommand,       // a command
  kHelloAsked,    // not yet: the server has an EHLO
  kHandshake,     // not at all: TLS is starting
  kDataAsked,     // not yet: the server has a DATA
  kData,          // a message's bytes
  kChunk,         // a chunk's bytes
  kAuthAsked,     // not yet: a log-in is with the server
  kAuthResponse,  // a SASL response
  kDeriving,      // not yet, and the server's neither: a key is being derived
  kQuit,          // thrown away: the client has said goodbye
  kEnding,        // thrown away: the session ends once what is owed has been answered
  kEnded,         // not at all: Close was said
};

// What the server's next reply answers.
enum class Owed : uint8_t {
  kGreeting,
  kCommand,      // any command that is of no further interest
  kHello,        // EHLO or LHLO, or HELO for a client that said HELO
  kHeloInstead,  // HELO for a client that said EHLO: the server knows none
  kXclient,
  kMail,
  kRcpt,
  kData,
  kMessage,    // the end of DATA; LMTP: one reply per recipient
  kChunk,      // BDAT
  kLastChunk,  // BDAT LAST; LMTP as kMessage
  kReset,      // the client's RSET
  kOwnReset,   // Postern's, after TLS came up
  kAuth,
  kAuthCancel,  // Postern's `*`
  kQuit,
};

// A log-in that is under way.
struct Exchange {
  Mechanism mechanism = Mechanism::kOther;  // as the client named it
  bool taken = false;                       // Postern takes it and speaks it to the server itself
  bool began = false;                       // the server has the AUTH
  bool aborted = false;                     // the client's `*` is with the server
  size_t responses = 0;                     // that went to the server
  std::string user;                         // as the client gave it, where it is known

  // Taken: what the client still owes, and then what is spoken to the server.
  enum class Wanted : uint8_t { kPlain, kUser, kPassword, kNothing };
  Wanted wanted = Wanted::kNothing;
  Secret password;
  std::string server_user;  // rewritten
  std::unique_ptr<sasl::ClientMechanism> speaker;

  // Goes to the server in answer to its first prompt: the initial response of `AUTH LOGIN user`,
  // or one that did not go with the command.
  std::optional<Secret> held;
  // After Postern's `*`: what the client is told once the server has answered that, and why.
  std::string_view verdict;
  std::string_view reason;
};

class SmtpFilter final : public Filter {
 public:
  SmtpFilter(const FilterOptions& options, const SessionInfo& info);

  void OnClientUp(Channel channel, const TlsInfo* tls, Actions& out) override;
  void OnTlsUp(const TlsInfo& tls, Actions& out) override;
  void OnServerUp(Actions& out) override;
  void OnClientBytes(std::string_view input, Actions& out) override;
  void OnServerBytes(std::string_view input, Actions& out) override;
  void OnGone(Side side, Actions& out) override;
  bool PassesUnfinished(std::string_view rest) override;
  void OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) override;
  Phase phase() const override;
  Turn turn() const override;
  bool AtRest() const override;
  bool CanSpeak() const override { return reply_.code == 0 || reply_.fate != Fate::kPass; }
  bool Engaged() const override { return logged_in_ || in_mail_; }
  bool ClientLeft() const override { return state_ == State::kQuit; }
  std::string_view user() const override { return user_; }
  std::unique_ptr<Follower> Detached() override { return nullptr; }

 private:
  struct Line {
    std::string_view text;  // without the line end
    size_t size = 0;        // with it
    bool crlf = false;
  };
  // What became of the input offered to one step.
  struct Taken {
    size_t size = 0;
    bool more = false;  // worth another step
  };

  // smtp_filter.cc
  void Enter(State state) { state_ = state; }
  // Postern speaks to the client alone: at_login, before a log-in.
  bool alone() const { return options_.connect_at_login && !logged_in_; }
  bool wants_xclient() const { return options_.forward_client == ForwardClient::kXclient; }
  bool wants_received() const { return options_.forward_client == ForwardClient::kReceived; }
  bool offers_starttls() const {
    return options_.starttls && channel_ == Channel::kClear && !logged_in_;
  }
  EhloView view() const {
    return {options_, channel_, offers_starttls() && !IsDenied(options_, "STARTTLS")};
  }
  Trace trace() const;
  // Text of Postern's own, behind what is owed so far.
  void Reply(std::string_view text, Actions& out);
  // The session ends with this text, behind what is owed so far.
  void End(Cause cause, std::string_view text, Actions& out);
  void Fail(ProtocolFault fault, std::string_view text, Actions& out);
  void CloseNow(Cause cause, std::string text, Actions& out, std::chrono::milliseconds delay = {});
  void BackendFault(BackendFaultReason reason, std::string detail, Actions& out);
  // The server broke its own protocol: fail closed.
  void Broken(Actions& out);

  // smtp_client.cc
  Taken TakeClient(std::string_view input, Actions& out);
  Taken TakeCommand(std::string_view input, Actions& out);
  Taken TakeData(std::string_view input, Actions& out);
  Taken TakeChunk(std::string_view input, Actions& out);
  std::optional<Line> NextLine(std::string_view input, size_t limit, Actions& out);
  bool CheckLine(const Line& line, Actions& out);
  void Consume(const Line& line, Actions& out);
  void PassLine(const Line& line, Actions& out);
  void Pass(const Line& line, Owed owed, Actions& out);
  void Refuse(const Line& line, const Command& command, BlockReason reason, std::string_view text,
              Actions& out);
  bool RefuseByRules(const Line& line, const Command& command, Actions& out);
  bool MustWait(const Command& command) const;
  bool LacksFirstByte(const Command& command, std::string_view behind) const;
  // `behind`: what the client has sent behind the line.
  void OnCommand(const Line& line, const Command& command, std::string_view behind, Actions& out);
  void AnswerAlone(const Line& line, const Command& command, Actions& out);
  void OnHello(const Line& line, const Command& command, Actions& out);
  void SayHello(Actions& out);
  void OnStartTls(const Line& line, const Command& command, bool bytes_behind, Actions& out);
  void OnBdat(const Line& line, const Command& command, std::string_view behind, Actions& out);

  // smtp_server.cc
  enum class Fate : uint8_t { kPass, kDrop, kGather };
  Fate ChooseFate(const ReplyLine& line) const;
  bool IsOutOfPlace(int code) const;
  void TakeReplyLine(const ReplyLine& line, size_t size, bool crlf, Actions& out);
  void FinishReply(Actions& out);
  void OnUnasked(const ReplyLine& line, size_t size, Actions& out);
  bool MoreReplies(Owed owed);
  // The lines of a reply that was kept back, each with CRLF.
  std::string Gathered() const;
  void OnReply(Owed owed, int code, Actions& out);
  void EndTransaction();
  void OnGreeting(int code, Actions& out);
  void OnHelloReply(int code, Actions& out);
  void OnCapabilities(Actions& out);
  void OnHeloInsteadReply(int code, Actions& out);
  void SayXclient(Actions& out);
  void OnXclientReply(int code, Actions& out);
  void ShowHello(EhloShown shown, Actions& out);
  void OnDataReply(int code);

  // smtp_auth.cc
  void OnAuth(const Line& line, const Command& command, Actions& out);
  bool MayTry(const Line& line, std::string_view name, Actions& out);
  void RefuseAuth(const Line& line, std::string_view text, Actions& out);
  void BlockAuth(const Line& line, Mechanism mechanism, BlockReason reason, std::string_view text,
                 Actions& out);
  std::optional<Secret> Decode(std::string_view base64, Actions& out);
  void BeginPassed(const Line& line, const Command& command, std::string_view name,
                   std::string_view initial, Actions& out);
  void BeginTaken(const Line& line, std::string_view initial, Actions& out);
  Taken TakeAuthResponse(std::string_view input, Actions& out);
  void OnAuthResponse(const Line& line, Actions& out);
  void OnAbort(const Line& line, Actions& out);
  std::string UserOf(const Secret& message) const;
  void OnTakenResponse(std::string_view message, Actions& out);
  void OnCredentials(std::optional<Login> login, Actions& out);
  void CancelAuth(std::string_view verdict, std::string_view reason, Actions& out);
  void EndAuth(AuthResult result, std::string_view reason, Actions& out);
  void ContinueLogin(Actions& out);
  std::optional<Mechanism> ChooseSpoken() const;
  void Speak(Actions& out);
  void SayAuth(Mechanism mechanism, Actions& out);
  void OnAuthReply(int code, Actions& out);
  void OnChallenge(Actions& out);
  void Proceed(sasl::Step step, const Secret& response, Actions& out);
  void OnBadChallenge(std::string_view reason, Actions& out);
  void OnAuthCancelReply(int code, Actions& out);
  void OnVerdict(int code, Actions& out);
  void OnAccepted(Actions& out);
  void OnOpenLogin(std::string_view reason, Actions& out);
  void LoginUnavailable(std::string_view reason, Actions& out);

  const FilterOptions& options_;
  const SessionInfo info_;

  State state_ = State::kGreeting;
  Channel channel_ = Channel::kClear;
  std::string tls_version_;
  std::string tls_cipher_;

  // The client.
  size_t scanned_ = 0;             // of its unconsumed bytes, that hold no line end
  bool client_waits_ = false;      // a whole command of it is held back for answers
  std::string helo_;               // the argument of its last EHLO, HELO or LHLO
  Verb hello_ = Verb::kHelo;       // which of them
  Verb hello_said_ = Verb::kHelo;  // to the server
  bool greeted_ = false;           // that one was answered with yes
  bool chunking_shown_ = false;
  bool tls_was_started_ = false;
  bool quiet_ = false;  // the last log-in failed: what comes as a command may be a secret
  bool logged_in_ = false;
  std::string user_;
  int failures_ = 0;
  uint32_t logins_ = 0;
  std::unique_ptr<Exchange> exchange_;

  // Its message.
  DataScanner data_;
  uint64_t chunk_left_ = 0;
  bool header_due_ = false;    // a Received header goes before the first byte
  bool chunks_begun_ = false;  // a chunk that holds something, or the header, has gone

  // The server.
  bool server_up_ = false;
  bool server_hello_ = false;  // it has answered the client's last EHLO
  bool xclient_done_ = false;  // it knows who the client is
  Capabilities server_;
  std::vector<std::string> xclient_;  // commands to be said, the next one last
  bool in_mail_ = false;              // a MAIL was accepted and its transaction is not over
  size_t recipients_ = 0;             // accepted in it
  size_t replies_left_ = 0;           // LMTP: of the message that is being answered

  struct BegunReply {
    int code = 0;  // 0: none has begun
    Fate fate = Fate::kPass;
    size_t lines = 0;
    size_t bytes = 0;
    std::vector<std::string> gathered;  // kGather: the lines, without the line end
  };
  BegunReply reply_;         // that has begun, or was the last
  bool unfinished_ = false;  // the client was given a part of a line, the last there is
  size_t server_scanned_ = 0;

  AnswerQueue<Owed, kMaxOwed> queue_;
  struct Ending {
    Cause cause = Cause::kProtocolError;
    std::string text;
  };
  std::optional<Ending> ending_;
};

}  // namespace postern::smtp
