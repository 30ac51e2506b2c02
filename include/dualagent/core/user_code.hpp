#pragma once

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// What was thrown, for people: an Error's own text; else type and text, e.g.
/// "std::invalid_argument: stod", or the type alone where it is not a std::exception.
std::string describe_exception(const std::exception_ptr& thrown);

namespace detail {

/// Throws what is being handled again, as `call_user_code` says.
[[noreturn]] void rethrow_of_user(const char* name, const std::function<std::string()>& where);

}  // namespace detail

/// Calls code that a user wrote and returns its result. What it throws and is not an Error becomes
/// one that says whose code failed and where; an Error passes as it is.
///
/// `where()` returns the place, e.g. the task; it is asked for only after a failure.
/// Example: call_user_code("the reward", [&] { return "task '" + task.id + "'"; },
///                         [&] { return reward.score(task, rollout); });
template <class Where, class Call>
decltype(auto) call_user_code(const char* name, const Where& where, Call&& call) {
  try {
    return call();
  } catch (...) {
    detail::rethrow_of_user(name, where);
  }
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/user_code.inl"
#endif
