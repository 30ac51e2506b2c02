#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_wire.hpp"
#include "dualagent/trace/span.hpp"

namespace dualagent {

/// What the weights are called that a service has, and that those had which sampled what still
/// runs. Not thread-safe.
class WeightNames {
 public:
  WeightNames(WeightVersion version, std::string name)
      : names_{{version, std::move(name)}}, newest_(version) {}

  const std::string& newest() const { return names_.at(newest_); }
  WeightVersion newest_version() const { return newest_; }

  /// The weights have changed; their version may be lower than that before, e.g. where they come
  /// from a learner that counts for itself. Of versions before `oldest` no tokens will be asked
  /// about any more.
  void add(WeightVersion version, std::string name, WeightVersion oldest) {
    std::erase_if(names_, [&](const auto& known) { return known.first < oldest; });
    names_[version] = std::move(name);
    newest_ = version;
  }

  /// Who sampled which tokens. A version that nobody named has its number for a name.
  std::vector<LabelSpan> spans(std::span<const WeightVersion> versions) const {
    std::vector<LabelSpan> labels;
    std::size_t at = 0;
    for (const VersionRun& run : version_runs(versions)) {
      const auto known = names_.find(run.version);
      labels.push_back({known == names_.end() ? std::to_string(run.version) : known->second, at,
                        at + run.tokens});
      at += run.tokens;
    }
    return labels;
  }

 private:
  std::map<WeightVersion, std::string> names_;
  WeightVersion newest_;
};

}  // namespace dualagent
