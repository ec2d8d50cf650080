#include "filters/filter.h"
#include "filters/secret.h"

namespace postern {
namespace {

// What goes to the server may be a password. A string this large lives on the heap, so that no copy
// of it stays behind where the list has grown.
constexpr size_t kServerReserve = 64;

}  // namespace

void Actions::Forward(size_t size) {
  if (size == 0) return;
  if (!list_.empty()) {
    if (auto* last = std::get_if<postern::Forward>(&list_.back())) {
      last->size += size;
      return;
    }
  }
  list_.emplace_back(postern::Forward{size});
}

void Actions::Drop(size_t size) {
  if (size == 0) return;
  if (!list_.empty()) {
    if (auto* last = std::get_if<postern::Drop>(&list_.back())) {
      last->size += size;
      return;
    }
  }
  list_.emplace_back(postern::Drop{size});
}

void Actions::Send(Side to, std::string_view bytes) {
  if (bytes.empty()) return;
  if (!list_.empty()) {
    auto* last = std::get_if<postern::Send>(&list_.back());
    if (last != nullptr && last->to == to) {
      AppendSecretly(last->bytes, bytes);
      return;
    }
  }
  auto& send = std::get<postern::Send>(list_.emplace_back(postern::Send{to, {}}));
  if (to == Side::kServer) send.bytes.reserve(kServerReserve);
  send.bytes.append(bytes);
}

void Actions::Close(Cause cause, std::string goodbye, std::chrono::milliseconds delay) {
  list_.emplace_back(postern::Close{cause, std::move(goodbye), delay});
}

void Actions::Derive(std::unique_ptr<sasl::Derivation> work) {
  list_.emplace_back(postern::Derive{std::move(work)});
}

}  // namespace postern
