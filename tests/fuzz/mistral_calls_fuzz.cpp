#include "call_formats.hpp"
#include "dualagent/text/mistral_calls.hpp"

FUZZ_TARGET(text) {
  using namespace dualagent;
  fuzz::check_call_format(MistralNemoCalls{}, text);
  fuzz::check_call_format(MistralSmall32Calls{}, text);
  fuzz::check_call_format(Ministral3Calls{}, text);
}
