// The mail of all users, in memory. A mailbox is a list of messages that is never changed but
// replaced, so that a session can go on with the list that it opened. All threads share one store;
// its locks are held for the time of a pointer's copy or of one list's.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/legacy_server/options.h"

namespace postern::legacy {

enum Flag : uint32_t {
  kSeen = 1,
  kAnswered = 2,
  kFlagged = 4,
  kDeleted = 8,
  kDraft = 16,
};

struct Message {
  Message(std::shared_ptr<const std::string> text, uint32_t number, uint32_t first_flags,
          std::string when);

  const std::shared_ptr<const std::string> body;  // as it came
  const size_t header_size;                       // the empty line included
  const bool has_dots;                            // at the start of a line
  const uint32_t uid;
  const std::string date;  // IMAP's date-time, without quotes
  std::atomic<uint32_t> flags;
};

using MessageList = std::vector<std::shared_ptr<Message>>;

class Mailbox {
 public:
  Mailbox(uint32_t validity, std::atomic<size_t>& stored, size_t max_store);

  std::shared_ptr<const MessageList> list() const;
  uint32_t validity() const { return validity_; }
  uint32_t next_uid() const;

  // Adds a message at the end. Returns its UID, or nothing where the store is full.
  std::optional<uint32_t> Append(std::shared_ptr<const std::string> body, uint32_t flags,
                                 std::string date);

  // Takes out the messages whose UIDs are listed in ascending order.
  void Remove(const std::vector<uint32_t>& uids);

 private:
  const uint32_t validity_;
  std::atomic<size_t>& stored_;
  const size_t max_store_;
  mutable std::mutex mutex_;
  std::shared_ptr<const MessageList> list_;
  uint32_t next_uid_ = 1;
};

class Store {
 public:
  explicit Store(const Options& options);

  bool CheckPassword(std::string_view user, std::string_view password) const;

  // For mechanisms that do not hand it over; nothing for an unknown user.
  std::optional<std::string_view> PasswordOf(std::string_view user) const;

  // The user whose mail `name` sees: itself, or the first user where any name is taken.
  std::string_view Owner(std::string_view name) const;

  // nullptr where there is no such folder. INBOX always is, in any case of letters.
  std::shared_ptr<Mailbox> Open(std::string_view owner, std::string_view folder) const;
  std::vector<std::string> Folders(std::string_view owner) const;
  bool Create(std::string_view owner, std::string_view folder);
  bool Delete(std::string_view owner, std::string_view folder);

  // Puts a message into the INBOX of the user that an address names, of the first user where it
  // names none. False where the store is full.
  bool Deliver(std::string_view recipient, std::shared_ptr<const std::string> body);

 private:
  static constexpr size_t kMaxFolders = 1000;  // of one user

  using Folder = std::map<std::string, std::shared_ptr<Mailbox>, std::less<>>;

  std::shared_ptr<Mailbox> NewMailbox();

  const Options& options_;
  std::atomic<size_t> stored_ = 0;
  std::atomic<uint32_t> next_validity_;
  mutable std::mutex mutex_;  // over folders_
  std::map<std::string, Folder, std::less<>> folders_;
};

// Now, in IMAP's date-time form.
std::string Now();

}  // namespace postern::legacy
