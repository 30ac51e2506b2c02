#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/cpu/loops.inl"
#include "support/bigram_model.hpp"

/// A machine with memory of its own, which happens to be the host's. It counts copies.
struct OtherMachine : dualagent::cpu::Loops {
  std::size_t copies = 0;
  std::size_t largest = 0;  // numbers in the largest copy

  template <class T>
  T* upload(std::span<const T> values, Array<T>& room) {
    room.resize(values.size());
    upload(values, std::span<T>(room));
    return room.data();
  }
  template <class T>
  void upload(std::span<const T> values, std::span<T> to) {
    copy(values, to);
  }
  template <class T>
  void download(const Array<T>& values, std::span<T> to) {
    copy(std::span<const T>(values), to);
  }
  template <class T>
  void download(std::span<T> values, std::span<T> to) {
    copy(std::span<const T>(values), to);
  }

 private:
  template <class T>
  void copy(std::span<const T> from, std::span<T> to) {
    ++copies;
    largest = std::max(largest, from.size());
    std::copy(from.begin(), from.end(), to.begin());
  }
};

/// Computes on the other machine, and notes where its columns lie.
struct Elsewhere : BigramModel {
  using BigramModel::BigramModel;
  OtherMachine machine;
  const dualagent::Token* seen = nullptr;
  OtherMachine& loops() { return machine; }

  template <class Objective>
  void backward(const dualagent::BatchColumns& columns, const Objective& objective,
                const dualagent::OutputColumns& outputs) {
    seen = columns.token;
    BigramModel::backward(columns, objective, outputs);
  }
};
static_assert(std::is_same_v<dualagent::MachineOf<BigramModel>, dualagent::cpu::Loops>);
static_assert(std::is_same_v<dualagent::MachineOf<Elsewhere>, OtherMachine>);
