// The page's judge, which needs libcurl; compiled only.
#include "dualagent/dualagent.hpp"
#include "dualagent/service/openai_client.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

namespace docs {

namespace da = dualagent;

void judge(da::SharedWeights<BigramModel> pair, const da::ByteTokenizer& tokenizer) {
  const da::Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, da::Never{}};
#include "rewards/a-judge.inc"
}

}  // namespace docs
