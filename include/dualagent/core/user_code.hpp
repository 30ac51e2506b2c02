#pragma once

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <typeinfo>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// What was thrown, for people: an Error's own text; else type and text, e.g.
/// "std::invalid_argument: stod", or the type alone where it is not a std::exception.
inline std::string describe_exception(const std::exception_ptr& thrown) {
  const auto readable = [](const std::type_info* type) {
    if (type == nullptr) return std::string("an exception of unknown type");
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
    return std::string(status == 0 ? name.get() : type->name());
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    return readable(&typeid(error)) + ": " + error.what();
  } catch (...) {
    return "an exception of type " + readable(abi::__cxa_current_exception_type());
  }
}

namespace detail {

/// Throws what is being handled again, as `call_user_code` says.
[[noreturn]] inline void rethrow_of_user(const char* name,
                                         const std::function<std::string()>& where) {
  const std::exception_ptr thrown = std::current_exception();
  try {
    std::rethrow_exception(thrown);
  } catch (const Error&) {
    throw;
  } catch (...) {
    throw Error(std::string(name) + " threw " + describe_exception(thrown), where(),
                "Catch it there, or throw dualagent::Error with a place and a remedy");
  }
}

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
