#include "dualagent/model/adapter_config.hpp"
#include "fuzz.hpp"

/// An adapter's configuration that is accepted is possible and survives being written.
FUZZ_TARGET(text) {
  const dualagent::AdapterConfig config =
      dualagent::parse_adapter_config(std::string(text), "input");
  config.change.validate();
  const std::string written = dualagent::to_adapter_config_json(config);
  fuzz::require(
      to_adapter_config_json(dualagent::parse_adapter_config(written, "written")) == written,
      "a written configuration reads back differently");
}
