#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/cuda/log_prob.cuh"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/policy_loss.cuh"
#include "dualagent/model/backend.hpp"

/// The library's loops, which say what the largest copy was that they made: in numbers.
struct CountingLoops : dualagent::gpu::Loops {
  std::size_t largest_copy = 0;

  template <class T, class Room>
  auto upload(std::span<const T> values, Room&& room) {
    largest_copy = std::max(largest_copy, values.size());
    return dualagent::gpu::Loops::upload(values, room);
  }
  template <class Values, class T>
  void download(const Values& values, std::span<T> to) {
    largest_copy = std::max(largest_copy, to.size());
    dualagent::gpu::Loops::download(values, to);
  }
};

/// BigramModel's table of logits as a learner on a device, in float: it only learns. Every kernel
/// is the library's, but for those that gather and scatter rows of the table.
class DeviceBigram {
 public:
  template <class Weights>
  DeviceBigram(std::size_t vocab_size, const Weights& weights)
      : vocab_(vocab_size),
        tensors_{{"logits", {vocab_size, vocab_size}, 0, vocab_size * vocab_size}} {
    const std::vector<float> rounded(weights.begin(), weights.end());
    loops_.upload(std::span<const float>(rounded), table_);
    d_table_.resize(rounded.size());
  }

  CountingLoops& loops() { return loops_; }

  template <class Objective>
  void backward(const dualagent::BatchColumns& columns, const Objective& objective,
                const dualagent::OutputColumns& outputs) {
    const auto logits = gather(columns);
    dualagent::gpu::policy_loss_on_logits(logits, rows(columns),
                                          dualagent::loops::ColumnLoss{objective, columns.loss},
                                          outputs, faults_);
    loops_.for_each(table_.size(), AddRows{vocab_, columns.tokens, columns.token, logits_.data(),
                                           d_table_.data()});
  }
  void score(const dualagent::BatchColumns& columns, const dualagent::OutputColumns& outputs) {
    const auto logits = gather(columns);
    dualagent::gpu::log_prob<float>({logits.data, logits.rows, logits.columns, logits.stride},
                                    rows(columns), outputs, faults_);
  }

  dualagent::gpu::DeviceSpan<float> parameters() { return table_.span(); }
  dualagent::gpu::DeviceSpan<float> gradients() { return d_table_.span(); }
  std::span<const dualagent::TensorInfo> tensors() const { return tensors_; }
  void zero_gradients() { loops_.for_each(d_table_.size(), SetZero{d_table_.data()}); }
  void weights_changed() { ++version_; }
  void weights_changed(dualagent::WeightVersion version) { version_ = version; }
  dualagent::WeightVersion weight_version() const { return version_; }
  std::size_t vocab_size() const { return vocab_; }

  // Public, since nvcc compiles kernels of accessible types alone.

  struct SetZero {
    float* values;
    __device__ void operator()(std::size_t i) const { values[i] = 0; }
  };
  /// What predicts token t is the row of the token before it; the first token of all has none.
  struct GatherRow {
    std::size_t vocab;
    dualagent::BatchColumns columns;
    const float* table;
    float* logits;
    float* temperature;
    __device__ void operator()(std::size_t i) const {
      const std::size_t t = i / vocab, v = i % vocab;
      const std::size_t row = t == 0 ? 0 : static_cast<std::size_t>(columns.token[t - 1]);
      logits[i] = table[row * vocab + v];
      if (v == 0) temperature[t] = columns.temperature_of(t);
    }
  };
  /// Adds the gradients of all logits that came from one element of the table.
  struct AddRows {
    std::size_t vocab, tokens;
    const dualagent::Token* token;
    const float* d_logits;
    float* d_table;
    __device__ void operator()(std::size_t i) const {
      for (std::size_t t = 1; t < tokens; ++t)
        if (static_cast<std::size_t>(token[t - 1]) == i / vocab)
          d_table[i] += d_logits[t * vocab + i % vocab];
    }
  };

 private:
  dualagent::gpu::Matrix<float> gather(const dualagent::BatchColumns& columns) {
    logits_.resize(columns.tokens * vocab_);
    temperature_.resize(columns.tokens);
    loops_.for_each(logits_.size(),
                    GatherRow{vocab_, columns, table_.data(), logits_.data(), temperature_.data()});
    return dualagent::gpu::dense(logits_.data(), columns.tokens, vocab_);
  }
  dualagent::gpu::PolicyRows rows(const dualagent::BatchColumns& columns) const {
    return {columns.token, columns.loss_weight, temperature_.data()};
  }

  std::size_t vocab_;
  std::vector<dualagent::TensorInfo> tensors_;
  CountingLoops loops_;
  dualagent::gpu::RowFaults faults_;
  dualagent::gpu::Buffer<float> table_, d_table_;       // [vocab, vocab]
  dualagent::gpu::Buffer<float> logits_, temperature_;  // [T, vocab], [T]
  dualagent::WeightVersion version_ = 0;
};
static_assert(dualagent::Learner<DeviceBigram>);
static_assert(std::is_same_v<dualagent::MachineOf<DeviceBigram>, CountingLoops>);
