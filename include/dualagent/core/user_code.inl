#pragma once

/// Definitions of user_code.hpp; see core/compiled.hpp.

#include "dualagent/core/user_code.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string describe_exception(const std::exception_ptr& thrown) {
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

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE void rethrow_of_user(const char* name, const std::function<std::string()>& where) {
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

}  // namespace dualagent::detail
