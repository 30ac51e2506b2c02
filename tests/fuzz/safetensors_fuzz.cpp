#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "fuzz.hpp"

/// A file that is accepted keeps its promises: tensors fill the data, values can be read.
FUZZ_TARGET(text) {
  const auto file = dualagent::SafeTensors::view(std::as_bytes(std::span(text)), "input");
  std::size_t described = 0;
  for (const dualagent::TensorView& tensor : file.tensors()) {
    described += tensor.bytes.size();
    fuzz::require(tensor.bytes.size() == tensor.size * size_bytes(tensor.dtype), "sizes disagree");
    fuzz::require(file.find(tensor.name) == &tensor, "a tensor is not found by its name");
    const std::byte* const begin = reinterpret_cast<const std::byte*>(text.data());
    fuzz::require(tensor.bytes.data() >= begin &&
                      tensor.bytes.data() + tensor.bytes.size() <= begin + text.size(),
                  "a tensor lies outside the file");
    fuzz::run([&] {
      fuzz::require(file.values<float>(tensor.name).size() == tensor.size, "values are missing");
    });
    fuzz::run([&] { static_cast<void>(file.values<std::int64_t>(tensor.name)); });
  }
  std::uint64_t header = 0;
  std::memcpy(&header, text.data(), sizeof header);
  fuzz::require(described + header + sizeof header == text.size(), "bytes are left over");
}
