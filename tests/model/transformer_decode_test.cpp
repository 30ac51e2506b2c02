#include "dualagent/model/transformer_decode.hpp"

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/odd_decoding.hpp"
#include "support/odd_shape.hpp"
#include "support/reference_transformer.hpp"

using namespace dualagent;

namespace {

/// `groups` tasks with `members` sequences each; a group's members share a prompt of ragged length.
/// Owns what its requests point to.
struct Crowd {
  StopRule stop{.stop_tokens = {0}, .max_new_tokens = 40, .stop_early = {}};
  std::vector<std::vector<Token>> prompts;
  std::vector<GenerationRequest> requests;

  Crowd(std::size_t groups, std::size_t members, float temperature) {
    const RandomStream random = RandomStream::from_seed(21);
    for (std::size_t g = 0; g < groups; ++g) {
      std::vector<Token> prompt(1 + (g * 37) % 110);  // up to more than one step's prefill
      for (std::size_t i = 0; i < prompt.size(); ++i)
        prompt[i] = static_cast<Token>(random.child(g).below(i, kVocab));
      prompts.push_back(std::move(prompt));
    }
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t m = 0; m < members; ++m)
        requests.push_back({.sequence = 1000 * g + m,
                            .context = prompts[g],
                            .agent = AgentRole::answerer,
                            .sampling = {.temperature = temperature},
                            .stop = &stop,
                            .random = random.child(500 + g).child(m)});
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
};

/// Tokens whose sampled log-probability differs in any bit from that of a packed forward pass.
template <class Model>
std::size_t different_bits(Model& scorer, std::span<const GenerationRequest> requests,
                           const laws::Generations& results) {
  const PackedBatch batch = laws::rows_of(requests, results);
  TokenOutputs outputs = laws::outputs_for(batch);
  scorer.score(batch, outputs);
  std::size_t different = 0, trained = 0;
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (batch.loss_weight[t] == 0.0F) continue;
    ++trained;
    different += outputs.log_prob[t] != static_cast<double>(batch.old_log_prob[t]);
  }
  CHECK(trained >= requests.size());
  return different;
}

std::size_t differences(const laws::Generations& a, const laws::Generations& b) {
  std::size_t count = a.size() != b.size();
  for (const auto& [sequence, generation] : a)
    count += b.count(sequence) == 0 || !laws::same(generation, b.at(sequence));
  return count;
}

/// A decoder and what it works with.
struct Bare {
  TransformerWeights<float> weights;
  detail::RotaryTable<float> rotary;
  detail::Decoder<float> decoder;
  ThreadPool pool;

  Bare(const TransformerConfig& config, std::size_t kept_panel_bytes, std::size_t threads)
      : weights(config, llama(config), kept_panel_bytes),
        rotary(config),
        decoder(weights, rotary),
        pool(threads) {
    weights.initialise(5);
    weights.refresh();
  }
  void submit(const GenerationRequest& request) { decoder.submit(request); }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return decoder.advance(pool, 0, on_finished);
  }
};

std::string error_of(const GenerationRequest& request) {
  auto model = make_model();
  try {
    model.submit(request);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("decoding has the bits of a packed forward pass", "[model][decode]") {
  for (const float temperature : {1.0F, 0.8F}) {
    const Crowd crowd(11, 6, temperature);
    auto model = make_model();
    auto scorer = make_model();
    const laws::Generations results = laws::generate(model, crowd.requests);
    INFO("temperature " << temperature);
    CHECK(different_bits(scorer, crowd.requests, results) == 0);
    CHECK(different_bits(model, crowd.requests, results) == 0);
  }
}

TEST_CASE("biases and norms of queries and keys are decoded with the same bits",
          "[model][decode]") {
  for (const bool bias : {false, true}) {
    TransformerConfig config = odd_shape();
    config.qkv_bias = bias;
    config.qk_norm = !bias;
    Transformer<float> model(config, {.seed = 3});
    for (const TensorInfo& tensor : model.tensors())
      if (tensor.shape.size() == 1)
        for (std::size_t i = 0; i < tensor.size; ++i)
          model.parameters()[tensor.offset + i] += 0.1F * static_cast<float>(i % 5);
    model.weights_changed();
    const Crowd crowd(5, 3, 1.0F);
    const laws::Generations results = laws::generate(model, crowd.requests);
    INFO((bias ? "biases" : "norms"));
    CHECK(different_bits(model, crowd.requests, results) == 0);
  }
}

TEST_CASE("a longer conversation keeps the bits of a packed forward pass", "[model][decode]") {
  auto model = make_model();
  auto scorer = make_model();
  const Crowd crowd(7, 3, 1.0F);
  const StopRule few = tokens(11);
  std::vector<std::vector<Token>> contexts;
  std::vector<GenerationRequest> requests;
  for (const GenerationRequest& request : crowd.requests) {
    contexts.emplace_back(
        request.context.begin(),
        request.context.begin() + std::min<std::ptrdiff_t>(30, std::ssize(request.context)));
    requests.push_back(request);
    requests.back().stop = &few;
  }
  for (std::size_t turn = 0; turn < 4; ++turn) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].context = contexts[i];
      requests[i].random = RandomStream::from_seed(turn).child(i);
    }
    const laws::Generations results = laws::generate(model, requests);
    INFO("turn " << turn);
    CHECK(different_bits(scorer, requests, results) == 0);
    for (std::size_t i = 0; i < requests.size(); ++i) {  // the answer, and tokens that are given
      const auto said = results.at(requests[i].sequence).sampled.tokens();
      contexts[i].insert(contexts[i].end(), said.begin(), said.end());
      for (std::size_t given = 0; given < (i + turn) % 9; ++given)
        contexts[i].push_back(static_cast<Token>(given));
    }
  }
}

TEST_CASE("double decoding agrees with the reference", "[model][decode]") {
  auto model = make_model<double>();
  const std::vector<Token> context{5, 1, 4, 1, 5, 9, 2, 6};
  const StopRule stop = tokens(30);
  const Generation result = laws::generate(model, request_for(context, stop));
  std::vector<Token> row = context;
  row.insert(row.end(), result.sampled.tokens().begin(), result.sampled.tokens().end());
  const ReferenceTransformer<Transformer<double>> reference(odd_shape(), model);
  const auto log_probs = reference.log_probs(row);
  for (std::size_t i = 0; i < 30; ++i) {
    const auto before = static_cast<Eigen::Index>(context.size() + i - 1);
    CHECK(static_cast<double>(result.sampled.log_probs()[i]) ==
          Approx(log_probs(before, row[context.size() + i])).margin(1e-6));  // stored as float
  }
}

TEST_CASE("results do not depend on threads, order or neighbours", "[model][decode]") {
  const Crowd crowd(9, 5, 1.0F);
  auto model = make_model();
  const laws::Generations expected = laws::generate(model, crowd.requests);
  for (const std::size_t threads : {1U, 2U, 3U}) {
    auto other = make_model(threads);
    INFO(threads << " threads");
    CHECK(differences(laws::generate(other, crowd.requests), expected) == 0);
    other.reset();
    std::vector<GenerationRequest> shuffled = crowd.requests;
    shuffle(std::span(shuffled), RandomStream::from_seed(threads));
    CHECK(differences(laws::generate(other, shuffled), expected) == 0);
    CHECK(differences(laws::generate(other, shuffled), expected) == 0);  // from kept sequences
  }
  for (std::size_t i = 0; i < crowd.requests.size(); i += 4) {
    auto alone = make_model();
    CHECK(laws::same(laws::generate(alone, crowd.requests[i]),
                     expected.at(crowd.requests[i].sequence)));
  }
}

TEST_CASE("decoding in blocks changes nothing", "[model][decode]") {
  // 3 KiB of keys and values for each token: 60 conversations exceed what is decoded in one block.
  TransformerConfig wide = odd_shape();
  wide.head_dim = 64;
  const auto make = [&](std::size_t threads) {
    return Transformer<float>(wide, {.pool = std::make_shared<ThreadPool>(threads), .seed = 4});
  };
  const Crowd crowd(12, 5, 1.0F);
  auto together = make(1);
  auto scorer = make(1);
  const laws::Generations expected = laws::generate(together, crowd.requests);
  CHECK(different_bits(scorer, crowd.requests, expected) == 0);
  auto threaded = make(2);
  CHECK(differences(laws::generate(threaded, crowd.requests), expected) == 0);
  for (std::size_t i = 0; i < crowd.requests.size(); i += 7) {
    auto alone = make(1);
    CHECK(laws::same(laws::generate(alone, crowd.requests[i]),
                     expected.at(crowd.requests[i].sequence)));
  }
}

TEST_CASE("a model that does not fit in the cache is decoded with the same bits",
          "[model][decode]") {
  TransformerConfig large = odd_shape();  // 8 MiB: all threads work on all requests
  large.hidden_size = 250;
  large.intermediate_size = 790;
  large.head_dim = 44;
  const Crowd crowd(10, 2, 1.0F);  // more requests than a vector has lanes
  Transformer<float> scorer(large, {.seed = 5});
  const laws::Generations expected = laws::generate(scorer, crowd.requests);
  CHECK(different_bits(scorer, crowd.requests, expected) == 0);
  for (const std::size_t threads : {1U, 3U})
    for (const std::size_t kept_panel_bytes : {kKeptPanelBytes, std::size_t{0}}) {
      Bare bare(large, kept_panel_bytes, threads);
      INFO(threads << " threads, panels of " << kept_panel_bytes << " bytes");
      CHECK(bare.weights.product_bytes() > std::size_t{8} << 20U);
      CHECK(differences(laws::generate(bare, crowd.requests), expected) == 0);
      CHECK(laws::same(laws::generate(bare, crowd.requests[5]),
                       expected.at(crowd.requests[5].sequence)));
    }
}

TEST_CASE("new weights replace what was kept, also in the middle of a generation",
          "[model][decode]") {
  const Crowd crowd(5, 3, 1.0F);
  auto model = make_model(2, 3);
  auto other = make_model(1, 4);
  laws::generate(model, crowd.requests);
  std::copy(other.parameters().begin(), other.parameters().end(), model.parameters().begin());
  model.weights_changed();
  const laws::Generations expected = laws::generate(other, crowd.requests);
  laws::Generations results = laws::generate(model, crowd.requests);
  CHECK(different_bits(other, crowd.requests, results) == 0);
  for (auto& [sequence, result] : results) {
    CHECK(version_runs(result.sampled.weight_versions()).front().version == 1);
    CHECK(std::ranges::equal(result.sampled.tokens(), expected.at(sequence).sampled.tokens()));
  }

  // Half of one answer under old weights, half under new ones: each token has its weights' bits.
  const std::vector<Token> context{3, 1, 4, 1, 5};
  const StopRule stop = tokens(10);
  auto changing = make_model(1, 3);
  changing.submit(request_for(context, stop));
  const auto unfinished = [](Generation&&) { FAIL("finished too early"); };
  for (int i = 0; i < 5; ++i) changing.advance(unfinished);
  std::copy(other.parameters().begin(), other.parameters().end(), changing.parameters().begin());
  changing.weights_changed();
  std::vector<Generation> done;
  while (changing.advance([&](Generation&& result) { done.push_back(std::move(result)); }) > 0) {
  }
  REQUIRE(done.size() == 1);
  CHECK(version_runs(done[0].sampled.weight_versions()) == std::vector<VersionRun>{{0, 5}, {1, 5}});
  std::vector<Token> row = context;
  row.insert(row.end(), done[0].sampled.tokens().begin(), done[0].sampled.tokens().end());
  PackedBatch batch;
  batch.append_row(row);
  std::fill(batch.loss_weight.begin() + 1, batch.loss_weight.end(), 1.0F);
  TokenOutputs old_outputs = laws::outputs_for(batch), new_outputs = laws::outputs_for(batch);
  auto old_model = make_model(1, 3);
  old_model.score(batch, old_outputs);
  other.score(batch, new_outputs);
  for (std::size_t i = 0; i < 10; ++i) {
    const TokenOutputs& outputs = i < 5 ? old_outputs : new_outputs;
    CHECK(outputs.log_prob[context.size() + i] ==
          static_cast<double>(done[0].sampled.log_probs()[i]));
  }
}

TEST_CASE("memory of released sequences is used again and changes nothing", "[model][decode]") {
  const Crowd crowd(6, 4, 1.0F);
  auto model = make_model();
  const laws::Generations expected = laws::generate(model, crowd.requests);
  for (const GenerationRequest& request : crowd.requests) model.release(request.sequence);
  model.release(987654321);
  std::vector<GenerationRequest> reversed(crowd.requests.rbegin(), crowd.requests.rend());
  CHECK(differences(laws::generate(model, reversed), expected) == 0);
  for (const GenerationRequest& request : crowd.requests)
    if (request.sequence % 2 == 0) model.release(request.sequence);
  CHECK(differences(laws::generate(model, crowd.requests), expected) == 0);
  for (const GenerationRequest& request : crowd.requests) model.submit(request);
  const auto ignore = [](Generation&&) {};
  CHECK(model.advance(ignore) > 0);
  model.reset();
  CHECK(model.advance(ignore) == 0);
  CHECK(differences(laws::generate(model, crowd.requests), expected) == 0);
}

TEST_CASE("a generation ends for the reason that the rule gives", "[model][decode]") {
  auto model = make_model();
  const std::vector<Token> context(150, 2);
  const StopRule many = tokens(100);
  const Generation full = laws::generate(model, request_for(context, many));
  CHECK(full.finish == FinishReason::context_full);
  CHECK(full.sampled.tokens().size() == 10);  // 160 - 150
  const StopRule ten = tokens(10);
  CHECK(laws::generate(model, request_for(context, ten)).finish == FinishReason::length);
  const StopRule three = tokens(3);
  const Generation length = laws::generate(model, request_for(context, three));
  CHECK(length.finish == FinishReason::length);
  CHECK(std::ranges::equal(length.sampled.tokens(), full.sampled.tokens().first(3)));
  const Token fourth = full.sampled.tokens()[3];
  const StopRule at_fourth{.stop_tokens = {static_cast<Token>(kVocab + 5), fourth},
                           .max_new_tokens = 50,
                           .stop_early = {}};
  const Generation stopped = laws::generate(model, request_for(context, at_fourth));
  CHECK(stopped.finish == FinishReason::stop);
  CHECK(stopped.sampled.tokens().back() == fourth);
  const StopRule early{.stop_tokens = {},
                       .max_new_tokens = 50,
                       .stop_early = [](std::span<const Token> said) { return said.size() == 6; }};
  const Generation cut = laws::generate(model, request_for(context, early));
  CHECK(cut.finish == FinishReason::early);
  CHECK(cut.sampled.tokens().size() == 6);
  const std::vector<Token> last_place(159, 2);
  CHECK(laws::generate(model, request_for(last_place, many)).finish == FinishReason::context_full);
}

TEST_CASE("a bad request is refused with its sequence", "[model][decode]") {
  const StopRule stop = tokens(3), nothing = tokens(0);
  const std::vector<Token> good{1, 2}, unknown{1, 37}, negative{-1, 1}, full(160, 1);
  CHECK(error_of(request_for(good, stop)).empty());
  CHECK_THAT(error_of(request_for({}, stop)),
             ContainsSubstring("at least one token") && ContainsSubstring("sequence 1"));
  CHECK_THAT(error_of(request_for(unknown, stop)),
             ContainsSubstring("token 37") && ContainsSubstring("vocabulary of 37"));
  CHECK_THAT(error_of(request_for(negative, stop)), ContainsSubstring("token -1"));
  CHECK_THAT(error_of(request_for(full, stop)), ContainsSubstring("160 tokens leaves no room"));
  CHECK_THAT(error_of(request_for(good, nothing)), ContainsSubstring("max_new_tokens >= 1"));
  GenerationRequest no_rule = request_for(good, stop);
  no_rule.stop = nullptr;
  CHECK_THAT(error_of(no_rule), ContainsSubstring("stop rule"));
  CHECK_THAT(error_of(request_for(good, stop, -1.0F)), ContainsSubstring("temperature"));
  CHECK_THAT(error_of(request_for(good, stop, std::nanf(""))), ContainsSubstring("temperature"));

  auto model = make_model();
  const GenerationRequest request = request_for(good, stop);
  model.submit(request);
  CHECK_THROWS_WITH(model.submit(request), ContainsSubstring("running generation"));
  GenerationRequest other = request;
  other.sequence = 2;
  CHECK_NOTHROW(model.submit(other));
}
