#include "dualagent/data/hashed_answer.hpp"

#include <optional>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("what follows the last hashes is the answer, on their line", "[data]") {
  CHECK(after_hashes("1 + 1 = 2\n#### 1,000 \n") == "1,000");
  CHECK(after_hashes("#### 42\nI am sure.\n") == "42");
  CHECK(after_hashes("#### 42\r\nI am sure.") == "42");
  CHECK(after_hashes("#### 42 ####") == "42");
  CHECK(after_hashes("#### 42 ####\nDone.") == "42");
  CHECK(after_hashes("#### 41\nNo:\n#### 42") == "42");
  CHECK(after_hashes("#### 42\n####") == "42");
  CHECK(after_hashes("##### 42") == "42");
  CHECK(after_hashes("so ####42") == "42");
}

TEST_CASE("an answer may stand on the line below its hashes", "[data]") {
  CHECK(after_hashes("####\n42") == "42");
  CHECK(after_hashes("####\n\n 42 \nDone.") == "42");
  CHECK(after_hashes("#### 41\n####\n42") == "41");  // it closes
}

TEST_CASE("without hashes, or without anything behind them, there is no answer", "[data]") {
  CHECK(after_hashes("2") == std::nullopt);
  CHECK(after_hashes("### 2") == std::nullopt);
  CHECK(after_hashes("####  \n ") == std::nullopt);
  CHECK(after_hashes("########") == std::nullopt);
  CHECK(after_hashes("") == std::nullopt);
}
