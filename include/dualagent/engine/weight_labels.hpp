#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_wire.hpp"

namespace dualagent {

/// Whether new weights were proved.
enum class Refit : std::uint8_t { proved, failed };

/// What the labels of a reply say about it.
enum class LabelStanding : std::uint8_t {
  good,         ///< each token's version is known
  unproved,     ///< tokens come from weights whose proof is under way
  foreign,      ///< tokens come from weights that nobody published: the engine was restarted; where
                ///< another process publishes: from weights before those that are waited for
  stamped_late  ///< the first token was sampled under weights that the engine got only later
};

struct LabelReading {
  LabelStanding standing = LabelStanding::good;
  std::vector<WeightVersion> versions = {};  ///< [tokens] where the standing is good
  std::string failure = {};                  ///< why it is not, for people
};

/// The weights that an engine had, one after another, and what it calls them.
///
/// A request is sent under the newest. Its first token comes from these, later ones from these or
/// from weights that came after them, in their order: a reply that says otherwise is not taken. An
/// engine that stamps a whole reply with the weights that it has when it writes it is found by its
/// first token, as is a request that waited in the engine until it had others; both are asked
/// again.
///
/// Where another process publishes, labels are versions in decimal digits, and all that is known is
/// from which version on replies are wanted (`follow`).
class WeightLabels {
 public:
  /// `served`: of the weights that the engine was started with, version 0.
  explicit WeightLabels(std::string served) { had_.push_back({std::move(served), 0}); }
  /// Of an engine to which another process publishes.
  static WeightLabels followed() {
    WeightLabels labels("0");
    labels.follows_ = true;
    return labels;
  }

  /// Requests from now on are sampled from this version or later ones; one that was passed already
  /// changes nothing.
  void follow(WeightVersion version) {
    if (version > had_.back().version) had_.push_back({std::to_string(version), version});
  }

  std::size_t newest() const { return had_.size() - 1; }
  WeightVersion proved_version() const { return had_[newest() - (pending_ ? 1 : 0)].version; }

  void begin(const std::string& label, WeightVersion version) {
    had_.push_back({label, version});
    pending_ = true;
  }
  void end(Refit refit) {
    if (refit == Refit::failed) had_.pop_back();
    pending_ = false;
  }

  LabelReading read(std::span<const LabelSpan> spans, std::size_t sent_under) const {
    if (follows_) return read_versions(spans, had_[sent_under].version);
    LabelReading reading;
    std::size_t at = sent_under;
    for (const LabelSpan& span : spans) {
      const auto found = std::find_if(had_.begin() + static_cast<std::ptrdiff_t>(at), had_.end(),
                                      [&](const Had& one) { return one.label == span.label; });
      if (found == had_.end())
        return {LabelStanding::foreign,
                {},
                "a reply says that weights '" + printable(span.label) +
                    "' sampled it, which nobody published since '" + had_[sent_under].label + "'"};
      at = static_cast<std::size_t>(found - had_.begin());
      if (span.begin == 0 && at != sent_under)
        return {LabelStanding::stamped_late,
                {},
                "a reply to a request that was sent under weights '" + had_[sent_under].label +
                    "' says that weights '" + printable(span.label) +
                    "' sampled all of it: its version was stamped when it was written, or it "
                    "waited too long"};
      if (pending_ && at == newest()) reading.standing = LabelStanding::unproved;
      reading.versions.insert(reading.versions.end(), span.end - span.begin, found->version);
    }
    return reading;
  }

 private:
  struct Had {
    std::string label;
    WeightVersion version;
  };

  static LabelReading read_versions(std::span<const LabelSpan> spans, WeightVersion least) {
    LabelReading reading;
    for (const LabelSpan& span : spans) {
      const auto version = parse_number<WeightVersion>(span.label);
      if (!version || *version < least)
        return {LabelStanding::foreign,
                {},
                "a reply says that weights '" + printable(span.label) +
                    "' sampled it, not those of version " + std::to_string(least) + " or later"};
      least = *version;
      reading.versions.insert(reading.versions.end(), span.end - span.begin, *version);
    }
    return reading;
  }

  std::vector<Had> had_;
  bool pending_ = false;  // the newest are being proved
  bool follows_ = false;  // another process publishes
};

}  // namespace dualagent
