#include "call_formats.hpp"
#include "dualagent/text/llama3_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::Llama3Calls{}, text); }
