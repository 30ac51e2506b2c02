#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/tools/read_argument.hpp"
#include "dualagent/tools/tool.hpp"
#include "trail.hpp"

namespace quickstart {

/// The pages of all tasks: a CSV file with the columns task, page, amount, next.
///
/// Example row: train-000007,T,4,I
class Ledger {
 public:
  static constexpr std::string_view kHeader = "task,page,amount,next";

  /// A ledger that tools share. Errors: Error with file and line for a bad row.
  static std::shared_ptr<const Ledger> read(const std::filesystem::path& path) {
    return std::make_shared<const Ledger>(parse(dualagent::read_file(path), path.string()));
  }

  static Ledger parse(std::string_view text, const std::string& where) {
    Ledger ledger;
    std::size_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view row = text.substr(begin, end - begin);
      if (row.ends_with('\r')) row.remove_suffix(1);
      begin = end + 1;
      const std::string place = where + ":" + std::to_string(++number);
      if (number == 1 && row != kHeader) refuse("the first line is not the header", place);
      if (number > 1 && !row.empty()) ledger.add_row(row, place);
    }
    if (ledger.pages_.empty()) refuse("there are no pages", where);
    return ledger;
  }

  /// Errors: Error when the task already has such a page.
  void add(const std::string& task, const Entry& entry, const std::string& where) {
    if (!pages_.emplace(std::pair(task, entry.page), entry).second)
      refuse("task \"" + dualagent::printable(task) + "\" has page " + entry.page + " twice",
             where);
  }

  const Entry* find(const std::string& task, char page) const {
    const auto found = pages_.find({task, page});
    return found == pages_.end() ? nullptr : &found->second;
  }

  /// The trail from a page on. Errors: Error when a page is missing or the trail runs in a circle.
  std::vector<Entry> follow(const std::string& task, char page, const std::string& where) const {
    std::vector<Entry> entries;
    std::set<char> seen;
    for (; page != '.'; page = entries.back().next) {
      const Entry* entry = find(task, page);
      if (entry == nullptr)
        refuse("the ledger has no page " + std::string(1, page) + " for this task", where);
      if (!seen.insert(page).second)
        refuse("the trail comes back to page " + std::string(1, page), where);
      entries.push_back(*entry);
    }
    return entries;
  }

  void write(const std::filesystem::path& path) const {
    std::string text = std::string(kHeader) + '\n';
    for (const auto& [key, entry] : pages_)
      text += key.first + ',' + entry.page + ',' + std::to_string(entry.amount) + ',' + entry.next +
              '\n';
    dualagent::write_file_atomically(path, text);
  }

 private:
  [[noreturn]] static void refuse(const std::string& what, const std::string& where) {
    throw dualagent::Error(what, where,
                           "A row is task,page,amount,next: page A to Z, amount 1 to 9, next a "
                           "page or . after the last");
  }

  void add_row(std::string_view row, const std::string& where) {
    std::vector<std::string_view> cells;
    for (std::size_t begin = 0;;) {
      const std::size_t comma = row.find(',', begin);
      cells.push_back(row.substr(begin, comma - begin));
      if (comma == std::string_view::npos) break;
      begin = comma + 1;
    }
    const auto one_of = [](std::string_view cell, char first, char last) {
      return cell.size() == 1 && cell[0] >= first && cell[0] <= last;
    };
    if (cells.size() != 4) refuse("the row has " + std::to_string(cells.size()) + " cells", where);
    if (cells[0].empty()) refuse("the task is empty", where);
    if (!one_of(cells[1], 'A', 'Z')) refuse("the page is not a letter A to Z", where);
    if (!one_of(cells[2], '1', '9')) refuse("the amount is not a digit 1 to 9", where);
    if (!one_of(cells[3], 'A', 'Z') && cells[3] != ".") refuse("the next page is neither", where);
    add(std::string(cells[0]), {cells[1][0], cells[2][0] - '0', cells[3][0]}, where);
  }

  std::map<std::pair<std::string, char>, Entry> pages_;
};

/// The tool: looks up one page of the task's ledger.
struct LedgerLookup {
  static constexpr std::string_view name = "lookup";
  static constexpr dualagent::Execution execution = dualagent::Execution::immediate;
  struct Arguments {
    std::string page;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    dualagent::read_argument(json, "page", arguments.page);
  }

  std::shared_ptr<const Ledger> ledger;
  Range noise{14, 22};

  /// The page's text; "X=?>." for a page that is not on the trail.
  std::string operator()(const Arguments& arguments, const dualagent::CallInfo& info) const {
    if (arguments.page.size() != 1) throw dualagent::Error("a page is one letter", arguments.page);
    const char page = arguments.page[0];
    const Entry* entry = ledger->find(info.task->id, page);
    if (entry == nullptr) return std::string(1, page) + "=?>.";
    return page_text(*entry, noise, info.task->seed, info.call);
  }
};

/// Checks that a task can be played with the ledger, and sets its limit of calls where it has none.
///
/// Errors: Error when the prompt is not "sum:X+DD?", the trail is broken, or the answer is not the
/// opening balance plus the trail's amounts.
inline Trail check_task(const Ledger& ledger, dualagent::Task& task, const std::string& where) {
  if (task.system)
    throw dualagent::Error("the task has a system message, which this dialect cannot write", where,
                           "Leave \"system\" out");
  const std::string& p = task.prompt;
  const auto is = [&](std::size_t i, char first, char last) {
    return p[i] >= first && p[i] <= last;
  };
  if (p.size() != 9 || !p.starts_with("sum:") || !is(4, 'A', 'Z') || p[5] != '+' ||
      !is(6, '0', '9') || !is(7, '0', '9') || p[8] != '?')
    throw dualagent::Error("the prompt \"" + dualagent::printable(p) + "\" is not understood",
                           where, "Write sum:X+DD? with a page X and an opening balance DD");
  Trail trail{.opening = 10 * (p[6] - '0') + (p[7] - '0'),
              .entries = ledger.follow(task.id, p[4], where)};
  if (trail.total() > 99)
    throw dualagent::Error("the total is " + std::to_string(trail.total()), where,
                           "Totals have two digits: at most 99");
  if (task.answer != two_digits(trail.total()))
    throw dualagent::Error("the answer is \"" + dualagent::printable(task.answer) +
                               "\" but the ledger adds up to " + two_digits(trail.total()),
                           where, "Correct the answer or the ledger");
  if (!task.max_calls) task.max_calls = trail.entries.size() + kSpareCalls;
  return trail;
}

}  // namespace quickstart
