// expect: a ChatClient needs 'std::string complete
#include "dualagent/reward/judge.hpp"

using namespace dualagent;

struct Mute {
  void complete(const ChatRequest&) const {}
};

int main() {
  const Mute client;
  Judge judge{client, JudgedAnswer{}, JudgeOptions{}};
}
