#include "dualagent/service/generate_request.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/recorded_engines.hpp"

using namespace dualagent;

namespace {

const GenerateLimits kLimits{.vocab_size = 10,
                             .max_context_tokens = 20,
                             .max_new_tokens = 8,
                             .max_batch = 2,
                             .has_text = true,
                             .has_scores = true};

GenerateRequest parse(const std::string& body, const GenerateLimits& limits = kLimits) {
  return parse_generate_request(body, limits);
}
std::string refusal(const std::string& body, const GenerateLimits& limits = kLimits) {
  return error_of([&] { parse(body, limits); });
}
/// Of sampling parameters, for a prompt of two tokens.
GenerateItem item(const std::string& parameters) {
  return parse(R"({"input_ids": [1, 2], "sampling_params": )" + parameters + "}").items.at(0);
}
std::string parameter_refusal(const std::string& parameters) {
  return refusal(R"({"input_ids": [1, 2], "sampling_params": )" + parameters + "}");
}

}  // namespace

TEST_CASE("what a request does not say has SGLang's defaults", "[service]") {
  const GenerateRequest request = parse(R"({"input_ids": [1, 2]})");
  CHECK(!request.is_batch);
  CHECK(!request.stream);
  const GenerateItem& one = request.items.at(0);
  CHECK(one.prompt == std::vector<Token>{1, 2});
  CHECK(one.sampling.temperature == 1.0F);
  CHECK(!one.sampling.leaves_out());
  CHECK(one.max_new_tokens == 8);  // 128, or what may be
  CHECK(!one.seed);
  CHECK(!one.log_probs);
  GenerateLimits wide = kLimits;
  wide.max_context_tokens = 1000;
  wide.max_new_tokens = 0;
  CHECK(parse(R"({"input_ids": [1, 2]})", wide).items[0].max_new_tokens == 128);
}

TEST_CASE("the request that SGLang was recorded with is read", "[service]") {
  GenerateLimits limits = kLimits;
  limits.vocab_size = 49152;
  const nlohmann::json body = recorded_engines::record("sglang", "stop string").at("body");
  limits.max_context_tokens = 100;
  limits.max_new_tokens = 32;
  const GenerateItem one = parse(body.dump(), limits).items.at(0);
  CHECK(one.prompt == std::vector<Token>{504, 3575, 282, 4649, 314});
  CHECK(one.max_new_tokens == 32);
  CHECK(one.sampling.temperature == 0.7F);
  CHECK(one.stop_tokens == std::vector<Token>{2});
  CHECK(one.stop_strings == std::vector<std::string>{"e"});
  CHECK(one.keeps_stop);
  CHECK(!one.skips_special);
  CHECK(!one.ignores_stops);
  CHECK(one.seed == 7U);
  CHECK(one.log_probs);
  CHECK(!one.scores_prompt);
}

TEST_CASE("every parameter that is served is read", "[service]") {
  const GenerateItem one = item(
      R"({"temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.1, "stop": "ab",
          "ignore_eos": true, "max_new_tokens": 4, "sampling_seed": 18446744073709551615})");
  CHECK(one.sampling.temperature == 0.5F);
  CHECK(one.sampling.top_k == 3);
  CHECK(one.sampling.top_p == 0.9F);
  CHECK(one.sampling.min_p == 0.1F);
  CHECK(one.stop_strings == std::vector<std::string>{"ab"});
  CHECK(one.ignores_stops);
  CHECK(one.max_new_tokens == 4);
  CHECK(one.seed == ~std::uint64_t{0});
  CHECK(item(R"({"temperature": 1e-7})").sampling.temperature == 0.0F);  // as SGLang
  CHECK(item(R"({"top_k": -1})").sampling.top_k == 0);
  // null is as if it were not there; what has no effect may be said.
  CHECK(item(R"({"top_k": null, "regex": null, "n": 1, "repetition_penalty": 1.0,
                 "frequency_penalty": 0, "min_new_tokens": 0})")
            .sampling.top_k == 0);
}

TEST_CASE("a batch has a value for all prompts, or one for each", "[service]") {
  const GenerateRequest one = parse(
      R"({"input_ids": [[1], [2, 3]], "rid": "a", "return_logprob": true, "logprob_start_len": 0,
          "sampling_params": {"max_new_tokens": 2}, "stream": true})");
  CHECK(one.is_batch);
  CHECK(one.stream);
  CHECK(one.items.at(0).rid == "a_0");
  CHECK(one.items.at(1).rid == "a_1");
  CHECK(one.items.at(1).scores_prompt);
  CHECK(one.items.at(1).max_new_tokens == 2);
  const GenerateRequest each = parse(
      R"({"input_ids": [[1], [2, 3]], "rid": ["x", "y"], "return_logprob": [false, true],
          "sampling_params": [{"max_new_tokens": 1}, {"max_new_tokens": 2}]})");
  CHECK(each.items.at(1).rid == "y");
  CHECK(!each.items.at(0).log_probs);
  CHECK(each.items.at(1).log_probs);
  CHECK(each.items.at(0).max_new_tokens == 1);
  CHECK(parse(R"({"input_ids": [[1]]})").is_batch);
}

TEST_CASE("wrong fields are named with what they may be", "[service]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "not valid JSON"},
      {"[]", "the body is not a JSON object"},
      {"{}", "input_ids is missing"},
      {R"({"input_id": [1]})", "input_ids is missing; it has \"input_id\""},
      {R"({"text": "hello"})", "text is given"},
      {R"({"input_ids": "1"})", "input_ids must be a list"},
      {R"({"input_ids": []})", "input_ids must be a list"},
      {R"({"input_ids": [[]]})", "input_ids[0] must be a list of at least one"},
      {R"({"input_ids": [[1], 2]})", "input_ids[1] must be a list"},
      {R"({"input_ids": [[1], [2], [3]]})", "input_ids has 3 prompts, and at most 2"},
      {R"({"input_ids": [1, 10]})", "input_ids[1] is 10, not a token id from 0 to 9"},
      {R"({"input_ids": [4294967297]})", "input_ids[0] is 4294967297, not a token id"},
      {R"({"input_ids": [-1]})", "input_ids[0] is -1"},
      {R"({"input_ids": [1.5]})", "input_ids[0] is 1.5"},
      {R"({"input_ids": [1, null]})", "input_ids[1] is null"},
      {R"({"input_ids": [1], "rid": 7})", "rid must be a text"},
      {R"({"input_ids": [1], "rid": ["a"]})", "rid is a list of 1 for 1 prompt"},
      {R"({"input_ids": [[1], [2]], "rid": ["a", "a"]})", "rid has 'a' twice"},
      {R"({"input_ids": [[1], [2]], "rid": ["a"]})", "rid is a list of 1 for 2 prompts"},
      {R"({"input_ids": [1], "return_logprob": 1})", "return_logprob must be true or false"},
      {R"({"input_ids": [1], "logprob_start_len": 1})", "logprob_start_len must be -1"},
      {R"({"input_ids": [1], "stream": "yes"})", "stream must be true or false"},
      {R"({"input_ids": [1], "top_logprobs_num": 5})", "top_logprobs_num = 5 is not supported"},
      {R"({"input_ids": [1], "lora_path": "x"})", "lora_path is not known here"},
      {R"({"input_ids": [1], "sampling_params": []})", "sampling_params is a list of 0"},
      {R"({"input_ids": [1], "sampling_params": 3})", "sampling_params is not a JSON object"},
      {R"({"input_ids": [1], "input_ids": [2]})", "the key 'input_ids' twice"}};
  for (const auto& [body, sentence] : wrong) CHECK_THAT(refusal(body), ContainsSubstring(sentence));
}

TEST_CASE("wrong sampling parameters are named with what they may be", "[service]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"({"temperature": "hot"})", "sampling_params.temperature must be a number of at least 0"},
      {R"({"temperature": -1})", "sampling_params.temperature must be a number of at least 0"},
      {R"({"temperature": 1e39})", "at least 0 and at most 1e+38"},  // infinite as a float
      {R"({"temperature": 1e999})", "number overflow"},
      {R"({"top_p": 0})", "sampling_params.top_p must be a number of at least 1e-38 and at most 1"},
      {R"({"top_p": 1e-50})", "must be a number of at least 1e-38 and at most 1"},  // 0 as a float
      {R"({"min_p": 2})", "sampling_params.min_p must be"},
      {R"({"top_k": 0})", "sampling_params.top_k must be -1"},
      {R"({"top_k": 2.5})", "sampling_params.top_k must be -1"},
      {R"({"max_new_tokens": 0})",
       "sampling_params.max_new_tokens is 0, not a whole number of at least 1"},
      {R"({"max_new_tokens": 9})", "sampling_params.max_new_tokens is 9, but after a prompt of 2"},
      {R"({"sampling_seed": -1})", "sampling_params.sampling_seed is -1, not a whole number"},
      {R"({"stop": [""]})", "sampling_params.stop must be a text"},
      {R"({"stop": 5})", "sampling_params.stop must be a text"},
      {R"({"stop_token_ids": 5})", "sampling_params.stop_token_ids must be a list"},
      {R"({"stop_token_ids": [2147483648]})", "stop_token_ids[0] is 2147483648, not a token id"},
      {R"({"stop_token_ids": ["a"]})", "sampling_params.stop_token_ids[0] is \"a\""},
      {R"({"ignore_eos": 1})", "sampling_params.ignore_eos must be true or false"},
      {R"({"n": 2})", "sampling_params.n = 2 is not supported"},
      {R"({"frequency_penalty": 0.5})", "sampling_params.frequency_penalty = 0.5 is not"},
      {R"({"regex": "a*"})", "sampling_params.regex is not known here"},
      {R"({"temprature": 1})", "sampling_params.temprature is not known here"}};
  for (const auto& [parameters, sentence] : wrong)
    CHECK_THAT(parameter_refusal(parameters), ContainsSubstring(sentence));
}

TEST_CASE("limits of the model and of the server are kept", "[service]") {
  const auto prompt = [](std::size_t size) {
    return nlohmann::json{{"input_ids", std::vector<int>(size, 1)}}.dump();
  };
  CHECK(parse(prompt(19)).items[0].max_new_tokens == 1);
  CHECK_THAT(refusal(prompt(20)), ContainsSubstring("has 20 tokens, and a prompt may have 19"));
  GenerateLimits narrow = kLimits;
  narrow.max_prompt_tokens = 5;
  CHECK_THAT(refusal(prompt(6), narrow), ContainsSubstring("a prompt may have 5"));
  narrow.has_text = narrow.has_scores = false;
  CHECK_THAT(refusal(R"({"input_ids": [1], "sampling_params": {"stop": "a"}})", narrow),
             ContainsSubstring("this server has no tokenizer"));
  CHECK_THAT(
      refusal(R"({"input_ids": [1], "return_logprob": true, "logprob_start_len": 0})", narrow),
      ContainsSubstring("cannot score prompts"));
}

TEST_CASE("limits with which nothing could be served are refused", "[service]") {
  const auto refusal = [](void (*change)(GenerateLimits&)) {
    GenerateLimits limits = kLimits;
    change(limits);
    return error_of([&] { parse(R"({"input_ids": [1]})", limits); });
  };
  CHECK(refusal([](GenerateLimits&) {}) == "no error");
  CHECK_THAT(refusal([](GenerateLimits& l) { l.vocab_size = 0; }),
             ContainsSubstring("vocab_size is 0 (GenerateLimits)"));
  for (const auto change : {+[](GenerateLimits& l) { l.max_context_tokens = 0; },
                            +[](GenerateLimits& l) { l.max_context_tokens = 1; }})
    CHECK_THAT(refusal(change), ContainsSubstring("max_context_tokens is ") &&
                                    ContainsSubstring("a prompt of one token and one more"));
  CHECK_THAT(refusal([](GenerateLimits& l) { l.max_batch = 0; }),
             ContainsSubstring("max_batch is 0 (GenerateLimits)"));
}
