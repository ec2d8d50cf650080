#include "bench/legacy_server/store.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

size_t HeaderSize(std::string_view body) {
  size_t end = body.find("\r\n\r\n");
  return end == std::string_view::npos ? body.size() : end + 4;
}

std::string InboxOr(std::string_view folder) {
  return SameWord(folder, "INBOX") ? "INBOX" : std::string(folder);
}

// A message of about `size` bytes that differs from the others in its header.
std::string MakeMessage(size_t number, size_t size) {
  constexpr std::string_view kLine =
      "The quick brown fox jumps over the lazy dog and goes on to the next line.\r\n";
  std::string text =
      "From: Postmaster <postmaster@legacy.example>\r\n"
      "To: User <user@legacy.example>\r\n"
      "Subject: Message " +
      std::to_string(number) +
      "\r\n"
      "Date: Thu, 01 Apr 2004 09:00:00 +0000\r\n"
      "Message-ID: <" +
      std::to_string(number) +
      "@legacy.example>\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
  text.reserve(std::max(size, text.size()) + kLine.size());
  while (text.size() + kLine.size() <= size) text += kLine;
  if (text.size() + 2 <= size) text += std::string(size - text.size() - 2, 'x') + "\r\n";
  return text;
}

}  // namespace

std::string Now() {
  std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  std::array<char, 40> text;
  size_t size = std::strftime(text.data(), text.size(), "%d-%b-%Y %H:%M:%S +0000", &parts);
  return std::string(text.data(), size);
}

Message::Message(std::shared_ptr<const std::string> text, uint32_t number, uint32_t first_flags,
                 std::string when)
    : body(std::move(text)),
      header_size(HeaderSize(*body)),
      has_dots(body->starts_with('.') || body->find("\n.") != std::string::npos),
      uid(number),
      date(std::move(when)),
      flags(first_flags) {}

Mailbox::Mailbox(uint32_t validity, std::atomic<size_t>& stored, size_t max_store)
    : validity_(validity),
      stored_(stored),
      max_store_(max_store),
      list_(std::make_shared<const MessageList>()) {}

std::shared_ptr<const MessageList> Mailbox::list() const {
  std::lock_guard lock(mutex_);
  return list_;
}

uint32_t Mailbox::next_uid() const {
  std::lock_guard lock(mutex_);
  return next_uid_;
}

std::optional<uint32_t> Mailbox::Append(std::shared_ptr<const std::string> body, uint32_t flags,
                                        std::string date) {
  size_t size = body->size();
  if (stored_.fetch_add(size) + size > max_store_) {
    stored_ -= size;
    return std::nullopt;
  }
  std::lock_guard lock(mutex_);
  uint32_t uid = next_uid_++;
  auto list = std::make_shared<MessageList>();
  list->reserve(list_->size() + 1);
  *list = *list_;
  list->push_back(std::make_shared<Message>(std::move(body), uid, flags, std::move(date)));
  list_ = std::move(list);
  return uid;
}

void Mailbox::Remove(const std::vector<uint32_t>& uids) {
  std::lock_guard lock(mutex_);
  auto list = std::make_shared<MessageList>();
  for (const auto& message : *list_) {
    if (std::binary_search(uids.begin(), uids.end(), message->uid)) {
      stored_ -= message->body->size();
    } else {
      list->push_back(message);
    }
  }
  list_ = std::move(list);
}

Store::Store(const Options& options)
    : options_(options), next_validity_(static_cast<uint32_t>(std::time(nullptr))) {
  for (const User& user : options.users) folders_[user.name]["INBOX"] = NewMailbox();
  std::string date = Now();
  for (size_t i = 1; i <= options.messages; ++i) {
    auto body = std::make_shared<const std::string>(MakeMessage(i, options.message_size));
    for (auto& [name, folder] : folders_) folder["INBOX"]->Append(body, 0, date);
  }
}

std::shared_ptr<Mailbox> Store::NewMailbox() {
  return std::make_shared<Mailbox>(next_validity_++, stored_, options_.max_store);
}

std::optional<std::string_view> Store::PasswordOf(std::string_view user) const {
  for (const User& known : options_.users) {
    if (known.name == user) return known.password;
  }
  return std::nullopt;
}

bool Store::CheckPassword(std::string_view user, std::string_view password) const {
  return options_.accept_any || PasswordOf(user) == password;
}

std::string_view Store::Owner(std::string_view name) const {
  for (const User& known : options_.users) {
    if (known.name == name) return known.name;
  }
  return options_.users.front().name;
}

std::shared_ptr<Mailbox> Store::Open(std::string_view owner, std::string_view folder) const {
  std::lock_guard lock(mutex_);
  auto mine = folders_.find(owner);
  if (mine == folders_.end()) return nullptr;
  auto found = mine->second.find(InboxOr(folder));
  return found == mine->second.end() ? nullptr : found->second;
}

std::vector<std::string> Store::Folders(std::string_view owner) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  auto mine = folders_.find(owner);
  if (mine == folders_.end()) return names;
  for (const auto& [name, mailbox] : mine->second) names.push_back(name);
  return names;
}

bool Store::Create(std::string_view owner, std::string_view folder) {
  std::lock_guard lock(mutex_);
  auto mine = folders_.find(owner);
  if (mine == folders_.end() || mine->second.size() >= kMaxFolders) return false;
  return mine->second.try_emplace(InboxOr(folder), NewMailbox()).second;
}

bool Store::Delete(std::string_view owner, std::string_view folder) {
  std::lock_guard lock(mutex_);
  auto mine = folders_.find(owner);
  if (mine == folders_.end() || SameWord(folder, "INBOX")) return false;
  auto found = mine->second.find(folder);
  if (found == mine->second.end()) return false;
  mine->second.erase(found);
  return true;
}

bool Store::Deliver(std::string_view recipient, std::shared_ptr<const std::string> body) {
  if (options_.discard) return true;
  std::string_view local = recipient.substr(0, recipient.rfind('@'));
  std::string_view owner = Owner(PasswordOf(recipient) ? recipient : local);
  return Open(owner, "INBOX")->Append(std::move(body), 0, Now()).has_value();
}

}  // namespace postern::legacy
