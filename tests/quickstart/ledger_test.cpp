#include "quickstart/ledger.hpp"

#include <memory>
#include <string>

#include "support/catch.hpp"

using namespace quickstart;

namespace {
const std::string kGood = "task,page,amount,next\na,K,3,Q\na,Q,4,.\nb,K,9,.\n";
}

TEST_CASE("a ledger keeps the pages of each task apart", "[quickstart]") {
  const Ledger ledger = Ledger::parse(kGood, "ledger.csv");
  CHECK(ledger.find("a", 'K')->amount == 3);
  CHECK(ledger.find("b", 'K')->next == '.');
  CHECK(ledger.find("b", 'Q') == nullptr);
  const std::vector<Entry> trail = ledger.follow("a", 'K', "here");
  REQUIRE(trail.size() == 2);
  CHECK(trail[1].page == 'Q');
}

TEST_CASE("a bad row is refused with file and line", "[quickstart]") {
  const auto refused = [](const std::string& row, const std::string& why) {
    CHECK_THROWS_WITH(Ledger::parse("task,page,amount,next\r\n\n" + row + "\n", "x.csv"),
                      ContainsSubstring("x.csv:3") && ContainsSubstring(why));
  };
  refused("a,K,3", "3 cells");
  refused("a,K,3,Q,", "5 cells");
  refused(",K,3,Q", "the task is empty");
  refused("a,k,3,Q", "page is not a letter");
  refused("a,K,0,Q", "amount is not a digit");
  refused("a,K,3,", "next page");
  CHECK_THROWS_WITH(Ledger::parse("page,amount\n", "x.csv"), ContainsSubstring("header"));
  CHECK_THROWS_WITH(Ledger::parse("task,page,amount,next\na,K,3,Q\na,K,3,Q\n", "x.csv"),
                    ContainsSubstring("x.csv:3") && ContainsSubstring("twice"));
  CHECK_THROWS_WITH(Ledger::parse("", "x.csv"), ContainsSubstring("no pages"));
}

TEST_CASE("a trail that breaks off or runs in a circle is refused", "[quickstart]") {
  const Ledger ledger = Ledger::parse("task,page,amount,next\na,K,3,Q\nb,K,1,Q\nb,Q,1,K\n", "x");
  CHECK_THROWS_WITH(ledger.follow("a", 'K', "t:1"), ContainsSubstring("no page Q"));
  CHECK_THROWS_WITH(ledger.follow("b", 'K', "t:2"), ContainsSubstring("comes back to page K"));
}

TEST_CASE("the tool returns noise and the entry, the same for the same call", "[quickstart]") {
  const LedgerLookup lookup{.ledger = std::make_shared<Ledger>(Ledger::parse(kGood, "x"))};
  const dualagent::Task task{.id = "a", .prompt = "sum:K+10?", .answer = "17", .seed = 5};
  const dualagent::CallInfo first{&task, 0};
  const std::string text = lookup({"K"}, first);
  CHECK(text.ends_with("K=3>Q"));
  const std::string noise = text.substr(0, text.size() - 5);
  CHECK(noise.size() >= 14);
  CHECK(noise.size() <= 22);
  const std::size_t at = noise.find('=');
  REQUIRE(at != std::string::npos);
  CHECK(at >= 1);
  CHECK(std::isdigit(noise.at(at + 1)));
  CHECK(lookup({"K"}, first) == text);
  CHECK(lookup({"K"}, {&task, 1}) != text);
  CHECK(lookup({"Z"}, first) == "Z=?>.");
}

TEST_CASE("a task must fit the ledger", "[quickstart]") {
  const Ledger ledger = Ledger::parse(kGood, "x");
  dualagent::Task task{.id = "a", .prompt = "sum:K+10?", .answer = "17"};
  CHECK(check_task(ledger, task, "t:1").total() == 17);
  CHECK(task.max_calls == 2 + kSpareCalls);
  task.answer = "18";
  CHECK_THROWS_WITH(check_task(ledger, task, "t:1"), ContainsSubstring("adds up to 17"));
  task.prompt = "sum:K+99?";
  CHECK_THROWS_WITH(check_task(ledger, task, "t:1"), ContainsSubstring("at most 99"));
}
