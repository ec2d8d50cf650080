// The schema: one function for each struct of conf/config.h, which lays what a mapping of the file
// says over what the struct holds already. So a default is what a struct begins with, and a
// listener's own settings are its mapping read over a copy of the general ones. Private to conf/.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/reader.h"

namespace postern::conf {

// What all schema functions share.
struct Context {
  Report& report;
  std::filesystem::path folder;  // of the configuration: where the files that it names are
  std::vector<FileRef> files;
};

// `allow` and `deny` of one protocol before they are held against each other.
struct CommandList {
  std::set<std::string, std::less<>> allow;
  std::set<std::string, std::less<>> deny;
  bool deny_written = false;
};

// The part of the configuration that counts for every listener.
struct General {
  Tls tls;
  Limits limits;
  Timeouts timeouts;
  bool idle_written = false;
  Auth auth;
  CommandList smtp{{}, {"EXPN", "VRFY"}, false};
  CommandList imap;
  CommandList pop3;
};

// A listener before its backend is known. `protocol` and `address` are empty where they were wrong
// or missing, so that nothing that follows from them is complained about.
struct ListenerDraft {
  Listener listener;
  bool name_written = false;
  Position name_at;
  std::optional<Protocol> protocol;
  std::optional<Address> address;
  std::string backend;  // as written; empty: wrong or missing
  Position backend_at;
};

// A backend before a listener has told its protocol.
struct BackendDraft {
  Backend backend;
  std::optional<Protocol> protocol;
  bool servers_wrong = false;  // some were written and were wrong: not the same as too few
};

// The keys of `tls` but `mode`; asks `reader` for them and leaves Done to the caller.
void ReadTls(Reader& reader, Context& context, Tls& tls);
void ReadLimits(const Node& node, const std::string& path, Context& context, Limits& limits,
                OwnLimits& written);
void ReadTimeouts(const Node& node, const std::string& path, Context& context, Timeouts& timeouts,
                  bool& idle_written);
void ReadAuth(const Node& node, const std::string& path, Context& context, Auth& auth);
// `only`: the protocol of the listener whose mapping this is; nothing for the general one.
void ReadCommands(const Node& node, const std::string& path, Context& context, General& general,
                  std::optional<Protocol> only);
// The list of a protocol with `allow` and `deny` held against each other: what was written counts
// more than what is denied by default, and of two that were written `deny` does.
Commands Resolve(const CommandList& list);
const CommandList& ListFor(const General& general, Protocol protocol);

ListenerDraft ReadListener(const Node& node, const std::string& path, Context& context,
                           const General& general);
BackendDraft ReadBackend(const Node& node, const std::string& path, Context& context);
void ReadAdmin(const Node& node, const std::string& path, Context& context, Admin& admin);
void ReadLog(const Node& node, const std::string& path, Context& context, Log& log);

// The name of a file; "" stays empty. Remembers it in `context.files`.
void ReadFile(Reader& reader, std::string_view key, FileRef::Kind kind, Context& context,
              std::string& out);
// A list of networks, which takes the place of what `out` held.
void ReadNetworks(Reader& reader, std::string_view key, Context& context,
                  std::vector<Network>& out);

}  // namespace postern::conf
