#include "dualagent/report/result_json.hpp"
#include "fuzz.hpp"

/// A result that can be written reads back to the same bytes.
FUZZ_TARGET(text) {
  static fuzz::MemoryFile file;
  const std::string written = result_json(dualagent::read_result(file.put(text)));
  fuzz::require(result_json(dualagent::read_result(file.put(written))) == written,
                "a result reads back differently");
}
