#include "call_formats.hpp"
#include "dualagent/text/hermes_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::HermesCalls{}, text); }
