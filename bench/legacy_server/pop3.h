// POP3 (RFC 1939) with CAPA (RFC 2449) and AUTH (RFC 5034).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/legacy_server/dialogue.h"
#include "bench/legacy_server/sasl.h"

namespace postern::legacy {

class Pop3Dialogue : public Dialogue {
 public:
  // `number` goes into the stamp of the greeting.
  Pop3Dialogue(uint64_t number, const Options& options, Store& store);

  void Greet(Output& out) override;

 protected:
  size_t Take(std::string_view input, Output& out) override;

 private:
  struct Verb {
    std::string_view name;
    bool after_login;
    void (Pop3Dialogue::*run)(std::string_view arguments, Output& out);
  };
  static const Verb kVerbs[];

  void Execute(std::string_view line, Output& out);

  void Capa(std::string_view arguments, Output& out);
  void User(std::string_view arguments, Output& out);
  void Pass(std::string_view arguments, Output& out);
  void Apop(std::string_view arguments, Output& out);
  void Auth(std::string_view arguments, Output& out);
  void Quit(std::string_view arguments, Output& out);
  void Noop(std::string_view arguments, Output& out);
  void Stat(std::string_view arguments, Output& out);
  void List(std::string_view arguments, Output& out);
  void Uidl(std::string_view arguments, Output& out);
  void Retr(std::string_view arguments, Output& out);
  void Top(std::string_view arguments, Output& out);
  void Dele(std::string_view arguments, Output& out);
  void Rset(std::string_view arguments, Output& out);

  // LIST and UIDL: `write` puts down the second column.
  template <typename Write>
  void Table(std::string_view arguments, Output& out, Write write);

  void AfterSasl(SaslState state, Output& out);
  void Enter(std::string_view user, Output& out);
  void Refuse(Output& out);
  // `part` of the message, as a multi-line answer.
  void WriteMultiline(const Message& message, std::string_view part, Output& out);

  // Index of the message that the first argument names; messages_.size() where there is none.
  size_t Find(std::string_view arguments) const;

  SaslExchange sasl_;
  std::string stamp_;
  std::string name_;  // from USER
  bool logged_in_ = false;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const MessageList> messages_;
  std::vector<bool> deleted_;
};

}  // namespace postern::legacy
