#include "dualagent/train/segment_digest.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

Segment segment(const std::vector<Token>& given, const std::vector<Token>& shown,
                AgentRole owner = AgentRole::answerer,
                Provenance provenance = Provenance::demonstration) {
  Segment made{owner, {}, {}};
  made.context.append(Provenance::prompt, given);
  made.context.append(provenance, shown);
  return made;
}

}  // namespace

TEST_CASE("segments that differ in anything have other digests", "[train]") {
  const std::vector<std::vector<Segment>> all{
      {},
      {segment({1, 2}, {3, 4})},
      {segment({1, 2}, {3, 5})},
      {segment({1, 2, 3}, {4})},
      {segment({1, 2}, {3, 4}, AgentRole::summarizer)},
      {segment({1, 2}, {3, 4}, AgentRole::answerer, Provenance::action)},
      {segment({1, 2}, {3, 4}), segment({1}, {2})},
      {segment({1}, {2}), segment({1, 2}, {3, 4})}};
  std::set<std::uint64_t> digests;
  for (const std::vector<Segment>& segments : all) digests.insert(segment_digest(segments));
  CHECK(digests.size() == all.size());
  CHECK(segment_digest(std::vector<Segment>(all[1])) == segment_digest(all[1]));
}

TEST_CASE("a digest goes on from the one before", "[train]") {
  const std::vector<Segment> first{segment({1, 2}, {3})}, second{segment({4}, {5, 6})};
  const auto chained = [](const std::vector<Segment>& a, const std::vector<Segment>& b) {
    return segment_digest(b, segment_digest(a));
  };
  CHECK(chained(first, second) != chained(second, first));
  CHECK(chained(first, second) != segment_digest(second));
}
