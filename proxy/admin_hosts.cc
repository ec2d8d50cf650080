#include "proxy/admin_hosts.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace postern {
namespace {

constexpr size_t kMaxHostHeader = 300;  // a name of 253, a dot, a colon and a port

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool IsAddress(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

bool IsPort(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Lines without comments, cut into words.
std::vector<std::vector<std::string>> Words(std::string_view file) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream text{std::string(file)};
  for (std::string line; std::getline(text, line);) {
    std::istringstream rest(line.substr(0, line.find('#')));
    std::vector<std::string>& words = lines.emplace_back();
    for (std::string word; rest >> word;) words.push_back(Lower(word));
  }
  return lines;
}

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

bool HostAllowed(std::string_view host, const std::vector<std::string>& names) {
  if (host.empty() || host.size() > kMaxHostHeader) return false;
  if (host.front() == '[') {
    size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    std::string_view port = host.substr(end + 1);
    if (!port.empty() && (port.front() != ':' || !IsPort(port.substr(1)))) return false;
    return IsAddress(AF_INET6, std::string(host.substr(1, end - 1)));
  }
  if (size_t colon = host.find(':'); colon != std::string_view::npos) {
    if (!IsPort(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string name = Lower(host);
  return name == "localhost" || IsAddress(AF_INET, name) ||
         std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> NamesFromHosts(std::string_view hosts_file, std::string_view host_name) {
  std::vector<std::string> names;
  for (const std::vector<std::string>& words : Words(hosts_file)) {
    if (words.size() < 2 || std::find(words.begin() + 1, words.end(), host_name) == words.end()) {
      continue;
    }
    names.insert(names.end(), words.begin() + 1, words.end());
  }
  return names;
}

std::vector<std::string> SearchDomains(std::string_view resolv_conf) {
  std::vector<std::string> domains;
  for (const std::vector<std::string>& words : Words(resolv_conf)) {
    // resolv.conf(5): of several such lines the last counts.
    if (words.size() < 2 || (words[0] != "search" && words[0] != "domain")) continue;
    domains.assign(words.begin() + 1, words.end());
  }
  for (std::string& domain : domains) {
    if (domain.ends_with('.')) domain.pop_back();
  }
  std::erase(domains, "");
  return domains;
}

std::vector<std::string> OwnNames() {
  constexpr size_t kMaxName = 256;
  std::array<char, kMaxName> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0') return {};
  std::string name = Lower(buffer.data());
  if (name.ends_with('.')) name.pop_back();
  std::string label = name.substr(0, name.find('.'));
  std::vector<std::string> names = {name, label};
  for (std::string& other : NamesFromHosts(ReadFile("/etc/hosts"), name)) {
    names.push_back(std::move(other));
  }
  for (const std::string& domain : SearchDomains(ReadFile("/etc/resolv.conf"))) {
    names.push_back(label + "." + domain);
  }
  return names;
}

}  // namespace postern
