#include <cstring>
#include <string>

#include "dualagent/train/checkpoint_format.hpp"
#include "fuzz.hpp"

namespace {

void read_all(std::string_view text) {
  const auto stored = dualagent::StoredCheckpoint::view(std::as_bytes(std::span(text)), "input");
  for (const auto& [name, value] : stored.texts())
    fuzz::require(stored.text(name) == value, "a text is not found by its name");
  fuzz::run([&] { stored.require_fingerprint({{"seed", "3"}}); });
  stored.require_fingerprint(stored.fingerprint());
  for (const char* name : {"weights", "w", "dualagent.crc64"}) {
    fuzz::run([&] { static_cast<void>(stored.values<float>(name)); });
    fuzz::run([&] { static_cast<void>(stored.values<std::uint64_t>(name)); });
  }
}

}  // namespace

/// Reads the input as it is, and again behind a right checksum, so that the rest is reached.
FUZZ_TARGET(text) {
  fuzz::run([&] { read_all(text); });
  if (text.size() < sizeof(std::uint64_t)) return;
  std::string sealed(text);
  const std::uint64_t crc =
      dualagent::crc64(std::as_bytes(std::span(sealed)).first(sealed.size() - sizeof crc));
  std::memcpy(sealed.data() + sealed.size() - sizeof crc, &crc, sizeof crc);
  read_all(sealed);
}
