// The dialogue of one POP3 session up to its log-in: the filter itself (docs/architecture.md tells
// what a filter is). Lines are found first (line.h), then looked up in the verb table, then carried
// out; what the server owes is kept in order in an AnswerQueue. Four files:
//   pop3_filter.cc  what the session calls, the verb table, the way in for client lines
//   answers.cc      the server's lines
//   login.cc        log-ins: their commands, those that pass through, how they end
//   taken_login.cc  log-ins that Postern takes and speaks to the backend anew
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "filters/answer_queue.h"
#include "filters/filter.h"
#include "filters/login.h"
#include "filters/pop3/backend.h"
#include "filters/pop3/backend_login.h"
#include "filters/pop3/line.h"
#include "filters/pop3/offer.h"

namespace postern::pop3 {

// Longest line taken from a server before the log-in.
inline constexpr size_t kMaxServerLine = 16 * 1024;
// Longest command where limits.line is turned off.
inline constexpr size_t kMaxCommandLine = 64 * 1024;
// Longest SASL message, in base64 (RFC 4954, section 4, has the number); longer where a line may
// be.
inline constexpr size_t kMaxSaslLine = 12288;
// Answers owed at a time before the log-in; the client waits where there are more.
inline constexpr size_t kMaxOwed = 32;
// Unknown commands that are answered; one more ends the session.
inline constexpr int kMaxUnknown = 100;

class Pop3Filter final : public Filter {
 public:
  Pop3Filter(const FilterOptions& options, const SessionInfo& info);

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
  std::string_view user() const override { return user_; }
  std::unique_ptr<Follower> Detached() override;

  // A handler of the verb table. False where the command has to wait for the answers before it: it
  // is not consumed then, and comes again.
  using Handler = bool (Pop3Filter::*)(const Line& line, std::string_view behind, Actions& out);

 private:
  enum class State : uint8_t {
    kGreeting,     // the server's greeting is awaited
    kReady,        // commands
    kStartingTls,  // STLS has been answered
    kVerdict,      // a log-in that passes is with the server
    kResponse,     // … and the client's answer to a challenge is due
    kAborting,     // … and has been ended by Postern: the server's answer is swallowed
    kPlainDue,     // the message of an AUTH PLAIN that Postern takes
    kUserDue,      // the user's name, of an AUTH LOGIN that it takes
    kPasswordDue,  // the password of that
    kConnecting,   // at_login: the connection, then its greeting
    kProbing,      // Postern asks the backend what it can do, for the log-in in hand
    kSpeaking,     // the log-in in hand is being spoken to the backend
    kDeriving,     // … and waits for a key
    kGivingUp,     // … and has been ended by Postern
    kQuitting,     // QUIT is with the server
    kClosing,      // the last words wait for the answers before them
    kDone,         // closed or detached
  };
  // What an answer of the server's belongs to.
  enum class Answer : uint8_t { kSingle, kCapabilities, kMechanisms, kLanguages, kLogin, kQuit };
  enum class Pairing : uint8_t { kNone, kPassed, kTaken, kBlocked };  // of USER with PASS

  void Enter(State state) { state_ = state; }

  // pop3_filter.cc: client lines.
  bool TakesClientLines() const;
  bool TakeClientLine(const Line& line, std::string_view behind, Actions& out);
  bool TakeCommand(const Line& line, std::string_view behind, Actions& out);
  bool TakeUnknown(const Line& line, std::string_view verb, Actions& out);
  bool OnCapa(const Line& line, std::string_view behind, Actions& out);
  bool OnStls(const Line& line, std::string_view behind, Actions& out);
  bool OnNoop(const Line& line, std::string_view behind, Actions& out);
  bool OnStateful(const Line& line, std::string_view behind, Actions& out);  // UTF8, LANG
  bool OnQuit(const Line& line, std::string_view behind, Actions& out);
  bool OnTransaction(const Line& line, std::string_view behind, Actions& out);
  bool PassCommand(const Line& line, Answer answer, Actions& out);
  void PassLine(const Line& line, Actions& out);
  bool Blocked(const Line& line, BlockReason reason, std::string_view verb, std::string_view text,
               Actions& out);
  // Answers the client in its turn. False where there is no room to remember the answer.
  bool Reply(std::string_view text, Actions& out);
  void Fail(ProtocolFault fault, Actions& out);
  void FinishWith(Cause cause, std::string_view last_words, Actions& out);
  void End(Cause cause, std::string_view goodbye, Actions& out);
  bool owes() const { return !queue_.empty(); }
  size_t LineLimit() const;

  // answers.cc: server lines.
  bool TakesServerLines() const;
  void TakeServerLine(const Line& line, Actions& out);
  void TakeGreeting(const Line& line, Actions& out);
  void TakeAnswer(const Line& line, Answer answer, Actions& out);
  void ShowLine(const Line& line, Actions& out);
  void TakeListed(const Line& line, Answer answer, Actions& out);
  void BeginList(const Line& line, Answer answer, bool ok, Actions& out);
  void TakeUnasked(const Line& line, Actions& out);
  void TakeProbed(const Line& line, Actions& out);
  void Answered(Actions& out);
  void BackendBroken(Actions& out);

  // login.cc: commands, log-ins that pass through, verdicts.
  bool OnUser(const Line& line, std::string_view behind, Actions& out);
  bool OnPass(const Line& line, std::string_view behind, Actions& out);
  bool OnApop(const Line& line, std::string_view behind, Actions& out);
  bool OnAuth(const Line& line, std::string_view behind, Actions& out);
  bool ListMechanisms(const Line& line, Actions& out);
  void BeginLogin(Mechanism mechanism, std::string_view user);
  std::optional<bool> Refuse(const Line& line, std::string_view verb, std::string_view mechanism,
                             Actions& out);
  bool PassAuth(const Line& line, std::string_view initial, Actions& out);
  void TakeLoginAnswer(const Line& line, Actions& out);
  void TakeChallenge(const Line& line, Actions& out);
  void TakeResponse(const Line& line, Actions& out);
  void TakePassedResponse(const Line& line, Actions& out);
  void RefuseBase64(Actions& out);
  void LearnUser(std::string_view response);
  void TakeVerdict(const Line& line, Actions& out);
  void Reject(const Line& line, Actions& out);
  void Abandon(std::string_view answer, Actions& out);
  void NoteAuth(AuthResult result, std::string_view reason, Actions& out);
  void ForgetLogin();

  // taken_login.cc: from the client, then to the backend.
  bool TakeAuth(const Line& line, std::string_view initial, Actions& out);
  void TakeOwnResponse(const Line& line, Actions& out);
  void TakeMessage(std::string& message, Actions& out);
  void TakeLogin(std::optional<Login> login, Actions& out);
  void RefuseCredentials(Actions& out);
  bool NeedsCapabilities() const;
  bool NeedsMechanisms() const;
  void Proceed(Actions& out);
  void Probe(std::string_view command, Answer answer, Actions& out);
  void Speak(Actions& out);
  void TakeSpoken(const Line& line, Actions& out);
  void CarryOn(BackendLogin::Next next, std::string& send, const Line* line, Actions& out);
  void TakeGivenUp(const Line& line, Actions& out);
  void RefuseForNow(std::string_view reason, Actions& out);

  const FilterOptions& options_;
  SessionInfo info_;
  Offer offer_;
  Backend backend_;
  State state_ = State::kGreeting;
  LineFinder client_lines_;
  LineFinder server_lines_;
  AnswerQueue<Answer, kMaxOwed> queue_;
  bool inside_ = false;  // a list of several lines has begun
  bool server_up_ = false;
  bool greeted_ = false;  // the server's greeting has been read
  bool unnamed_ = false;  // the next unknown word may be a secret: a log-in was refused before it

  int unknown_ = 0;  // commands so far

  // The log-in in hand.
  Pairing pairing_ = Pairing::kNone;
  std::string login_user_;  // as the client gave it, where known
  Mechanism mechanism_ = Mechanism::kBasic;
  Secret initial_;  // of AUTH LOGIN, held until the server prompts for it
  bool has_initial_ = false;
  bool complete_ = false;  // something of the log-in is with the server: its -ERR is a verdict
  bool aborted_ = false;
  std::string backend_user_;  // of a log-in that Postern takes: as the backend knows him
  Secret password_;           // … until it is spoken to the backend
  Answer probing_ = Answer::kCapabilities;  // what kProbing waits for
  std::unique_ptr<BackendLogin> backend_login_;
  uint32_t logins_ = 0;
  int failures_ = 0;

  std::string user_;                     // who logged in
  Cause cause_ = Cause::kProtocolError;  // of kClosing
  std::string last_words_;
};

}  // namespace postern::pop3
