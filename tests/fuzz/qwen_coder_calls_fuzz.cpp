#include "call_formats.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"

FUZZ_TARGET(text) { fuzz::check_call_format(dualagent::QwenCoderCalls{}, text); }
