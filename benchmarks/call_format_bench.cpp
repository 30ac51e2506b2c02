// Megabytes of turns per second that each call format parses, one thread, beside nlohmann_json on
// the same bytes of arguments. Options: --repeats N.
//
// `thought`: 3 kB of text and a call of 1 kB. `calls`: calls of 1 kB and nothing else, four where
// the format writes several. `short`: one call of about 100 bytes.

#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "bench.hpp"
#include "dualagent/text/gpt_oss_calls.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/openai_calls.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"
#include "dualagent/text/retool_calls.hpp"

namespace da = dualagent;

namespace {

std::string words(std::size_t size_bytes) {
  std::string text;
  while (text.size() < size_bytes) text += "The \"third\" page says x = 4,\nwhich was not known. ";
  return text.substr(0, size_bytes);
}

/// Megabytes (1e6 bytes) per second of `read` over `text`.
template <class Read>
double speed_of(const std::string& text, std::size_t repeats, Read&& read) {
  constexpr std::size_t kBytes = 4'000'000;
  const std::size_t times = kBytes / text.size() + 1;
  std::size_t kept = 0;
  const double seconds = bench::median_seconds(2, repeats, [&] {
    for (std::size_t i = 0; i < times; ++i) kept += read(text);
  });
  if (kept == 0) std::fprintf(stderr, "nothing was read\n");
  return static_cast<double>(times * text.size()) / seconds * 1e-6;
}

struct Case {
  const char* name;
  std::string before;
  std::vector<da::ToolCall> calls;
};

template <class Format>
void measure(const Format& format, const std::string& name, const Case& input,
             std::size_t repeats) {
  const std::string text = input.before + format.render_calls(input.calls);
  const double speed = speed_of(text, repeats, [&](const std::string& said) {
    const da::Turn turn = format.parse(said);
    return std::get<std::vector<da::ToolCall>>(turn).size();
  });
  bench::report(name + "_" + input.name, 1, speed, "MB/s");
}

template <class Format>
void measure_all(const Format& format, const std::string& name, const std::string& before,
                 std::size_t calls, const std::string& argument, std::size_t repeats) {
  const auto call = [&](std::size_t size) {
    const nlohmann::json arguments = {{argument, words(size)}};
    return da::ToolCall{"python", arguments.dump(), "call_1"};
  };
  measure(format, name, {"thought", before, {call(1000)}}, repeats);
  measure(format, name, {"calls", "", std::vector(calls, call(1000))}, repeats);
  measure(format, name, {"short", "", {call(60)}}, repeats);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::size_t repeats = options.number("--repeats", 20);
  const std::string thought = words(3000);
  measure_all(da::HermesCalls{}, "hermes", thought, 4, "text", repeats);
  measure_all(da::QwenCoderCalls{}, "qwen_coder", thought, 4, "text", repeats);
  measure_all(da::RetoolCalls{}, "retool", thought, 4, "code", repeats);
  measure_all(da::Llama3Calls{}, "llama3", "", 1, "text", repeats);
  measure_all(da::OpenAiCalls{}, "openai", "", 4, "text", repeats);
  measure_all(da::GptOssCalls{}, "gpt_oss",
              "<|channel|>analysis<|message|>" + thought + "<|end|><|start|>assistant", 4, "text",
              repeats);
  const std::string json = nlohmann::json({{"text", words(1000)}}).dump();
  bench::report(
      "nlohmann_json_parse", 1,
      speed_of(json, repeats,
               [](const std::string& text) { return nlohmann::json::parse(text).size(); }),
      "MB/s");
}
