#include "dualagent/service/live_generation.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

const ServedText kLetters{
    [](Token token) {
      return std::string_view("abcdefgh").substr(static_cast<std::size_t>(token), 1);
    },
    [](Token) { return false; }};

/// How many of these tokens a rule lets a generation have.
std::size_t taken(const StopRule& stop, const std::vector<Token>& tokens) {
  for (std::size_t n = 1; n <= tokens.size(); ++n)
    if (stop.stop_early(std::span(tokens).first(n))) return n;
  return tokens.size();
}

}  // namespace

TEST_CASE("a generation ends with the token that completes a stop string", "[service]") {
  const auto ends = [](std::vector<std::string> strings, const std::vector<Token>& tokens) {
    LiveGeneration live({.stop_strings = std::move(strings)}, false, kLetters, [] {});
    const StopRule stop = live.stop_rule({});
    const std::size_t size = taken(stop, tokens);
    return std::pair(size, live.matched());
  };
  using Found = std::pair<std::size_t, std::string>;
  CHECK(ends({"cd"}, {0, 1, 2, 3, 4}) == Found(4, "cd"));
  CHECK(ends({"ce", "b"}, {0, 1, 2, 3, 4}) == Found(2, "b"));
  CHECK(ends({"aab"}, {0, 0, 0, 1}) == Found(4, "aab"));
  CHECK(ends({"bc", "abc"}, {0, 1, 2}) == Found(3, "abc"));  // the first in the text
  CHECK(ends({"x"}, {0, 1, 2}) == Found(3, ""));
}

TEST_CASE("its own stop tokens and the model's end it, unless they are ignored", "[service]") {
  const std::vector<Token> model{7};
  LiveGeneration live({.max_new_tokens = 9, .stop_tokens = {3}}, false, kLetters, [] {});
  CHECK(live.stop_rule(model).stop_tokens == std::vector<Token>{3, 7});
  CHECK(live.stop_rule(model).max_new_tokens == 9);
  LiveGeneration other({.stop_tokens = {3}, .ignores_stops = true}, false, kLetters, [] {});
  CHECK(other.stop_rule(model).stop_tokens.empty());
}

TEST_CASE("one that is aborted ends with its next token", "[service]") {
  LiveGeneration live({}, false, kLetters, [] {});
  const StopRule stop = live.stop_rule({});
  const std::vector<Token> tokens{0, 1};
  CHECK(!stop.stop_early(std::span(tokens).first(1)));
  live.abort();
  CHECK(stop.stop_early(tokens));
  CHECK(live.matched().empty());
}

TEST_CASE("whoever waits hears of each token of a streamed one, and of the end", "[service]") {
  for (const bool streams : {true, false}) {
    int heard = 0;
    LiveGeneration live({}, streams, kLetters, [&] { ++heard; });
    live.label("w");
    const StopRule stop = live.stop_rule({});
    CHECK(taken(stop, {0, 1, 2}) == 3);
    CHECK(heard == (streams ? 3 : 0));
    CHECK(live.look().tokens.size() == (streams ? 3U : 0U));
    CHECK(live.look().newest_label == "w");
    CHECK(!live.has_ended());
    live.finish({.tokens = {0, 1, 2, 3}, .end = ServedEnd{}});
    CHECK(heard == (streams ? 4 : 1));
    CHECK(live.has_ended());
    CHECK(live.look().tokens.size() == 4);
  }
}

TEST_CASE("why a sampler's generation ended is said as the client and the metrics know it",
          "[service]") {
  using Kind = ServedEnd::Kind;
  const auto end = [](FinishReason finish, const std::string& matched) {
    Generation done = Generation::failed({}, "it broke");
    done.finish = finish;
    return end_of(done, matched);
  };
  CHECK(end(FinishReason::stop, "").kind == Kind::stop_token);
  CHECK(end(FinishReason::early, "x").said == "x");
  CHECK(end(FinishReason::early, "").kind == Kind::aborted);
  CHECK(end(FinishReason::failed, "").said == "it broke");
  CHECK(end(FinishReason::context_full, "").kind == Kind::length);
  CHECK(reason_of(Kind::stop_string) == "stop");
  CHECK(reason_of(Kind::aborted) == "abort");
  CHECK(reason_of(Kind::failed) == "failed");
  CHECK(reason_of(Kind::length) == "length");
}
