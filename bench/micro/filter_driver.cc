#include "bench/micro/filter_driver.h"

#include "filters/imap/imap_filter.h"
#include "filters/pop3/pop3_filter.h"
#include "filters/smtp/smtp_filter.h"

namespace postern::bench {
namespace {

FilterOptions DefaultOptions(Protocol protocol) {
  FilterOptions options;
  options.protocol = protocol;
  options.hostname = "mail.example";
  return options;
}

SessionInfo MakeInfo() {
  SessionInfo info;
  info.id = "bench";
  info.client_address = "192.0.2.1";
  info.client_port = 40000;
  info.server_name = "legacy.example";
  return info;
}

std::unique_ptr<Filter> MakeFilterFor(const FilterOptions& options) {
  switch (options.protocol) {
    case Protocol::kImap:
      return MakeImapFilter(options, MakeInfo());
    case Protocol::kPop3:
      return MakePop3Filter(options, MakeInfo());
    case Protocol::kSmtp:
    case Protocol::kLmtp:
      return MakeSmtpFilter(options, MakeInfo());
  }
  return nullptr;
}

}  // namespace

FilterDriver::FilterDriver(Protocol protocol)
    : options_(DefaultOptions(protocol)), filter_(MakeFilterFor(options_)) {}

void FilterDriver::Greet(std::string_view greeting) {
  TlsInfo tls;
  tls.version = "TLSv1.3";
  tls.cipher = "TLS_AES_128_GCM_SHA256";
  filter_->OnClientUp(Channel::kTls, &tls, actions_);
  Apply();
  filter_->OnServerUp(actions_);
  Apply();
  Server(greeting);
}

bool FilterDriver::Show(Side side, std::string_view bytes) {
  while (!bytes.empty()) {
    if (side == Side::kClient) {
      filter_->OnClientBytes(bytes, actions_);
    } else {
      filter_->OnServerBytes(bytes, actions_);
    }
    size_t used = Apply();
    if (used == 0) return false;
    bytes.remove_prefix(used);
  }
  return true;
}

size_t FilterDriver::Apply() {
  size_t used = 0;
  for (const Action& action : actions_.list()) {
    if (const auto* forward = std::get_if<Forward>(&action)) {
      used += forward->size;
      forwarded_ += forward->size;
    } else if (const auto* drop = std::get_if<Drop>(&action)) {
      used += drop->size;
    } else if (std::holds_alternative<Detach>(action)) {
      detached_ = true;
    } else if (std::holds_alternative<Close>(action)) {
      closed_ = true;
    }
  }
  actions_.clear();
  return used;
}

}  // namespace postern::bench
