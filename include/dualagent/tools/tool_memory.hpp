#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <typeindex>
#include <typeinfo>
#include <utility>

namespace dualagent {

/// What tools keep between the calls of one episode; freed when the episode ends.
///
/// Tools themselves are shared by all episodes and constant. Safe from several threads; what is
/// handed out is used by the calls of one episode only, which run one after the other.
/// Example, in a tool's call: `int& count = info.memory->of<int>(this);`
class ToolMemory {
 public:
  /// The T that `owner` keeps in this episode, value-initialised on first use.
  template <class T>
  T& of(const void* owner) {
    const std::lock_guard lock(mutex_);
    ++uses_;
    std::shared_ptr<void>& kept = kept_[{owner, typeid(T)}];
    if (kept == nullptr) kept = std::make_shared<T>();
    return *static_cast<T*>(kept.get());
  }

  /// How often tools have asked for what they keep.
  std::size_t uses() const {
    const std::lock_guard lock(mutex_);
    return uses_;
  }

 private:
  mutable std::mutex mutex_;
  std::size_t uses_ = 0;
  std::map<std::pair<const void*, std::type_index>, std::shared_ptr<void>> kept_;
};

}  // namespace dualagent
