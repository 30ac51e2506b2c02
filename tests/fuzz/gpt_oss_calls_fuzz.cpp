#include "call_formats.hpp"
#include "dualagent/text/gpt_oss_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::GptOssCalls{}, text); }
