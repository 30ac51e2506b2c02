#include "dualagent/text/special_names.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("names of special tokens are found in texts, the longest of those that begin there",
          "[text]") {
  const SpecialNames names(ByteTokenizer({"<|im_end|>", "<|im", "[END]"}));
  CHECK(names.spelled_in("a<|im_end|>") == "<|im_end|>");
  CHECK(names.spelled_in("<|im_en [END]") == "<|im");
  CHECK(names.spelled_in("[END") == std::nullopt);
  CHECK(names.spelled_in("<<[END]") == "[END]");
  CHECK(names.spelled_in("") == std::nullopt);
  CHECK(SpecialNames(ByteTokenizer{}).spelled_in("<|im_end|>") == std::nullopt);
}
