// expect: JudgedWork needs 'std::vector<JudgedItem> items
#include "dualagent/reward/judge.hpp"

using namespace dualagent;

struct Client {
  std::string complete(const ChatRequest&) const { return {}; }
};
struct Nothing {};

int main() {
  const Client client;
  Judge judge{client, Nothing{}, JudgeOptions{}};
}
