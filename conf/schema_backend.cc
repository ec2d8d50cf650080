#include <algorithm>

#include "conf/schema.h"

namespace postern::conf {
namespace {

constexpr uint64_t kMaxWeight = 1000;
constexpr uint64_t kMaxChecks = 100;

template <uint64_t kMost>
Parsed<uint32_t> ParseFromOne(std::string_view text) {
  const auto count = ParseCount(text);
  if (count && *count.value >= 1 && *count.value <= kMost) {
    return {static_cast<uint32_t>(*count.value), ""};
  }
  return {std::nullopt, "is no number from 1 to " + std::to_string(kMost)};
}

// An address to connect to has a host.
Parsed<Address> ParseServerAddress(std::string_view text) {
  auto address = ParseAddress(text);
  if (address && address.value->any_host()) {
    return {std::nullopt, "has no host: where is the server, 127.0.0.1?"};
  }
  return address;
}

bool ReadServer(const Node& item, const std::string& path, Context& context, Server& server) {
  if (item.kind != Node::Kind::kMap) {
    return ReadScalar(item, path, context.report, server.address, ParseServerAddress);
  }
  Reader reader(item, path, context.report);
  reader.Need("address");
  const bool good = reader.Value("address", server.address, ParseServerAddress);
  reader.Value("weight", server.weight, ParseFromOne<kMaxWeight>);
  reader.Done();
  return good;
}

void ReadServers(Reader& reader, Context& context, BackendDraft& draft) {
  std::vector<Server>& servers = draft.backend.servers;
  const Node* node = reader.Need("servers");
  draft.servers_wrong = node == nullptr;
  const bool read = reader.Each("servers", [&](const Node& item, const std::string& path) {
    Server server;
    if (!ReadServer(item, path, context, server)) {
      draft.servers_wrong = true;
      return;
    }
    server.name = server.address.Text();
    const bool twice = std::any_of(servers.begin(), servers.end(),
                                   [&](const Server& s) { return s.address == server.address; });
    if (twice) {
      context.report.Error(item.at, path,
                           Quote(server.name) + " is in the list twice; give it a weight instead");
    }
    servers.push_back(std::move(server));
  });
  if (!read) draft.servers_wrong = true;
  if (read && servers.empty() && !draft.servers_wrong) {
    context.report.Error(node->at, reader.PathTo("servers"), "needs at least one server");
    draft.servers_wrong = true;
  }
}

void ReadVerify(Reader& reader, Context& context, Verify& verify) {
  const Node* node = reader.Find("verify");
  if (node == nullptr) return;
  const std::string path = reader.PathTo("verify");
  if (node->kind == Node::Kind::kScalar) {
    const auto flag = ParseFlag(node->text);
    if (flag) {
      verify.on = *flag.value;
    } else {
      context.report.Error(node->at, path,
                           Quote(node->text) + " is neither off nor {ca: …, name: …}");
    }
    return;
  }
  Reader own(*node, path, context.report);
  ReadFile(own, "ca", FileRef::Kind::kBackendCa, context, verify.ca);
  own.Value("name", verify.name, ParseHostName);
  own.Done();
}

void ReadHealth(const Node& node, const std::string& path, Context& context, Health& health) {
  Reader reader(node, path, context.report);
  reader.Value("interval", health.interval, ParseTimeout);
  reader.Value("timeout", health.timeout, ParseTimeout);
  reader.Value("rise", health.rise, ParseFromOne<kMaxChecks>);
  reader.Value("fall", health.fall, ParseFromOne<kMaxChecks>);
  reader.Done();
}

}  // namespace

BackendDraft ReadBackend(const Node& node, const std::string& path, Context& context) {
  Reader reader(node, path, context.report);
  BackendDraft draft;
  Backend& backend = draft.backend;
  backend.path = path;
  ReadServers(reader, context, draft);
  reader.Word("balance", "method", backend.balance);
  reader.Word("connect", "moment", backend.connect);
  reader.Word("tls", "mode", backend.tls);
  ReadVerify(reader, context, backend.verify);
  reader.Word("proxy_protocol", "version", backend.proxy_protocol);
  reader.Word("forward_client", "method", backend.forward_client);
  reader.Word("profile", "profile", backend.profile);
  reader.Value("pipelining", backend.pipelining, ParseFlag);
  if (const Node* health = reader.Find("health")) {
    ReadHealth(*health, reader.PathTo("health"), context, backend.health);
  }
  reader.Done();
  return draft;
}

}  // namespace postern::conf
