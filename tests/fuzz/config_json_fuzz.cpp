#include "dualagent/model/config_json.hpp"
#include "fuzz.hpp"

/// A configuration that is accepted is possible and survives being written.
FUZZ_TARGET(text) {
  const dualagent::TransformerConfig config =
      dualagent::parse_config_json(std::string(text), "input");
  config.validate();
  const std::string written = dualagent::to_config_json(config);
  fuzz::require(to_config_json(dualagent::parse_config_json(written, "written")) == written,
                "a written configuration reads back differently");
}
