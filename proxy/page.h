// The page for people at `/` of the admin address: one file of HTML with its style and its script,
// built into the program from proxy/page.html.
#pragma once

#include <string>
#include <string_view>

namespace postern {

std::string_view PageHtml();

// The Content-Security-Policy of a page: nothing but the <style> and <script> that are in it, named
// by their hashes, and requests to where it came from.
std::string PageSecurityPolicy(std::string_view html);

}  // namespace postern
