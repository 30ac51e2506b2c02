#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/cpu/loops.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/train/checkpoint_format.hpp"

namespace dualagent {

/// Replaces a learner's parameters by an array of a checkpoint, wherever they are; its caller calls
/// `weights_changed`. Errors: Error for no such array, another type or another size.
template <class Model>
void load_parameters(Model& model, const StoredCheckpoint& checkpoint, const std::string& name) {
  const auto parameters = model.parameters();
  using Scalar = typename decltype(parameters)::value_type;
  if constexpr (std::is_same_v<MachineOf<Model>, cpu::Loops>) {
    checkpoint.copy_to(name, parameters);
  } else {
    checkpoint.require_array<Scalar>(name, parameters.size());
    const std::vector<Scalar> values = checkpoint.values<Scalar>(name);
    model.loops().upload(std::span<const Scalar>(values), parameters);
  }
}

/// Gives a learner a batch of the host as columns in its memory, and brings its outputs back: of a
/// learner on the host they are views of the batch itself, of one elsewhere copies.
///
/// Memory: what one batch and its outputs take on the learner's machine, kept for the next one.
template <class Model>
class LearnerMemory {
 public:
  /// `model.backward` of a batch of the host; `ready` is passed on. `outputs` has T entries, 0.
  template <class Objective, class... Ready>
  void backward(Model& model, const PackedBatch& batch, const Objective& objective,
                TokenOutputs& outputs, const Ready&... ready) {
    visit(model, batch, outputs, [&](const BatchColumns& columns, const OutputColumns& found) {
      model.backward(columns, objective, found, ready...);
    });
  }
  /// `model.score` of a batch of the host. `outputs` has T entries, 0.
  void score(Model& model, const PackedBatch& batch, TokenOutputs& outputs) {
    visit(model, batch, outputs, [&](const BatchColumns& columns, const OutputColumns& found) {
      model.score(columns, found);
    });
  }

  /// Where the learner's weights are updated.
  decltype(auto) machine(Model& model) {
    if constexpr (std::is_same_v<Machine, cpu::Loops>)
      return (host_);
    else
      return (model.loops());
  }

 private:
  using Machine = MachineOf<Model>;
  template <class T>
  using Array = typename Machine::template Array<T>;

  template <class Visitor>
  void visit(Model& model, const PackedBatch& batch, TokenOutputs& outputs, Visitor&& visitor) {
    if constexpr (std::is_same_v<Machine, cpu::Loops>) {
      visitor(batch, outputs);
    } else {
      Machine& machine = model.loops();
      const BatchColumns columns = upload(machine, batch);
      const std::array<std::vector<double>*, 5> of_host = {
          &outputs.log_prob, &outputs.entropy, &outputs.value, &outputs.loss, &outputs.d_log_prob};
      std::array<double*, 5> found{};
      for (std::size_t i = 0; i < found.size(); ++i)
        found[i] = machine.upload(std::span<const double>(*of_host[i]), outputs_[i]);
      visitor(columns, {found[0], found[1], found[2], found[3], found[4]});
      for (std::size_t i = 0; i < found.size(); ++i)
        machine.download(outputs_[i], std::span<double>(*of_host[i]));
    }
  }

  BatchColumns upload(Machine& machine, const PackedBatch& batch) {
    BatchColumns columns = batch;
    const auto put = [&](auto& column, const auto& values, auto& room) {
      column = machine.upload(std::span(values), room);
    };
    put(columns.token, batch.tokens, token_);
    put(columns.row_begin, batch.row_begin, row_begin_);
    put(columns.loss_weight, batch.loss_weight, numbers_[0]);
    put(columns.agent, batch.agent, agent_);
    put(columns.sampler_log_prob, batch.sampler_log_prob, numbers_[1]);
    put(columns.weight_version, batch.weight_version, weight_version_);
    put(columns.rollout, batch.rollout, rollout_);
    put(columns.loss.old_log_prob, batch.old_log_prob, numbers_[2]);
    put(columns.loss.reference_log_prob, batch.reference_log_prob, numbers_[3]);
    put(columns.loss.advantage, batch.advantage, numbers_[4]);
    put(columns.loss.sequence_log_ratio, batch.sequence_log_ratio, sequence_log_ratio_);
    put(columns.loss.old_value, batch.old_value, numbers_[5]);
    put(columns.loss.value_target, batch.value_target, numbers_[6]);
    put(columns.loss.importance_weight, batch.importance_weight, importance_weight_);
    return columns;
  }

  cpu::Loops host_;
  // Empty for a learner on the host.
  Array<Token> token_;
  Array<std::size_t> row_begin_;
  Array<AgentRole> agent_;
  Array<WeightVersion> weight_version_;
  Array<std::uint32_t> rollout_;
  std::array<Array<float>, 7> numbers_;
  Array<double> sequence_log_ratio_, importance_weight_;
  std::array<Array<double>, 5> outputs_;
};

}  // namespace dualagent
