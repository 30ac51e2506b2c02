#pragma once

#include <span>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "support/toy_protocol.hpp"

/// A scripted pair that counts from 3 to 6 with a summary after every second turn, hence once
/// before the answer.
namespace summarized {

namespace da = dualagent;

inline da::ScriptedModel counting_model() {
  return {toy::vocab,
          [](std::span<const da::Token> context, da::AgentRole agent, const da::RandomStream&) {
            da::Token last = toy::digit(0);
            for (const da::Token token : context)
              if (token >= toy::digit(0)) last = token;
            if (agent == da::AgentRole::summarizer)
              return std::vector<da::Token>{toy::summary, last, toy::end};
            return std::vector<da::Token>{last == toy::digit(6) ? toy::answer : toy::call, last,
                                          toy::end};
          }};
}

inline const da::Task kTask{.id = "count", .prompt = "3", .answer = "6"};

/// The prompt is ?3, the first two turns and what was observed c3.o4c4.o5, summarized as s5.
template <class Pairing>
da::Rollout play(Pairing pairing) {
  da::RolloutScheduler scheduler{
      pairing,
      da::Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, da::TurnCount{.turns = 2}}};
  return scheduler.run(std::span(&kTask, 1), 1, {}, da::RandomStream::from_seed(1)).at(0);
}

/// Tokens as one letter or digit each: ? task, c call, a answer, o observation, r request, s
/// summary, . end.
inline std::string letter(da::Token token) {
  if (token >= toy::digit(0)) return std::to_string(token - toy::digit(0));
  return std::string(1, "?caors.!"[token]);
}

}  // namespace summarized
