#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/tools/read_argument.hpp"
#include "dualagent/tools/tool.hpp"
#include "problem.hpp"
#include "quickstart/ledger.hpp"

namespace two_books {

/// The key of one book of a task in the ledger: "train-000007/s".
inline std::string book_key(const std::string& task, char book) { return task + '/' + book; }

/// Adds the pages of all books of a task.
inline void add_books(quickstart::Ledger& ledger, const std::string& task, const Problem& problem) {
  for (std::size_t book = 0; book < kBooks.size(); ++book)
    for (const quickstart::Entry& entry : problem.trails[book].entries)
      ledger.add(book_key(task, kBooks[book]), entry, "generator");
}

/// The tool that opens a book: says "ok", whichever it is.
struct OpenBook {
  static constexpr std::string_view name = "open";
  static constexpr dualagent::Execution execution = dualagent::Execution::immediate;
  struct Arguments {
    std::string book;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    dualagent::read_argument(json, "book", arguments.book);
  }
  std::string operator()(const Arguments&, const dualagent::CallInfo&) const { return "ok"; }
};

/// The tool that looks up one page of the opened book.
struct BookLookup {
  static constexpr std::string_view name = "lookup";
  static constexpr dualagent::Execution execution = dualagent::Execution::immediate;
  struct Arguments {
    std::string page;
    std::string book;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    dualagent::read_argument(json, "page", arguments.page);
    dualagent::read_argument(json, "book", arguments.book);
  }

  std::shared_ptr<const quickstart::Ledger> ledger;
  quickstart::Range noise{14, 22};

  /// The page's text; "X=?>." for a page that is not on the trail.
  std::string operator()(const Arguments& arguments, const dualagent::CallInfo& info) const {
    if (arguments.page.size() != 1) throw dualagent::Error("a page is one letter", arguments.page);
    if (!book_number(arguments.book)) throw dualagent::Error("no such book", arguments.book);
    const char page = arguments.page[0];
    const quickstart::Entry* entry = ledger->find(book_key(info.task->id, arguments.book[0]), page);
    if (entry == nullptr) return std::string(1, page) + "=?>.";
    return quickstart::page_text(*entry, noise, info.task->seed, info.call);
  }
};

}  // namespace two_books
