#include "dualagent/model/adapter_config.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

std::string golden(const std::string& name) {
  return read_file(std::filesystem::path(DUALAGENT_TEST_DATA) / "adapters" / name /
                   "adapter_config.json");
}

/// The least that an adapter's configuration needs, with more entries.
std::string with(const std::string& more) {
  return R"({"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"])" +
         (more.empty() ? "" : ", " + more) + "}";
}

std::string refused(const std::string& text) {
  return error_of([&] { parse_adapter_config(text, "adapter_config.json"); });
}

}  // namespace

TEST_CASE("adapter_config.json is read as PEFT writes it", "[model][lora]") {
  using enum TensorRole;
  const AdapterConfig some = parse_adapter_config(golden("some"), "some");
  CHECK(some.change.rank == 4);
  CHECK(some.change.alpha == 5);
  CHECK(some.change.rank_stabilized);
  CHECK(some.change.scale() == 2.5);
  CHECK(some.change.targets.size() == 2);
  CHECK(some.change.changes(value));
  CHECK(some.change.changes(up));
  CHECK_FALSE(some.change.seed);
  CHECK(some.base_model == "../models/qwen2");
  const AdapterConfig all = parse_adapter_config(golden("all"), "all");
  CHECK(all.change.targets.size() == 7);
  CHECK(all.change.scale() == 2);
  CHECK_FALSE(all.change.rank_stabilized);
}

TEST_CASE("the least configuration, and every linear layer by one word", "[model][lora]") {
  const AdapterConfig least = parse_adapter_config(with(""), "a");
  CHECK(least.change.targets == std::vector<TensorRole>{TensorRole::query});
  CHECK(least.base_model.empty());
  CHECK(parse_adapter_config(R"({"r": 1, "lora_alpha": 0.5, "target_modules": "all-linear"})", "a")
            .change.targets == LowRank{}.targets);
  CHECK(refused(with(R"("lora_dropout": 0.05, "init_lora_weights": "gaussian")")) == "no error");
}

TEST_CASE("what would change the results is refused by name", "[model][lora]") {
  for (const auto& [entry, problem] : std::vector<std::pair<std::string, std::string>>{
           {R"("use_dora": true)", "use_dora = true is not supported"},
           {R"("bias": "all")", "bias = all is not supported"},
           {R"("modules_to_save": ["lm_head"])", "modules_to_save = [\"lm_head\"]"},
           {R"("layers_to_transform": [0, 1])", "layers_to_transform = [0,1]"},
           {R"("rank_pattern": {"q_proj": 8})", "rank_pattern ="},
           {R"("alpha_pattern": {"q_proj": 8})", "alpha_pattern ="},
           {R"("init_lora_weights": "pissa")", "init_lora_weights = pissa"},
           {R"("peft_type": "IA3")", "peft_type = IA3"},
           {R"("task_type": "SEQ_CLS")", "task_type = SEQ_CLS"},
           {R"("layer_replication": [[0, 4]])", "layer_replication ="},
           {R"("use_something_new": true)", "use_something_new = true is not supported"}})
    CHECK_THAT(refused(with(entry)), ContainsSubstring(problem) && ContainsSubstring("PEFT") &&
                                         ContainsSubstring("adapter_config.json"));
}

TEST_CASE("entries that are wrong or missing are refused by name", "[model][lora]") {
  CHECK_THAT(refused("[]"), ContainsSubstring("not a JSON object"));
  CHECK_THAT(refused(R"({"lora_alpha": 8, "target_modules": ["q_proj"]})"),
             ContainsSubstring("r is missing"));
  CHECK_THAT(refused(R"({"r": 4, "lora_alfa": 8, "target_modules": ["q_proj"]})"),
             ContainsSubstring("lora_alpha is missing") && ContainsSubstring("lora_alfa"));
  CHECK_THAT(refused(R"({"r": 4, "lora_alpha": 8})"),
             ContainsSubstring("target_modules is missing"));
  for (const char* targets : {R"("q.*")", "[]", R"(["lm_head"])", "[3]", "7"})
    CHECK_THAT(
        refused(R"({"r": 4, "lora_alpha": 8, "target_modules": )" + std::string(targets) + "}"),
        ContainsSubstring("target_modules ="));
  CHECK_THAT(refused(R"({"r": 0, "lora_alpha": 8, "target_modules": ["q_proj"]})"),
             ContainsSubstring("not a whole number from 1 to 2147483647"));
  CHECK_THAT(refused(R"({"r": 4, "lora_alpha": -8, "target_modules": ["q_proj"]})"),
             ContainsSubstring("lora_alpha must be a number above 0"));
  CHECK_THAT(refused(with(R"("use_rslora": 1)")), ContainsSubstring("use_rslora"));
}

TEST_CASE("a written configuration reads back to the same values", "[model][lora]") {
  const LowRank change{.rank = 8,
                       .alpha = 2.5,
                       .rank_stabilized = true,
                       .targets = {TensorRole::up, TensorRole::query}};
  const std::string text = to_adapter_config_json({change, "SmolLM2"});
  const AdapterConfig read = parse_adapter_config(text, "written");
  CHECK(read.change.rank == 8);
  CHECK(read.change.alpha == 2.5);
  CHECK(read.change.rank_stabilized);
  CHECK(read.change.targets == std::vector<TensorRole>{TensorRole::query, TensorRole::up});
  CHECK(read.base_model == "SmolLM2");
  CHECK(to_adapter_config_json(read) == text);
}
