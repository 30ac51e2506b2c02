#include "call_formats.hpp"
#include "dualagent/text/retool_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::RetoolCalls{}, text); }
