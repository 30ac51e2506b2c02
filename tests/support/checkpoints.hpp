#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "dualagent/train/checkpoint_format.hpp"

/// A checkpoint with arrays of every type, for the tests of its file and of its folder.
namespace checkpoints {

using namespace dualagent;

inline const std::vector<float> kWeights{0.5F, -1.25F, std::numeric_limits<float>::quiet_NaN(),
                                         3e-39F};
inline const std::vector<double> kMoments{1.0 / 3, -0.0};
inline const std::vector<std::int32_t> kTokens{1, -2, 3};
inline const std::vector<std::int64_t> kCounts{-1};
inline const std::vector<std::uint64_t> kKeys{~std::uint64_t{0}, 5};
inline const std::vector<std::uint8_t> kBytes{0, 255, 128};
inline const RunFingerprint kOptions{{"seed", "3"}, {"learning_rate", "0.001"}};

inline Checkpoint checkpoint_at(std::uint64_t step) {
  return {.step = step,
          .fingerprint = kOptions,
          .texts = {{"data_position", "112"}, {"note", "quotes \" and \xC3\xBC\n"}},
          .arrays = {{"weights", std::span<const float>(kWeights)},
                     {"moments", std::span<const double>(kMoments)},
                     {"tokens", std::span<const std::int32_t>(kTokens)},
                     {"counts", std::span<const std::int64_t>(kCounts)},
                     {"keys", std::span<const std::uint64_t>(kKeys)},
                     {"bytes", std::span<const std::uint8_t>(kBytes)},
                     {"empty", std::span<const float>()}}};
}

inline void put(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace checkpoints
