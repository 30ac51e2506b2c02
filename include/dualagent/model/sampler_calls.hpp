#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/io/archive.hpp"
#include "dualagent/model/backend.hpp"

namespace dualagent {

/// Calls of a sampler, as bytes that repeat them on another rank. Of a request goes what a rank
/// needs that does not draw: its context, the temperature and bounds of the draws, and the most
/// tokens.
class SamplerCalls {
 public:
  void submit(const GenerationRequest& request) {
    begin(Kind::submit);
    bytes_.number(request.sequence);
    bytes_.number(request.sampling.temperature);
    bytes_.count(request.sampling.top_k);
    bytes_.number(request.sampling.top_p);
    bytes_.number(request.sampling.min_p);
    bytes_.count(request.stop->max_new_tokens);
    bytes_.count(request.context.size());
    bytes_.numbers(request.context);
  }
  void advance() { begin(Kind::advance); }
  void release(SequenceId sequence) {
    begin(Kind::release);
    bytes_.number(sequence);
  }
  void reset() { begin(Kind::reset); }

  /// The calls since the last time.
  std::vector<std::byte> take() { return std::exchange(bytes_, {}).take(); }

 private:
  friend class RepeatedCalls;
  enum class Kind : std::uint8_t { submit, advance, release, reset };

  void begin(Kind kind) { bytes_.number(static_cast<std::uint8_t>(kind)); }

  ArchiveWriter bytes_;
};

/// Repeats calls on a sampler and drops what it samples.
class RepeatedCalls {
 public:
  /// Errors: Error for bytes that are not those of calls; what the sampler throws.
  template <class Sampler>
  void repeat(std::span<const std::byte> calls, Sampler& sampler) {
    using Kind = SamplerCalls::Kind;
    ArchiveReader in(calls, "calls of a sampler");
    while (!in.at_end()) {
      switch (static_cast<Kind>(in.number<std::uint8_t>("a call"))) {
        case Kind::submit:
          submit(in, sampler);
          break;
        case Kind::advance:
          sampler.advance([&](Generation&& done) { running_.erase(done.sequence); });
          break;
        case Kind::release:
          sampler.release(in.number<SequenceId>("a sequence"));
          break;
        case Kind::reset:
          sampler.reset();
          running_.clear();
          break;
        default:
          in.fail("there is no such call");
      }
    }
  }

 private:
  struct Running {
    std::vector<Token> context;
    StopRule stop;
  };

  template <class Sampler>
  void submit(ArchiveReader& in, Sampler& sampler) {
    GenerationRequest request;
    request.sequence = in.number<SequenceId>("a sequence");
    request.sampling.temperature = in.number<float>("a temperature");
    request.sampling.top_k = in.number<std::uint64_t>("top_k");
    request.sampling.top_p = in.number<float>("top_p");
    request.sampling.min_p = in.number<float>("min_p");
    Running& running = running_[request.sequence];
    running.stop.max_new_tokens = in.number<std::uint64_t>("max_new_tokens");
    running.context = in.numbers<Token>(in.count("a context", sizeof(Token)), "a context");
    request.context = running.context;
    request.stop = &running.stop;
    sampler.submit(request);
  }

  std::map<SequenceId, Running> running_;  // what the sampler refers to
};

}  // namespace dualagent
