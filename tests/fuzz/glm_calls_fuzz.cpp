#include "call_formats.hpp"
#include "dualagent/text/glm_calls.hpp"

/// With no schema, and with one for each way an argument `x` can be read.
FUZZ_TARGET(text) {
  using namespace dualagent;
  static const std::vector<Glm45Calls> formats = [] {
    std::vector<Glm45Calls> all{Glm45Calls{}};
    for (const char* type : {"\"string\"", "[\"string\", \"null\"]", "[\"string\", \"number\"]",
                             "\"boolean\"", "[\"null\", \"object\"]"})
      all.push_back(Glm45Calls::of(std::vector<ToolSpec>{
          {"a", "", "{\"properties\": {\"x\": {\"type\": " + std::string(type) + "}}}"}}));
    return all;
  }();
  for (const Glm45Calls& format : formats) {
    fuzz::check_call_format(format, text);
    fuzz::check_call_format(Glm47Calls{{format.values}}, text);
  }
}
