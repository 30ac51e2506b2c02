#include "dualagent/objective/token_loss.hpp"

#include "laws/objective_laws.hpp"
#include "support/catch.hpp"

TEST_CASE("the shipped token losses obey the laws", "[objective][laws]") {
  laws::check_token_loss_laws(dualagent::ClipLoss{});
  laws::check_token_loss_laws(dualagent::ClipLoss{.clip_low = 0.0, .clip_high = 1.0});
}
