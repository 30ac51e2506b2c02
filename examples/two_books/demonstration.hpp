#pragma once

#include <vector>

#include "problem.hpp"
#include "quickstart/demonstrator.hpp"

namespace two_books {

/// How the scripted agents err.
struct Sloppiness {
  double opens_general = 0.70;  ///< else the right book
  quickstart::Sloppiness afterwards{.forgets = 0.25, .stops_early = 0.10};
};

/// The demonstration of a problem in which the agent opens `book`.
inline quickstart::Demonstration demonstrate_in(const Problem& problem, std::size_t book,
                                                const quickstart::Difficulty& difficulty,
                                                const quickstart::Sloppiness& sloppiness,
                                                const RandomStream& random) {
  using namespace quickstart::vocabulary;
  return {quickstart::Memory::summaries,
          difficulty,
          sloppiness,
          random,
          {.trail = problem.trails[book],
           .task = make_task(problem, "demonstration", random.bits(0)),
           .first_call = {call_begin, token(kBooks[book]), call_end},
           .first_reply = "ok"}};
}

/// The book that a demonstrator opens.
inline std::size_t choose_book(const Problem& problem, const Sloppiness& sloppiness,
                               const RandomStream& random) {
  return random.uniform(3) < sloppiness.opens_general ? kGeneralBook : problem.right_book;
}

/// A `quickstart::Demonstrator`, as sloppy in all stages.
inline std::vector<dualagent::Segment> demonstrate(quickstart::Memory,
                                                   const quickstart::Difficulty& difficulty,
                                                   const quickstart::Sloppiness&,
                                                   const RandomStream& random) {
  const Sloppiness sloppiness;
  const Problem problem = make_problem(difficulty, random.child(0));
  return demonstrate_in(problem, choose_book(problem, sloppiness, random), difficulty,
                        sloppiness.afterwards, random)
      .play();
}

}  // namespace two_books
