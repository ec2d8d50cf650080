// IMAP4rev1 (RFC 3501) with IDLE, UIDPLUS, NAMESPACE: what mail programs need and no more. No
// searching by content, no MIME structure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bench/legacy_server/dialogue.h"
#include "bench/legacy_server/imap_arguments.h"
#include "bench/legacy_server/sasl.h"

namespace postern::legacy {

class ImapDialogue : public Dialogue {
 public:
  ImapDialogue(const Options& options, Store& store);

  void Greet(Output& out) override;
  void Poll(Output& out) override;
  bool waits_for_news() const override { return idling_; }

 protected:
  size_t Take(std::string_view input, Output& out) override;

 private:
  enum class Phase : uint8_t { kGreeted, kLoggedIn, kSelected };

  static constexpr size_t kMaxInlineLiteral = size_t{64} << 10;  // of all commands but APPEND
  static constexpr size_t kMaxCommand = size_t{256} << 10;       // a line and its literals

  struct Verb {
    std::string_view name;
    Phase needs;
    void (ImapDialogue::*run)(std::string_view tag, Arguments& arguments, Output& out);
  };
  static const Verb kVerbs[];

  // The stream: lines, literals, SASL responses, DONE.
  size_t TakeLiteral(std::string_view input);
  void TakeText(std::string_view line, Output& out);
  bool BeginLiteral(const LiteralMark& mark, Output& out);
  void Execute(std::string_view command, Output& out);
  void Dispatch(std::string_view tag, std::string_view verb, Arguments& arguments, Output& out);
  void EndIdle(std::string_view line, Output& out);
  void AfterSasl(SaslState state, Output& out);

  void Capability(std::string_view tag, Arguments& arguments, Output& out);
  void Noop(std::string_view tag, Arguments& arguments, Output& out);
  void Logout(std::string_view tag, Arguments& arguments, Output& out);
  void Id(std::string_view tag, Arguments& arguments, Output& out);
  void Login(std::string_view tag, Arguments& arguments, Output& out);
  void Authenticate(std::string_view tag, Arguments& arguments, Output& out);
  void Namespace(std::string_view tag, Arguments& arguments, Output& out);
  void List(std::string_view tag, Arguments& arguments, Output& out);
  void Lsub(std::string_view tag, Arguments& arguments, Output& out);
  void Create(std::string_view tag, Arguments& arguments, Output& out);
  void Delete(std::string_view tag, Arguments& arguments, Output& out);
  void Subscribe(std::string_view tag, Arguments& arguments, Output& out);
  void Select(std::string_view tag, Arguments& arguments, Output& out);
  void Examine(std::string_view tag, Arguments& arguments, Output& out);
  void Status(std::string_view tag, Arguments& arguments, Output& out);
  void Append(std::string_view tag, Arguments& arguments, Output& out);
  void Idle(std::string_view tag, Arguments& arguments, Output& out);
  void Close(std::string_view tag, Arguments& arguments, Output& out);
  void Expunge(std::string_view tag, Arguments& arguments, Output& out);
  void Fetch(std::string_view tag, Arguments& arguments, Output& out);
  void Store_(std::string_view tag, Arguments& arguments, Output& out);
  void Search(std::string_view tag, Arguments& arguments, Output& out);
  void Copy(std::string_view tag, Arguments& arguments, Output& out);
  void Uid(std::string_view tag, Arguments& arguments, Output& out);

  void ListFolders(std::string_view word, std::string_view tag, Arguments& arguments, Output& out);
  void OpenFolder(std::string_view tag, bool writable, Arguments& arguments, Output& out);
  void AcceptUser(std::string_view tag, std::string_view user, Output& out);
  std::vector<uint32_t> DeletedUids() const;

  // Brings this session's list up to date and tells the client what is gone and what is new.
  void Refresh(Output& out);

  // Indexes into list_ of the messages in a sequence set.
  std::vector<size_t> Resolve(std::string_view set, bool by_uid) const;

  static void Ok(std::string_view tag, std::string_view text, Output& out);
  static void Bad(std::string_view tag, Output& out);

  Phase phase_ = Phase::kGreeted;
  SaslExchange sasl_;
  std::string user_;  // the owner of the mail that is seen
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const MessageList> list_;
  bool writable_ = false;
  bool by_uid_ = false;  // the command came behind UID
  bool idling_ = false;
  std::string pending_tag_;  // of AUTHENTICATE or IDLE under way

  std::string command_;      // lines and literals so far, of a command with literals
  std::string body_;         // the literal of an APPEND
  size_t literal_left_ = 0;  // bytes
  // kNowhere: the command was refused and its bytes are skipped; kAway: --discard
  enum class LiteralGoes : uint8_t { kCommand, kBody, kAway, kNowhere };
  LiteralGoes literal_goes_ = LiteralGoes::kCommand;
};

}  // namespace postern::legacy
