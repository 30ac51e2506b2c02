#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "debt_calls.hpp"
#include "dualagent/rollout/protocol.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/summary/trigger.hpp"
#include "dualagent/text/dialect_for.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/tools/tool_box.hpp"

/// How the episodes are played.
namespace ledger_smollm2 {

/// The chains of all tasks, by the tasks' ids.
using Book = std::map<std::string, Chain>;

/// The tool: what is known of one person.
struct DebtLookup {
  static constexpr std::string_view name = DebtCalls::tool;
  static constexpr dualagent::Execution execution = dualagent::Execution::immediate;
  struct Arguments {
    std::string name;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("name", name);
    }
  };

  std::shared_ptr<const Book> book;

  std::string operator()(const Arguments& arguments, const dualagent::CallInfo& info) const {
    for (const Debt& debt : book->at(info.task->id).debts)
      if (debt.name == arguments.name) return debt.text;
    return "There is no such person.";
  }
};

/// What decides which history the Answerer sees.
enum class Memory {
  notes,   ///< the dual agent
  window,  ///< the newest whole turns
  all      ///< no context limit
};

/// Tokens that there is room for. The defaults are for SmolLM2's tokenizer, in which a prompt has
/// 25 tokens, a lookup with its result 24 or 29, a whole history 209 to 274.
struct Room {
  std::size_t budget = 90;      ///< above it a note is due: after 3 lookups, later after 2
  std::size_t window = 160;     ///< an episode that reaches it fails
  std::size_t sliding = 112;    ///< what a sliding window keeps: 3 lookups; + a turn: `window`
  std::size_t unlimited = 320;  ///< holds every whole history
  std::size_t turn = 48;        ///< of one turn
  std::size_t note = 32;        ///< of one note
};

using Dialect =
    dualagent::ChatDialect<dualagent::HuggingFaceTokenizer, dualagent::AnyChatTemplate, DebtCalls>;

/// The model's own chat template with `DebtCalls`.
///
///   user       Start with 25, then look up David.
///   assistant  lookup David.
///   user       David owes 6 coins. Next is Luke.
///   user       Write a note.
///   assistant  Total 25+6=31. Next is Luke.            the Summarizer
///   user       Note: Total 25+6=31. Next is Luke.      in the next window
///
/// Errors: as `dialect_for`.
inline Dialect make_dialect(const std::filesystem::path& model_folder, const Room& room) {
  using namespace dualagent;
  const auto tokenizer = HuggingFaceTokenizer::from_file(model_folder / "tokenizer.json");
  const DialectOptions options{.chat = {.system = "Add up all debts.",
                                        .tools = ToolBox{DebtLookup{}}.specs(),
                                        .max_turn_tokens = room.turn,
                                        .max_summary_tokens = room.note,
                                        .malformed = MalformedTurns::end_the_episode,
                                        .summary_request = "Write a note.",
                                        .before_summary = "Note:\n",
                                        .after_summary = ""},
                               .thinking = Thinking::off};
  const KnownTemplate& known = *known_template(dialect_for(model_folder, tokenizer, options).name);
  return {tokenizer, known.chat(options), DebtCalls{}, options.chat};
}

template <class Trigger, class Rewriter>
auto make_protocol(const Dialect& dialect, std::shared_ptr<const Book> book, std::size_t window,
                   Trigger trigger, Rewriter rewriter) {
  return dualagent::Protocol{dialect, dualagent::ToolBox{DebtLookup{std::move(book)}}, trigger,
                             rewriter, dualagent::RolloutLimits{.max_context_tokens = window}};
}

}  // namespace ledger_smollm2
