#include "call_formats.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"

/// With no schema, and with one for each way a parameter `x` can be read.
FUZZ_TARGET(text) {
  using dualagent::QwenCoderCalls;
  static const std::vector<QwenCoderCalls> formats = [] {
    std::vector<QwenCoderCalls> all{QwenCoderCalls{}};
    for (const char* type : {"\"string\"", "[\"string\", \"null\"]", "[\"string\", \"number\"]",
                             "\"boolean\"", "[\"null\", \"object\"]"})
      all.push_back(QwenCoderCalls::of(std::vector<dualagent::ToolSpec>{
          {"a", "", "{\"properties\": {\"x\": {\"type\": " + std::string(type) + "}}}"}}));
    return all;
  }();
  for (const QwenCoderCalls& format : formats) fuzz::check_call_format(format, text);
}
