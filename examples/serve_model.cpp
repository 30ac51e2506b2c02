// Serves a model's folder over HTTP as SGLang's server would: a trained Summarizer, say, to other
// processes. docs/service.md has the paths. Ctrl-C or SIGTERM ends it once what runs is answered.
//
// serve_model --model DIR
//   --port 3333
//   --host 127.0.0.1
//   --token-file FILE   without it only 127.0.0.1 is served
//   --threads 1
//   --max-running 64    generations in the decode batch
//   --max-queued 256    generations that wait

#include <chrono>
#include <cstdio>
#include <dualagent/dualagent.hpp>
#include <dualagent/service/sampler_service.hpp>
#include <map>
#include <string>
#include <thread>
namespace da = dualagent;

namespace {

/// The command line's pairs of --name and value, over the defaults.
std::map<std::string, std::string> read_options(int argc, char** argv) {
  std::map<std::string, std::string> options{
      {"--model", ""},    {"--port", "3333"},      {"--host", "127.0.0.1"}, {"--token-file", ""},
      {"--threads", "1"}, {"--max-running", "64"}, {"--max-queued", "256"}};
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || !options.contains(argv[i]))
      throw da::Error("not an option with a value", argv[i],
                      "The head of serve_model.cpp has them");
    options[argv[i]] = argv[i + 1];
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = read_options(argc, argv);
  const auto number = [&](const char* name) {
    const auto value = da::parse_number<std::size_t>(options.at(name));
    if (!value || *value > 65535)
      throw da::Error("not a whole number up to 65535", name + (" " + options.at(name)),
                      "The head of serve_model.cpp has the defaults");
    return *value;
  };
  const std::filesystem::path folder = options.at("--model");
  auto model =
      da::load_model(folder, {.pool = std::make_shared<da::ThreadPool>(number("--threads"))});
  da::SamplerServiceOptions service_options{
      .http = {.host = options.at("--host"), .port = static_cast<int>(number("--port"))},
      .loop = {.max_running = number("--max-running"),
               .max_queued = number("--max-queued"),
               .stop_tokens = da::load_generation_config(folder).eos_token_ids},
      .model_path = folder.string()};
  if (const std::string& file = options.at("--token-file"); !file.empty()) {
    service_options.http.token = std::string(da::trimmed(da::read_file(file)));
    if (service_options.http.token.empty())
      throw da::Error("the file has no token", file, "Write one into it: openssl rand -hex 32");
  }
  if (std::filesystem::exists(folder / "tokenizer.json"))
    service_options.text =
        da::ServedText::of(da::HuggingFaceTokenizer::from_file(folder / "tokenizer.json"));

  const da::StopSignals signals;
  da::SamplerService service(model, service_options);
  service.start();
  std::printf("serving %s at %s\n", folder.c_str(), service.url().c_str());
  std::fflush(stdout);
  while (!da::StopSignals::requested()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  service.stop();
  std::printf("stopped\n");
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
