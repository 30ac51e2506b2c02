#include "dualagent/tools/tool_memory.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("each tool keeps its own values in each episode", "[tools]") {
  const int one_tool = 0, other_tool = 0;
  ToolMemory episode, other_episode;
  CHECK(episode.of<int>(&one_tool) == 0);
  episode.of<int>(&one_tool) = 5;
  episode.of<std::string>(&one_tool) = "five";
  CHECK(episode.of<int>(&one_tool) == 5);
  CHECK(episode.of<std::string>(&one_tool) == "five");
  CHECK(episode.of<int>(&other_tool) == 0);
  CHECK(other_episode.of<int>(&one_tool) == 0);
}
