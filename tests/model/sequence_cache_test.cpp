#include "dualagent/model/sequence_cache.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;

namespace {

using Cache = detail::SequenceCache<float>;
constexpr std::size_t kBlock = detail::KeyValueCache<float>::kPositions;

/// `size` tokens, the first of them `first`.
std::vector<Token> counting(std::size_t size, Token first = 0) {
  std::vector<Token> tokens(size);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::size_t blocks_for(std::size_t positions) { return (positions + kBlock - 1) / kBlock; }

/// Goes on with a sequence as a decoder does, until all of `tokens` is in the cache.
void compute(Cache& cache, SequenceId id, const std::vector<Token>& tokens) {
  auto& sequence = cache.open(id, tokens);
  if (sequence.size() == 0)
    if (const auto ready = cache.longest_prefix(std::span(tokens).first(tokens.size() - 1));
        ready.size > 0)
      cache.share(ready, sequence);
  cache.reserve(sequence, tokens.size());
  while (sequence.size() < tokens.size()) sequence.append(tokens[sequence.size()]);
}

}  // namespace

TEST_CASE("a released sequence gives its prefix to a new one", "[model][cache]") {
  Cache cache(odd_shape());
  const auto tokens = counting(100);
  compute(cache, 1, tokens);
  CHECK(cache.longest_prefix(tokens).size == 100);
  CHECK(cache.longest_prefix(counting(70)).size == 70);
  CHECK(cache.longest_prefix(counting(70, 5)).size == 0);
  cache.release(1);
  cache.release(17);
  CHECK(cache.longest_prefix(tokens).size == 100);
  compute(cache, 2, counting(80));
  CHECK(cache.reused() == 79);
  cache.open(2, counting(90));  // its own
  CHECK(cache.reused() == 79 + 80);
  cache.forget_computed();
  CHECK(cache.longest_prefix(tokens).size == 0);
  compute(cache, 3, tokens);
  cache.release(3);
  cache.clear();
  CHECK(cache.longest_prefix(tokens).size == 0);
}

TEST_CASE("blocks of released sequences are taken before new ones, from the end of the oldest",
          "[model][cache]") {
  Cache cache(odd_shape());
  const auto older = counting(3 * kBlock), younger = counting(2 * kBlock, 1000);
  compute(cache, 1, older);
  compute(cache, 2, younger);
  cache.release(1);
  cache.release(2);
  compute(cache, 3, counting(kBlock, 5000));
  CHECK(cache.longest_prefix(older).size == 2 * kBlock);
  CHECK(cache.longest_prefix(younger).size == 2 * kBlock);
  compute(cache, 4, counting(3 * kBlock, 6000));
  CHECK(cache.longest_prefix(older).size == 0);
  CHECK(cache.longest_prefix(younger).size == kBlock);
  CHECK(cache.blocks_allocated() == 5);
  compute(cache, 5, counting(kBlock + 1, 7000));
  CHECK(cache.longest_prefix(younger).size == 0);
  CHECK(cache.blocks_allocated() == 6);
}

TEST_CASE("what one owner of weights has computed is not taken by another", "[model][cache]") {
  Cache cache(odd_shape());
  const int base = 0, adapter = 0;  // their addresses are the owners
  const std::vector<Token> tokens = counting(100);
  auto& sequence = cache.open(1, tokens, &base);
  cache.reserve(sequence, tokens.size());
  for (const Token token : tokens) sequence.append(token);
  CHECK(cache.longest_prefix(tokens, &base).size == 100);
  CHECK(cache.longest_prefix(tokens, &adapter).size == 0);
  CHECK(cache.open(1, tokens, &adapter).size() == 0);
  cache.release(1, &adapter);
  cache.release(1, &base);
  CHECK(cache.longest_prefix(tokens, &base).size == 100);
  cache.forget_computed(&adapter);
  cache.clear(&adapter);
  CHECK(cache.longest_prefix(tokens, &base).size == 100);
  cache.forget_computed(&base);
  CHECK(cache.longest_prefix(tokens, &base).size == 0);

  for (const bool clears : {true, false}) {  // what was released belongs to its owner, too
    auto& adapted = cache.open(2, tokens, &adapter);
    cache.reserve(adapted, tokens.size());
    for (std::size_t i = adapted.size(); i < tokens.size(); ++i) adapted.append(tokens[i]);
    cache.release(2, &adapter);
    REQUIRE(cache.longest_prefix(tokens, &adapter).size == 100);
    if (clears)
      cache.clear(&adapter);
    else
      cache.forget_computed(&adapter);
    CHECK(cache.longest_prefix(tokens, &adapter).size == 0);
  }
}

TEST_CASE("only the last released sequences are kept", "[model][cache]") {
  Cache cache(odd_shape());
  const auto nth = [](std::size_t n) { return counting(5, static_cast<Token>(10 * n)); };
  for (std::size_t n = 0; n <= Cache::kReleased; ++n) compute(cache, n, nth(n));
  for (std::size_t n = 0; n <= Cache::kReleased; ++n) cache.release(n);
  CHECK(cache.longest_prefix(nth(0)).size == 0);
  CHECK(cache.longest_prefix(nth(1)).size == 5);
  CHECK(cache.longest_prefix(nth(Cache::kReleased)).size == 5);
}

TEST_CASE("what was released costs no memory", "[model][cache]") {
  const RandomStream random = RandomStream::from_seed(4);
  Cache cache(odd_shape());
  std::map<SequenceId, std::vector<Token>> live;
  std::size_t most = 0;  // blocks that the live ones would hold if none shared any
  for (SequenceId id = 0; id < 2000; ++id) {
    auto draw = [&, i = std::uint64_t{0}](std::size_t below) mutable {
      return random.child(id).below(i++, below);
    };
    if (live.size() > 5) {  // goes on with one, then ends another
      auto& [grown, tokens] = *std::next(live.begin(), static_cast<std::ptrdiff_t>(draw(6)));
      const auto more = counting(1 + draw(40), static_cast<Token>(100 * id));
      tokens.insert(tokens.end(), more.begin(), more.end());
      compute(cache, grown, tokens);
    }
    live[id] = counting(1 + draw(150), static_cast<Token>(1000 * draw(3)));
    compute(cache, id, live[id]);
    std::size_t blocks = 0;
    for (const auto& [other, tokens] : live) blocks += blocks_for(tokens.size());
    most = std::max(most, blocks);
    CHECK(cache.blocks_allocated() <= most);
    if (live.size() > 5) {
      const auto ended = std::next(live.begin(), static_cast<std::ptrdiff_t>(draw(6)));
      cache.release(ended->first);
      live.erase(ended);
    }
  }
  CHECK(cache.reused() > 100'000);
}

namespace {

constexpr std::size_t kMembers = 8, kPrompt = 100, kSampled = 5;

/// Eight requests of one prompt, five tokens each; owns what they point to.
struct Group {
  StopRule stop{.stop_tokens = {}, .max_new_tokens = kSampled, .stop_early = {}};
  std::vector<Token> prompt;
  std::vector<GenerationRequest> requests;
  Group() {
    const RandomStream random = RandomStream::from_seed(8);
    for (std::size_t i = 0; i < kPrompt; ++i)
      prompt.push_back(static_cast<Token>(random.below(i, 37)));
    for (std::size_t m = 0; m < kMembers; ++m)
      requests.push_back({.sequence = m,
                          .context = prompt,
                          .agent = AgentRole::answerer,
                          .sampling = {},
                          .stop = &stop,
                          .random = random.child(m)});
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
};

Transformer<float> make_model(std::size_t threads = 1) {
  return Transformer<float>(odd_shape(),
                            {.pool = std::make_shared<ThreadPool>(threads), .seed = 3});
}

/// The prompt once, its last token and all sampled tokens but the last for each.
constexpr std::size_t kOnce = kPrompt - 1 + kMembers * (1 + kSampled - 1);

}  // namespace

TEST_CASE("the prompt of a group is computed once, whenever its members begin", "[model][cache]") {
  const Group group;
  for (const std::size_t threads : {1U, 2U}) {
    INFO(threads << " threads");
    auto together = make_model(threads);
    const auto expected = laws::generate(together, group.requests);
    CHECK(together.position_counts().computed == kOnce);
    CHECK(together.position_counts().reused == (kMembers - 1) * (kPrompt - 1));
    for (const bool released : {false, true}) {
      auto one_by_one = make_model(threads);
      for (const GenerationRequest& request : group.requests) {
        const Generation result = laws::generate(one_by_one, request);
        CHECK(laws::same(result, expected.at(request.sequence)));
        if (released) one_by_one.release(request.sequence);
      }
      INFO((released ? "released" : "idle"));
      CHECK(one_by_one.position_counts().computed == kOnce);
      CHECK(one_by_one.position_counts().reused == (kMembers - 1) * (kPrompt - 1));
    }
  }
}

TEST_CASE("new weights use nothing of what was computed with the old ones", "[model][cache]") {
  const Group group;
  auto model = make_model();
  laws::generate(model, group.requests);
  for (const GenerationRequest& request : group.requests) model.release(request.sequence);
  model.weights_changed();
  const PositionCounts before = model.position_counts();
  laws::generate(model, group.requests);
  CHECK(model.position_counts().computed - before.computed == kOnce);
}
