#include "dualagent/model/generation_config.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

TEST_CASE("generation_config.json is read, and what is not is named", "[model][generation]") {
  const GenerationConfig config = parse_generation_config(
      R"({"bos_token_id": 151643, "pad_token_id": 0, "do_sample": true,
          "eos_token_id": [151645, 151643], "repetition_penalty": 1.1, "temperature": 0.7,
          "top_p": 0.8, "top_k": 20, "min_p": null, "transformers_version": "4.37.0",
          "max_new_tokens": 2048, "no_repeat_ngram_size": 3})",
      "g");
  CHECK(config.eos_token_ids == std::vector<Token>{151645, 151643});
  CHECK(config.bos_token_id == 151643);
  CHECK(config.pad_token_id == 0);
  CHECK(config.do_sample == true);
  CHECK(config.temperature == 0.7);
  CHECK(config.top_p == 0.8);
  CHECK(config.top_k == 20U);
  CHECK(config.max_new_tokens == 2048U);
  CHECK(config.repetition_penalty == 1.1);
  CHECK_FALSE(config.min_p);
  CHECK_FALSE(config.max_length);
  CHECK(config.unread == std::vector<std::string>{"no_repeat_ngram_size"});
  CHECK(parse_generation_config(R"({"eos_token_id": 2})", "g").eos_token_ids ==
        std::vector<Token>{2});
  CHECK(parse_generation_config("{}", "g").eos_token_ids.empty());
}

TEST_CASE("entries of a wrong type are refused by name", "[model][generation]") {
  const auto problem = [](const std::string& text) {
    return error_of([&] { parse_generation_config(text, "g.json"); });
  };
  CHECK_THAT(
      problem(R"({"eos_token_id": "2"})"),
      ContainsSubstring("not a whole number from 0 to 2147483647") && ContainsSubstring("g.json"));
  CHECK_THAT(problem("[]"), ContainsSubstring("generation configuration is not a JSON object") &&
                                ContainsSubstring("Fetch the model's file again"));
  CHECK_THAT(problem(R"({"eos_token_id": [1, -2]})"), ContainsSubstring("eos_token_id"));
  CHECK_THAT(problem(R"({"bos_token_id": 2147483648})"), ContainsSubstring("bos_token_id"));
  CHECK_THAT(problem(R"({"temperature": -1})"), ContainsSubstring("temperature must be a number"));
  CHECK_THAT(problem(R"({"top_p": "0.9"})"), ContainsSubstring("top_p"));
  CHECK_THAT(problem(R"({"top_k": 1.5})"), ContainsSubstring("top_k"));
  CHECK_THAT(problem(R"({"do_sample": 1})"), ContainsSubstring("do_sample must be true or false"));
  CHECK_THAT(problem("[]"), ContainsSubstring("not a JSON object"));
}

TEST_CASE("a folder without generation_config.json says it in config.json", "[model][generation]") {
  const TemporaryFolder folder;
  CHECK_THAT(error_of([&] { load_generation_config(folder.path()); }),
             ContainsSubstring("cannot open"));
  write_file_atomically(folder / "config.json",
                        R"({"model_type": "llama", "eos_token_id": [3, 4], "bos_token_id": 1})");
  CHECK(load_generation_config(folder.path()).eos_token_ids == std::vector<Token>{3, 4});
  CHECK(load_generation_config(folder.path()).unread.empty());
  write_file_atomically(folder / "generation_config.json", R"({"eos_token_id": 5})");
  const GenerationConfig config = load_generation_config(folder.path());
  CHECK(config.eos_token_ids == std::vector<Token>{5});
  CHECK_FALSE(config.bos_token_id);  // nothing is mixed
}
