#include "conf/schema.h"

#include <algorithm>
#include <utility>

namespace postern::conf {
namespace {

void ReadCertificates(Reader& reader, Context& context, Tls& tls) {
  std::vector<Certificate> certificates;
  const bool read = reader.Each("certificates", [&](const Node& item, const std::string& path) {
    Reader pair(item, path, context.report);
    Certificate certificate;
    pair.Need("chain");
    pair.Need("key");
    ReadFile(pair, "chain", FileRef::Kind::kCertificateChain, context, certificate.chain);
    ReadFile(pair, "key", FileRef::Kind::kPrivateKey, context, certificate.key);
    ReadFile(pair, "ocsp", FileRef::Kind::kOcspResponse, context, certificate.ocsp);
    for (const auto& [key, file] :
         {std::pair("chain", &certificate.chain), std::pair("key", &certificate.key)}) {
      const Node* node = pair.Find(key);
      if (node == nullptr || node->kind != Node::Kind::kScalar || !node->text.empty()) continue;
      context.report.Error(node->at, pair.PathTo(key), "is empty: name a file");
    }
    pair.Done();
    certificates.push_back(std::move(certificate));
  });
  if (read) tls.certificates = std::move(certificates);
}

// Groups are the library's to know; a name is one word.
void ReadGroups(Reader& reader, Context& context, Tls& tls) {
  std::vector<std::string> groups;
  const bool read = reader.Each("groups", [&](const Node& item, const std::string& path) {
    std::string group;
    if (!ReadScalar(item, path, context.report, group, ParseName)) return;
    if (SameName("CECPQ2", group)) {
      context.report.Error(item.at, path,
                           "CECPQ2 was an experiment and is not offered; post-quantum is "
                           "X25519MLKEM768, where the library has it");
    }
    if (std::find(groups.begin(), groups.end(), group) != groups.end()) {
      context.report.Error(item.at, path, Quote(group) + " is in the list twice");
    }
    groups.push_back(std::move(group));
  });
  if (read) tls.groups = std::move(groups);
}

// A size that may be written as 0 and still has an end, because a peer controls what fills it.
void ReadBoundedSize(Reader& reader, std::string_view key, Context& context, size_t most,
                     size_t& out) {
  const Node* node = reader.Find(key);
  if (node == nullptr || !reader.Value(key, out, ParseSize)) return;
  if (out == 0) {
    context.report.Warning(node->at, reader.PathTo(key),
                           "0 counts as the most there is, " + std::to_string(most) +
                               " bytes: what a peer may fill must have an end");
    out = most;
  }
  if (out > most) {
    context.report.Error(node->at, reader.PathTo(key),
                         Quote(node->text) + " is more than the " + std::to_string(most) +
                             " bytes that are possible");
    out = most;
  }
}

void ReadCommandNames(Reader& reader, std::string_view key, Context& context,
                      std::set<std::string, std::less<>>& out) {
  std::set<std::string, std::less<>> names;
  const bool read = reader.Each(key, [&](const Node& item, const std::string& path) {
    std::string name;
    if (ReadScalar(item, path, context.report, name, ParseCommand)) names.insert(std::move(name));
  });
  if (read) out = std::move(names);
}

void ReadCommandList(const Node& node, const std::string& path, Context& context,
                     CommandList& list) {
  Reader reader(node, path, context.report);
  ReadCommandNames(reader, "allow", context, list.allow);
  if (reader.Has("deny")) list.deny_written = true;
  ReadCommandNames(reader, "deny", context, list.deny);
  if (list.deny_written && reader.Has("allow")) {
    for (const std::string& name : list.allow) {
      if (!list.deny.contains(name)) continue;
      context.report.Warning(reader.Find("allow")->at, reader.PathTo("allow"),
                             name + " is under deny as well, and stays denied");
    }
  }
  reader.Done();
}

}  // namespace

void ReadFile(Reader& reader, std::string_view key, FileRef::Kind kind, Context& context,
              std::string& out) {
  std::string name;
  if (!reader.Value(key, name, ParseText)) return;
  out = name.empty() ? name : (context.folder / name).lexically_normal().string();
  if (!out.empty()) context.files.push_back({kind, out, reader.PathTo(key)});
}

void ReadNetworks(Reader& reader, std::string_view key, Context& context,
                  std::vector<Network>& out) {
  std::vector<Network> networks;
  const bool read = reader.Each(key, [&](const Node& item, const std::string& path) {
    std::optional<Network> network;
    if (ReadScalar(item, path, context.report, network, ParseNetwork)) networks.push_back(*network);
  });
  if (read) out = std::move(networks);
}

void ReadTls(Reader& reader, Context& context, Tls& tls) {
  ReadCertificates(reader, context, tls);
  reader.Word("min_version", "version", tls.min_version);
  reader.Word("max_version", "version", tls.max_version);
  reader.Value("ciphers", tls.ciphers, ParseText);
  ReadGroups(reader, context, tls);
  reader.Word("alpn", "mode", tls.alpn);
  ReadFile(reader, "session_ticket_keys", FileRef::Kind::kTicketKeys, context,
           tls.session_ticket_keys);
  ReadFile(reader, "client_ca", FileRef::Kind::kClientCa, context, tls.client_ca);
  reader.Word("client_certificate", "mode", tls.client_certificate);
}

void ReadLimits(const Node& node, const std::string& path, Context& context, Limits& limits,
                OwnLimits& written) {
  Reader reader(node, path, context.report);
  written.connections = reader.Value("connections", limits.connections, ParseCount);
  written.connections_per_ip =
      reader.Value("connections_per_ip", limits.connections_per_ip, ParseCount);
  written.handshakes_per_ip =
      reader.Value("handshakes_per_ip", limits.handshakes_per_ip, ParseRate);
  written.auth_failures_per_ip =
      reader.Value("auth_failures_per_ip", limits.auth_failures_per_ip, ParseRate);
  reader.Value("auth_failures_per_session", limits.auth_failures_per_session, ParseCount);
  ReadNetworks(reader, "exempt", context, limits.exempt);
  ReadBoundedSize(reader, "line", context, kMaxLine, limits.line);
  ReadBoundedSize(reader, "buffer", context, kMaxBuffer, limits.buffer);
  if (const Node* buffer = reader.Find("buffer");
      buffer != nullptr && limits.buffer < limits.line) {
    context.report.Warning(buffer->at, reader.PathTo("buffer"),
                           "is less than limits.line, and counts as that: a line must fit");
  }
  limits.buffer = std::max(limits.buffer, limits.line);
  reader.Done();
}

void ReadTimeouts(const Node& node, const std::string& path, Context& context, Timeouts& timeouts,
                  bool& idle_written) {
  Reader reader(node, path, context.report);
  reader.Value("handshake", timeouts.handshake, ParseTimeout);
  reader.Value("login", timeouts.login, ParseTimeout);
  if (reader.Value("idle", timeouts.idle, ParseTimeout)) idle_written = true;
  reader.Value("backend_connect", timeouts.backend_connect, ParseTimeout);
  reader.Value("backend_greeting", timeouts.backend_greeting, ParseTimeout);
  reader.Done();
}

void ReadCommands(const Node& node, const std::string& path, Context& context, General& general,
                  std::optional<Protocol> only) {
  Reader reader(node, path, context.report);
  const auto fits = [&](std::initializer_list<Protocol> protocols) {
    return !only || std::find(protocols.begin(), protocols.end(), *only) != protocols.end();
  };
  const auto read = [&](std::string_view key, CommandList& list, bool good) {
    const Node* value = reader.Find(key);
    if (value == nullptr) return;
    if (good) return ReadCommandList(*value, reader.PathTo(key), context, list);
    context.report.Error(value->at, reader.PathTo(key),
                         "does not fit an " + std::string(Name(*only)) + " listener");
  };
  read("smtp", general.smtp, fits({Protocol::kSmtp, Protocol::kLmtp}));
  read("imap", general.imap, fits({Protocol::kImap}));
  read("pop3", general.pop3, fits({Protocol::kPop3}));
  reader.Done();
}

const CommandList& ListFor(const General& general, Protocol protocol) {
  if (protocol == Protocol::kImap) return general.imap;
  return protocol == Protocol::kPop3 ? general.pop3 : general.smtp;
}

Commands Resolve(const CommandList& list) {
  Commands commands{list.allow, list.deny};
  const auto& stronger = list.deny_written ? list.deny : list.allow;
  auto& weaker = list.deny_written ? commands.allow : commands.deny;
  for (const std::string& name : stronger) weaker.erase(name);
  return commands;
}

void ReadAdmin(const Node& node, const std::string& path, Context& context, Admin& admin) {
  Reader reader(node, path, context.report);
  const Node* address = reader.Find("address");
  if (address != nullptr && address->kind == Node::Kind::kScalar && address->text.empty()) {
    admin.address.reset();
  } else {
    reader.Value("address", admin.address, ParseAddress);
  }
  std::vector<std::string> hosts;
  const bool read = reader.Each("hosts", [&](const Node& item, const std::string& where) {
    std::string host;
    if (!ReadScalar(item, where, context.report, host, ParseHostName)) return;
    if (host.empty()) context.report.Error(item.at, where, "is empty: name a host");
    hosts.push_back(std::move(host));
  });
  if (read) admin.hosts = std::move(hosts);
  reader.Done();
}

void ReadLog(const Node& node, const std::string& path, Context& context, Log& log) {
  Reader reader(node, path, context.report);
  reader.Word("level", "level", log.level);
  reader.Word("format", "format", log.format);
  reader.Done();
}

}  // namespace postern::conf
