#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/io/safetensors_writer.hpp"

/// Files in memory, and the file of the reference package, for the tests of reading and writing.
namespace safetensors_files {

using namespace dualagent;

inline const std::filesystem::path kReference =
    std::filesystem::path(__FILE__).parent_path() / "../golden/safetensors/reference.safetensors";

/// A file of a header text and some bytes of zeros, made by hand.
inline std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\0');
}

inline SafeTensors parse(const std::string& file) {
  return SafeTensors::view(std::as_bytes(std::span(file)), "t.safetensors");
}

/// The tensors of tests/golden/safetensors/make_reference.py.
struct ReferenceTensors {
  std::vector<float> embed{-0.5F, -0.25F, 0.0F, 0.25F, 0.5F, 0.75F};
  std::vector<double> doubles{0.1, -1e300};
  std::vector<float> half{1.0F, -2.0F, 65504.0F, std::ldexp(1.0F, -24)};
  std::vector<float> scalar{2.5F};
  std::vector<float> empty;
  std::vector<std::uint64_t> steps{std::numeric_limits<std::uint64_t>::max(), 3};
  std::vector<std::int64_t> large{std::numeric_limits<std::int64_t>::min()};
  std::vector<std::int32_t> tokens{-1, 7, std::numeric_limits<std::int32_t>::max()};
  std::vector<std::uint8_t> bytes{0, 255, 10};
  std::vector<float> odd{1.0F};

  std::vector<TensorSource> sources() const {
    return {{"model.embed_tokens.weight", {2, 3}, std::span(embed), {}},
            {"a.double", {2}, std::span(doubles), {}},
            {"half", {4, 1}, std::span(half), DType::f16},
            {"scalar", {}, std::span(scalar), {}},
            {"empty", {0, 4}, std::span(empty), {}},
            {"steps", {2}, std::span(steps), {}},
            {"signed", {1}, std::span(large), {}},
            {"tokens", {3}, std::span(tokens), {}},
            {"bytes", {3}, std::span(bytes), {}},
            {"odd \"name\"\\\n\xC3\xA9", {1}, std::span(odd), {}}};
  }
};

}  // namespace safetensors_files
