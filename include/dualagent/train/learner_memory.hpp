#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/train/checkpoint_format.hpp"

namespace dualagent {

/// Numbers of a learner's parameters in a checkpoint: of a model on several ranks, those of all.
template <class Model>
std::size_t stored_parameters(Model& model) {
  if constexpr (OnModelAxis<Model>)
    return model.slices().size();
  else
    return model.parameters().size();
}

/// Reads an array of as many numbers as parameters; of a model on several ranks, this rank's part.
/// Errors: Error for no such array, another type or another size.
template <class Model, class Scalar>
void load_array(Model& model, const StoredCheckpoint& checkpoint, const std::string& name,
                std::span<Scalar> mine) {
  if constexpr (OnModelAxis<Model>) {
    checkpoint.require_array<Scalar>(name, model.slices().size());
    for (const TensorSlices::Run& run : model.slices().runs())
      checkpoint.copy_part_to(name, run.whole, mine.subspan(run.mine, run.size));
  } else {
    checkpoint.copy_to(name, mine);
  }
}

/// An array of as many numbers as parameters, as it is stored. Of a model on several ranks that is
/// the whole on rank 0 of its axis and nothing elsewhere, gathered in `room`; all its ranks call
/// it. Nothing is gathered where `is_stored` is false, which they decide alike.
template <class Model, class Scalar>
std::span<const Scalar> stored_array(Model& model, std::span<const Scalar> mine,
                                     AlignedVector<Scalar>& room, bool is_stored) {
  if constexpr (OnModelAxis<Model>) {
    if (!is_stored) return {};
    room = model.slices().gather(model.model_axis(), mine);
    return room;
  } else {
    return mine;
  }
}

/// Replaces a learner's parameters by an array of a checkpoint, wherever they are; its caller calls
/// `weights_changed`. Errors: Error for no such array, another type or another size.
template <class Model>
void load_parameters(Model& model, const StoredCheckpoint& checkpoint, const std::string& name) {
  const auto parameters = model.parameters();
  using Scalar = typename decltype(parameters)::value_type;
  if constexpr (std::is_same_v<MachineOf<Model>, cpu::Loops>) {
    load_array(model, checkpoint, name, parameters);
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
