#include "ledger_smollm2/debts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "support/catch.hpp"

using namespace ledger_smollm2;

TEST_CASE("chains are what the page says: 6 or 7 people, each once, totals of two digits",
          "[ledger_smollm2]") {
  std::map<std::size_t, int> lengths;
  std::set<int> openings, amounts;
  int highest = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Chain chain = make_chain(RandomStream::from_seed(1).child(i));
    ++lengths[chain.debts.size()];
    openings.insert(chain.opening);
    highest = std::max(highest, chain.total());
    std::set<std::string> names;
    for (std::size_t k = 0; k < chain.debts.size(); ++k) {
      const Debt& debt = chain.debts[k];
      names.insert(debt.name);
      amounts.insert(debt.amount);
      CHECK(debt.next == (k + 1 < chain.debts.size() ? chain.debts[k + 1].name : "nobody"));
    }
    CHECK(names.size() == chain.debts.size());
  }
  CHECK(lengths.size() == 2);
  CHECK(lengths[6] > 900);
  CHECK(lengths[7] > 900);
  CHECK(*openings.begin() == 10);
  CHECK(*openings.rbegin() == 36);
  CHECK(amounts == std::set<int>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(highest <= 99);
}

TEST_CASE("a sentence says who owes what and who is next, some with a number that does not count",
          "[ledger_smollm2]") {
  std::size_t plain = 0, has = 0, lost = 0;
  for (std::uint64_t i = 0; i < 500; ++i)
    for (const Debt& debt : make_chain(RandomStream::from_seed(2).child(i)).debts) {
      const std::string owes = "owes " + std::to_string(debt.amount) + " coins";
      const auto digits = std::count_if(debt.text.begin(), debt.text.end(),
                                        [](char c) { return c >= '0' && c <= '9'; });
      CHECK(debt.text.starts_with(debt.name + " "));
      CHECK_THAT(debt.text, ContainsSubstring(owes));
      CHECK(debt.text.ends_with(". Next is " + debt.next + "."));
      plain += digits == 1;
      has += debt.text.find(" has ") != std::string::npos;
      lost += debt.text.find(" but lost ") != std::string::npos;
    }
  CHECK(static_cast<double>(plain) / static_cast<double>(plain + has + lost) ==
        Approx(0.2).margin(0.03));
  CHECK(static_cast<double>(has) / static_cast<double>(lost) == Approx(1.0).margin(0.15));
}

TEST_CASE("the task names the opening balance and the first person, not the length",
          "[ledger_smollm2]") {
  const Chain chain{.opening = 25,
                    .debts = {{"David", 6, "Luke", "David owes 6 coins. Next is Luke."},
                              {"Luke", 5, "nobody", "Luke owes 5 coins. Next is nobody."}}};
  const dualagent::Task task = make_task(chain, "a");
  CHECK(task.prompt == "Start with 25, then look up David.");
  CHECK(task.answer == "36");
  CHECK(task.max_calls == 4);
}
