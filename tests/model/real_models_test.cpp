/// Real models against transformers, where DUALAGENT_REAL_MODELS names a folder of directories for
/// which tests/golden/real_models/make_real_models.py was run; left out where it does not.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/model/adapter_files.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"
#include "support/memory_of_loading.hpp"

using namespace dualagent;
using namespace checkpoint_numbers;

namespace {

struct RealModel {
  std::filesystem::path folder, expected;
  std::filesystem::path made;  // folder/NAME of what the tests write; a suffix says what it is

  std::filesystem::path file(const char* suffix) const { return made.string() + suffix; }
};

/// Of the folder that the environment names; says where there is none.
std::vector<RealModel> real_models() {
  const char* const root = std::getenv("DUALAGENT_REAL_MODELS");
  std::vector<RealModel> models;
  if (root != nullptr)
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      const std::filesystem::path folder = entry.path();
      const auto made = std::filesystem::path(root) / "dualagent" / folder.filename();
      const std::filesystem::path expected = made.string() + ".safetensors";
      if (std::filesystem::exists(expected)) models.push_back({folder, expected, made});
    }
  if (models.empty())
    WARN("left out: DUALAGENT_REAL_MODELS names no folder of real models with expected numbers");
  return models;
}

std::vector<Token> tokens(const SafeTensors& expected, const std::string& name) {
  const auto values = expected.values<std::int64_t>(name);
  return {values.begin(), values.end()};
}

std::vector<std::vector<Token>> prompts_of(const SafeTensors& expected) {
  std::vector<std::vector<Token>> prompts;
  while (expected.find("prompt." + std::to_string(prompts.size())) != nullptr)
    prompts.push_back(tokens(expected, "prompt." + std::to_string(prompts.size())));
  return prompts;
}

TransformerOptions two_threads() { return {.pool = std::make_shared<ThreadPool>(2)}; }

/// A continuation of every prompt, drawn at the temperature.
template <class Model>
laws::Generations continuations(Model& model, const std::vector<std::vector<Token>>& prompts,
                                std::size_t new_tokens, float temperature) {
  const StopRule stop{.stop_tokens = {}, .max_new_tokens = new_tokens, .stop_early = {}};
  std::vector<GenerationRequest> requests;
  for (std::size_t p = 0; p < prompts.size(); ++p)
    requests.push_back({.sequence = p,
                        .context = prompts[p],
                        .agent = AgentRole::answerer,
                        .sampling = {.temperature = temperature},
                        .stop = &stop,
                        .random = RandomStream::from_seed(1).child(p)});
  return laws::generate(model, requests);
}

/// For tests/golden/real_models/compare_engine.py: tokens that the model drew, and how probable it
/// holds them.
void write_drawn(const std::filesystem::path& file, const std::vector<std::vector<Token>>& prompts,
                 const laws::Generations& drawn) {
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& [prompt, generation] : drawn)
    rows.push_back({{"prompt", prompts[prompt]},
                    {"tokens", nlohmann::json(generation.sampled.tokens())},
                    {"log_probs", nlohmann::json(generation.sampled.log_probs())}});
  std::ofstream(file) << rows.dump() << '\n';
}

}  // namespace

TEST_CASE("real models: logits are those of transformers", "[model][real]") {
  for (const RealModel& real : real_models()) {
    INFO(real.folder.string());
    TransformerWeights<float> weights(load_config(real.folder));
    load_weights(real.folder, weights);
    weights.refresh();
    const detail::RotaryTable<float> rotary(weights.config());
    const SafeTensors expected = SafeTensors::open(real.expected);
    const auto prompts = prompts_of(expected);
    CHECK(prompts.size() >= 20);
    double largest = 0;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      const auto logits = expected.values<float>("logits." + std::to_string(p));
      std::size_t at = 0;
      for (const auto& row : logits_of(weights, rotary, prompts[p], prompts[p].size() - 2))
        for (const float got : row)
          largest = std::max(largest, std::abs(double{got} - logits[at++]));
      CHECK(at == logits.size());
    }
    WARN(real.folder.filename().string() << ": largest difference of a logit " << largest);
    CHECK(largest <= 2e-4);
  }
}

TEST_CASE(
    "real models: greedy continuations are those of transformers, sampling and training agree",
    "[model][real]") {
  for (const RealModel& real : real_models()) {
    INFO(real.folder.string());
    Transformer<float> model = load_model(real.folder, two_threads());
    const SafeTensors expected = SafeTensors::open(real.expected);
    const auto prompts = prompts_of(expected);
    for (const auto& [p, said] :
         continuations(model, prompts, tokens(expected, "greedy.0").size(), 0.0F))
      CHECK(std::ranges::equal(said.sampled.tokens(),
                               tokens(expected, "greedy." + std::to_string(p))));
    CHECK(largest_log_ratio(model, prompts, 8) == 0.0);
    save_model(real.file(".saved"), model, {.stored_as = DType::bf16, .from = real.folder});
    write_drawn(real.file(".drawn.json"), prompts, continuations(model, prompts, 32, 1.0F));
  }
}

TEST_CASE("real models: an adapter is saved for engines, with what it draws", "[model][real]") {
  for (const RealModel& real : real_models()) {
    INFO(real.folder.string());
    Transformer<float> base = load_model(real.folder, two_threads());
    AdaptedTransformer<float> model(base, {.rank = 16, .alpha = 32, .seed = 1});
    const RandomStream random = RandomStream::from_seed(2);
    for (std::size_t i = 0; i < model.parameters().size(); ++i)
      model.parameters()[i] += static_cast<float>(0.01 * random.normal(i));
    model.weights_changed();
    const auto prompts = prompts_of(SafeTensors::open(real.expected));
    const laws::Generations drawn = continuations(model, prompts, 32, 1.0F);
    CHECK(!laws::same(drawn,
                      continuations(base, prompts, 32, 1.0F)));  // the adapter says something else
    save_adapter(real.file(".adapter"), model, {.base_model = real.folder.string()});
    AdaptedTransformer<float> again = load_adapter(real.file(".adapter"), base);
    CHECK(laws::same(drawn, continuations(again, prompts, 32, 1.0F)));
    write_drawn(real.file(".adapter.drawn.json"), prompts, drawn);
  }
}

TEST_CASE("real models: loading takes little more memory than the weights", "[model][real]") {
  for (const RealModel& real : real_models()) {
    const auto begin = std::chrono::steady_clock::now();
    const auto [peak, held, weights] = memory_of_loading(real.folder);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    WARN(real.folder.filename().string()
         << ": " << seconds.count() << " s, peak " << peak / 1e6 << " MB, afterwards " << held / 1e6
         << " MB, weights " << weights / 1e6 << " MB");
    CHECK(held > 0);
    CHECK(peak <= 1.1 * weights);
  }
}
