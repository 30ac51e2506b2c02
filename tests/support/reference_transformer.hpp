#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/model/backend.hpp"
#include "dualagent/model/transformer_config.hpp"

/// The slow obvious forward pass of Llama, Qwen2 (qkv_bias) and Qwen3 (qk_norm), in double and in
/// plain loops: the oracle of the fast one. One sequence at a time; weights are looked up by their
/// Hugging Face names, [out, in] row-major.
template <class Model>
class ReferenceTransformer {
 public:
  ReferenceTransformer(const dualagent::TransformerConfig& config, Model& model)
      : config_(config), model_(model) {}

  /// Logits of every position, [tokens, vocab].
  std::vector<std::vector<double>> logits(std::span<const dualagent::Token> tokens) const {
    const std::string head =
        config_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    std::vector<Vector> result;
    for (const Vector& position : last_hidden(tokens))
      result.push_back(product(head, position, config_.vocab_size));
    return result;
  }

  /// What the critic says after every position, [tokens].
  std::vector<double> values(std::span<const dualagent::Token> tokens) const {
    std::vector<double> result;
    for (const Vector& position : last_hidden(tokens))
      result.push_back(product("value_head.weight", position, 1)[0]);
    return result;
  }

 private:
  using Vector = std::vector<double>;

  /// Hidden states after the final norm, [tokens, hidden].
  std::vector<Vector> last_hidden(std::span<const dualagent::Token> tokens) const {
    std::vector<Vector> x;
    for (const dualagent::Token token : tokens)
      x.push_back(
          row("model.embed_tokens.weight", static_cast<std::size_t>(token), config_.hidden_size));
    for (std::size_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      attend(prefix, x);
      for (Vector& position : x) feed_forward(prefix, position);
    }
    for (Vector& position : x) position = norm("model.norm.weight", position);
    return x;
  }

  double weight(const std::string& name, std::size_t index) const {
    for (const dualagent::TensorInfo& tensor : model_.tensors())
      if (tensor.name == name)
        return static_cast<double>(model_.parameters()[tensor.offset + index]);
    throw std::runtime_error("no tensor " + name);
  }

  Vector row(const std::string& name, std::size_t index, std::size_t size) const {
    Vector result(size);
    for (std::size_t i = 0; i < size; ++i) result[i] = weight(name, index * size + i);
    return result;
  }

  Vector product(const std::string& name, const Vector& x, std::size_t out) const {
    Vector result(out, 0.0);
    for (std::size_t o = 0; o < out; ++o) {
      const Vector w = row(name, o, x.size());
      for (std::size_t i = 0; i < x.size(); ++i) result[o] += w[i] * x[i];
    }
    return result;
  }

  Vector norm(const std::string& name, const Vector& x) const {
    double squares = 0;
    for (const double value : x) squares += value * value;
    const double scale =
        1.0 / std::sqrt(squares / static_cast<double>(x.size()) + config_.rms_norm_eps);
    const Vector w = row(name, 0, x.size());
    Vector result(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) result[i] = x[i] * scale * w[i];
    return result;
  }

  /// Queries, keys or values: the product, and its bias where the model has one.
  Vector projected(const std::string& name, const Vector& x, std::size_t out) const {
    Vector result = product(name + "proj.weight", x, out);
    for (std::size_t o = 0; config_.qkv_bias && o < out; ++o)
      result[o] += weight(name + "proj.bias", o);
    return result;
  }

  void norm_heads(const std::string& name, Vector& x) const {
    const auto dim = static_cast<std::ptrdiff_t>(config_.head_dim);
    for (auto head = x.begin(); head != x.end(); head += dim) {
      const Vector normed = norm(name, Vector(head, head + dim));
      std::copy(normed.begin(), normed.end(), head);
    }
  }

  /// Rotates pairs (i, i + half) of every head, as Hugging Face's Llama does.
  void rotate(Vector& x, std::size_t position) const {
    const std::size_t half = config_.head_dim / 2;
    for (std::size_t head = 0; head * config_.head_dim < x.size(); ++head)
      for (std::size_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) *
            std::pow(static_cast<double>(config_.rope_theta),
                     -2.0 * static_cast<double>(i) / static_cast<double>(config_.head_dim));
        double& a = x[head * config_.head_dim + i];
        double& b = x[head * config_.head_dim + half + i];
        const double rotated = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = rotated;
      }
  }

  void attend(const std::string& prefix, std::vector<Vector>& x) const {
    const std::size_t dim = config_.head_dim;
    const std::size_t heads = config_.num_attention_heads;
    const std::size_t kv_heads = config_.num_key_value_heads;
    std::vector<Vector> q, k, v;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Vector h = norm(prefix + "input_layernorm.weight", x[t]);
      q.push_back(projected(prefix + "self_attn.q_", h, heads * dim));
      k.push_back(projected(prefix + "self_attn.k_", h, kv_heads * dim));
      v.push_back(projected(prefix + "self_attn.v_", h, kv_heads * dim));
      if (config_.qk_norm) {
        norm_heads(prefix + "self_attn.q_norm.weight", q[t]);
        norm_heads(prefix + "self_attn.k_norm.weight", k[t]);
      }
      rotate(q[t], t);
      rotate(k[t], t);
    }
    for (std::size_t t = 0; t < x.size(); ++t) {
      Vector mixed(heads * dim, 0.0);
      for (std::size_t head = 0; head < heads; ++head) {
        const std::size_t kv = head / (heads / kv_heads);
        Vector p(t + 1, 0.0);
        double sum = 0;
        for (std::size_t s = 0; s <= t; ++s) {
          for (std::size_t i = 0; i < dim; ++i) p[s] += q[t][head * dim + i] * k[s][kv * dim + i];
          sum += p[s] = std::exp(p[s] / std::sqrt(static_cast<double>(dim)));
        }
        for (std::size_t s = 0; s <= t; ++s)
          for (std::size_t i = 0; i < dim; ++i)
            mixed[head * dim + i] += p[s] / sum * v[s][kv * dim + i];
      }
      const Vector out = product(prefix + "self_attn.o_proj.weight", mixed, config_.hidden_size);
      for (std::size_t i = 0; i < out.size(); ++i) x[t][i] += out[i];
    }
  }

  void feed_forward(const std::string& prefix, Vector& x) const {
    const Vector h = norm(prefix + "post_attention_layernorm.weight", x);
    Vector gate = product(prefix + "mlp.gate_proj.weight", h, config_.intermediate_size);
    const Vector up = product(prefix + "mlp.up_proj.weight", h, config_.intermediate_size);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
    const Vector down = product(prefix + "mlp.down_proj.weight", gate, config_.hidden_size);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += down[i];
  }

  dualagent::TransformerConfig config_;
  Model& model_;
};
