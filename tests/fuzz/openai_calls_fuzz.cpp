#include "call_formats.hpp"
#include "dualagent/text/openai_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::OpenAiCalls{}, text); }
