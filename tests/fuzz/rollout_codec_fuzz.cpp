#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/trace/rollout_codec.hpp"
#include "fuzz.hpp"

/// The input is a rollout's body: header and checksum are put around it, so that the fuzzer reaches
/// what lies behind them. What is accepted is encoded to the same bytes again.
FUZZ_TARGET(text) {
  const std::string header = std::string("DualRoll") + std::string("\3\0\0\0", 4);
  const std::string checked = header + std::string(text);
  const std::span<const std::byte> body = std::as_bytes(std::span(checked));
  std::vector<std::byte> bytes(body.begin(), body.end());
  const std::uint64_t checksum = dualagent::crc64(bytes);
  bytes.resize(bytes.size() + sizeof checksum);
  std::memcpy(bytes.data() + checked.size(), &checksum, sizeof checksum);
  const dualagent::Rollout rollout = dualagent::decode_rollout(bytes, "input");
  fuzz::require(dualagent::encode_rollout(rollout) == bytes, "a rollout has two encodings");
}
