#include "dualagent/core/any_callback.hpp"

#include <functional>
#include <string>

#include "support/catch.hpp"

using dualagent::detail::AnyCallback;

namespace {
template <class T>
concept Visitable = requires(const T& visitable) {
  visitable.for_each(AnyCallback{});
};
struct Names {
  void for_each(const std::function<void(const std::string&, double)>& visit) const {
    visit("a", 1.0);
  }
};
static_assert(Visitable<Names> && !Visitable<std::string>);
}  // namespace

TEST_CASE("a concept asks for a callback of any kind", "[core]") {
  Names{}.for_each(AnyCallback{});
  AnyCallback{}();
  AnyCallback{}(std::string("taken"), 2);
  SUCCEED();
}
