#include "dualagent/io/safetensors_shards.hpp"
#include "fuzz.hpp"

/// An index that is accepted names files of its folder only, and reads back the same.
FUZZ_TARGET(text) {
  const dualagent::SafeTensorsIndex index =
      dualagent::parse_safetensors_index(std::string(text), "input");
  fuzz::require(!index.empty(), "an index of nothing");
  nlohmann::json written;
  for (const auto& [tensor, file] : index) {
    fuzz::require(file.find('/') == std::string::npos && file.front() != '.',
                  "a file outside the folder");
    written["weight_map"][tensor] = file;
  }
  fuzz::require(dualagent::parse_safetensors_index(written.dump(), "written") == index,
                "a written index reads back differently");
}
