// Which `Host` the admin address answers to. Pure but for OwnNames.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern {

// True where `host` ("name", "name:port", "[v6]:port") is an IP address, localhost or one of
// `names` (lower case, without a dot at the end). RFC 9110, 7.2.
bool HostAllowed(std::string_view host, const std::vector<std::string>& names);

// What this machine calls itself: its host name, short and with the domains that its resolver
// searches, and what /etc/hosts says besides. The network is not asked: that could take long, and
// its answer need not be the truth.
std::vector<std::string> OwnNames();

// The two parts of OwnNames that depend on files, for their texts.
std::vector<std::string> NamesFromHosts(std::string_view hosts_file, std::string_view host_name);
std::vector<std::string> SearchDomains(std::string_view resolv_conf);

}  // namespace postern
