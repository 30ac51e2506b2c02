// expect: a Judge keeps a reference to its client, which must outlive it
#include "dualagent/reward/judge.hpp"

using namespace dualagent;

struct ClientOfAMoment {
  std::string complete(const ChatRequest&) const { return "{}"; }
};

int main() { Judge judge{ClientOfAMoment{}, JudgedAnswer{}, JudgeOptions{}}; }
