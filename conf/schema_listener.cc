#include <algorithm>

#include "conf/schema.h"

namespace postern::conf {
namespace {

constexpr std::chrono::minutes kMailIdle(5);      // smtp and lmtp
constexpr std::chrono::minutes kMailboxIdle(35);  // imap and pop3

bool IsMailbox(Protocol protocol) {
  return protocol == Protocol::kImap || protocol == Protocol::kPop3;
}

void ReadListenerTls(Reader& reader, Context& context, Tls& tls) {
  const Node* node = reader.Find("tls");
  if (node == nullptr) return;
  const std::string path = reader.PathTo("tls");
  if (node->kind != Node::Kind::kMap) {
    ReadWord(*node, path, context.report, "mode", tls.mode, SameWord);
    return;
  }
  Reader own(*node, path, context.report);
  own.Word("mode", "mode", tls.mode);
  ReadTls(own, context, tls);
  own.Done();
}

// The sections that are laid over the general ones.
void ReadOverlays(Reader& reader, Context& context, const General& general, ListenerDraft& draft) {
  Listener& listener = draft.listener;
  if (const Node* auth = reader.Find("auth")) {
    ReadAuth(*auth, reader.PathTo("auth"), context, listener.auth);
  }
  if (const Node* limits = reader.Find("limits")) {
    ReadLimits(*limits, reader.PathTo("limits"), context, listener.limits, listener.own_limits);
  }
  if (!general.idle_written && draft.protocol) {
    listener.timeouts.idle =
        IsMailbox(*draft.protocol) ? milliseconds(kMailboxIdle) : milliseconds(kMailIdle);
  }
  if (const Node* timeouts = reader.Find("timeouts")) {
    bool idle_written = false;
    ReadTimeouts(*timeouts, reader.PathTo("timeouts"), context, listener.timeouts, idle_written);
  }
  General commands = general;
  if (const Node* own = reader.Find("commands")) {
    ReadCommands(*own, reader.PathTo("commands"), context, commands, draft.protocol);
  }
  if (draft.protocol) listener.commands = Resolve(ListFor(commands, *draft.protocol));
}

}  // namespace

ListenerDraft ReadListener(const Node& node, const std::string& path, Context& context,
                           const General& general) {
  Reader reader(node, path, context.report);
  ListenerDraft draft;
  Listener& listener = draft.listener;
  listener.path = path;
  listener.tls = general.tls;
  listener.auth = general.auth;
  listener.limits = general.limits;
  listener.timeouts = general.timeouts;

  draft.name_written = reader.Value("name", listener.name, ParseName);
  if (draft.name_written) draft.name_at = reader.Find("name")->at;
  reader.Need("protocol");
  if (reader.Word("protocol", "protocol", listener.protocol)) draft.protocol = listener.protocol;
  reader.Need("address");
  if (reader.Value("address", listener.address, ParseAddress)) draft.address = listener.address;
  ReadListenerTls(reader, context, listener.tls);
  reader.Value("require_tls", listener.require_tls, ParseFlag);
  ReadNetworks(reader, "proxy_protocol", context, listener.proxy_protocol);
  reader.Value("require_auth", listener.require_auth, ParseFlag);
  reader.Word("bare_lf", "mode", listener.bare_lf);
  ReadOverlays(reader, context, general, draft);
  if (const Node* backend = reader.Need("backend")) {
    draft.backend_at = backend->at;
    if (reader.Value("backend", draft.backend, ParseText) && draft.backend.empty()) {
      context.report.Error(backend->at, reader.PathTo("backend"),
                           "is empty: a name under backends, or an address");
    }
  }
  reader.Done();
  return draft;
}

}  // namespace postern::conf
