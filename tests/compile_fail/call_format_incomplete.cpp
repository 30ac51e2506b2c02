// expect: a CallFormat needs parse, call_end, render_calls
#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"

struct Mute {};

int main() {
  dualagent::ChatDialect dialect{dualagent::ByteTokenizer({"<|im_start|>", "<|im_end|>"}),
                                 dualagent::ChatMl{}, Mute{}};
}
