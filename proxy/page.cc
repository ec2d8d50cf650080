#include "proxy/page.h"

#include <openssl/sha.h>

#include <array>

#include "filters/text.h"

namespace postern {
namespace {

// Made by cmake/Embed.cmake.
extern "C" const unsigned char postern_page_html[];
extern "C" const unsigned long postern_page_html_size;

// " 'sha256-…'" for each element of this name without attributes; the hash is over exactly what is
// between the tags (Content Security Policy Level 3, 2.3.1).
std::string Hashes(std::string_view html, const std::string& element) {
  std::string hashes;
  const std::string open = "<" + element + ">";
  const std::string close = "</" + element + ">";
  for (size_t at = html.find(open); at != std::string_view::npos; at = html.find(open, at)) {
    at += open.size();
    std::string_view inside = html.substr(at, html.find(close, at) - at);
    std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const uint8_t*>(inside.data()), inside.size(), digest.data());
    hashes += " 'sha256-" +
              Base64Encode({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "'";
  }
  return hashes;
}

}  // namespace

std::string_view PageHtml() {
  return {reinterpret_cast<const char*>(postern_page_html), postern_page_html_size};
}

std::string PageSecurityPolicy(std::string_view html) {
  return "default-src 'none'; script-src" + Hashes(html, "script") + "; style-src" +
         Hashes(html, "style") +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

}  // namespace postern
