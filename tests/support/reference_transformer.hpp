#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "dualagent/core/types.hpp"
#include "dualagent/model/eigen_view.hpp"
#include "dualagent/model/transformer_config.hpp"

/// Attention as its formula says: out[t] = sum_{u <= t} softmax_u(q_t k_u / sqrt(dim)) v_u for
/// every head. q [tokens, heads * dim]; k and v [tokens, key-value heads * dim], which query heads
/// share.
inline Eigen::MatrixXd reference_attention(const Eigen::MatrixXd& q, const Eigen::MatrixXd& k,
                                           const Eigen::MatrixXd& v, Eigen::Index dim) {
  Eigen::MatrixXd out(q.rows(), q.cols());
  for (Eigen::Index head = 0; head < q.cols() / dim; ++head) {
    const Eigen::Index shared = head * k.cols() / q.cols();
    const Eigen::MatrixXd scores = q.middleCols(head * dim, dim) *
                                   k.middleCols(shared * dim, dim).transpose() /
                                   std::sqrt(static_cast<double>(dim));
    Eigen::MatrixXd p = scores.array().exp();
    p.triangularView<Eigen::StrictlyUpper>().setZero();  // nothing of the future
    const Eigen::VectorXd sums = p.rowwise().sum();
    out.middleCols(head * dim, dim) =
        sums.cwiseInverse().asDiagonal() * p * v.middleCols(shared * dim, dim);
  }
  return out;
}

/// The slow obvious forward pass of Llama, Qwen2 (qkv_bias) and Qwen3 (qk_norm), in double: the
/// oracle of the fast one. One sequence at a time, as matrices of one row per token; all of the
/// attention at once. Weights are looked up by their Hugging Face names, [out, in].
template <class Model>
class ReferenceTransformer {
 public:
  using Matrix = Eigen::MatrixXd;

  ReferenceTransformer(const dualagent::TransformerConfig& config, Model& model)
      : config_(config), model_(model) {}

  /// Of what follows every position, [tokens, vocab].
  Matrix log_probs(std::span<const dualagent::Token> tokens, double temperature = 1.0) const {
    const std::string head =
        config_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    const Matrix logits = last_hidden(tokens) * weight(head).transpose() / temperature;
    const Eigen::VectorXd sums = logits.array().exp().rowwise().sum();
    return logits.colwise() - sums.array().log().matrix();
  }

  /// What the critic says after every position, [tokens].
  Eigen::VectorXd values(std::span<const dualagent::Token> tokens) const {
    return last_hidden(tokens) * weight("value_head.weight").transpose();
  }

 private:
  Matrix weight(const std::string& name) const {
    return dualagent::eigen(model_, name).template cast<double>();
  }

  /// Hidden states after the final norm, [tokens, hidden].
  Matrix last_hidden(std::span<const dualagent::Token> tokens) const {
    const Matrix embedding = weight("model.embed_tokens.weight");
    Matrix x(tokens.size(), embedding.cols());
    for (std::size_t t = 0; t < tokens.size(); ++t) x.row(index(t)) = embedding.row(tokens[t]);
    for (std::size_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      x += attention(prefix + "self_attn.", norm(prefix + "input_layernorm.weight", x));
      x += feed_forward(prefix + "mlp.", norm(prefix + "post_attention_layernorm.weight", x));
    }
    return norm("model.norm.weight", x);
  }

  static Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

  Matrix norm(const std::string& name, const Matrix& x) const {
    const Eigen::VectorXd squares = x.array().square().rowwise().mean();
    const Eigen::VectorXd scale = (squares.array() + config_.rms_norm_eps).rsqrt();
    return scale.asDiagonal() * x * weight(name).col(0).asDiagonal();
  }

  /// Queries, keys or values: the product, and its bias where the model has one.
  Matrix projected(const std::string& name, const Matrix& x) const {
    Matrix y = x * weight(name + "_proj.weight").transpose();
    if (config_.qkv_bias) y.rowwise() += weight(name + "_proj.bias").col(0).transpose();
    return y;
  }

  /// Queries or keys: every head normed where the model says so, and turned.
  Matrix turned(const std::string& name, Matrix x) const {
    const Eigen::Index dim = index(config_.head_dim);
    for (Eigen::Index begin = 0; begin < x.cols(); begin += dim) {
      Matrix head = x.middleCols(begin, dim);
      if (config_.qk_norm) head = norm(name + "_norm.weight", head);
      x.middleCols(begin, dim) = rotated(head);
    }
    return x;
  }

  /// Pairs (i, i + half) turn by position * theta^(-2 i / dim), as in Hugging Face's Llama.
  Matrix rotated(const Matrix& x) const {
    const Eigen::Index half = x.cols() / 2;
    Matrix turned(x.rows(), x.cols());
    for (Eigen::Index t = 0; t < x.rows(); ++t)
      for (Eigen::Index i = 0; i < half; ++i) {
        const double power = -2.0 * static_cast<double>(i) / static_cast<double>(x.cols());
        const double angle = static_cast<double>(t) * std::pow(config_.rope_theta, power);
        turned(t, i) = x(t, i) * std::cos(angle) - x(t, half + i) * std::sin(angle);
        turned(t, half + i) = x(t, half + i) * std::cos(angle) + x(t, i) * std::sin(angle);
      }
    return turned;
  }

  Matrix attention(const std::string& prefix, const Matrix& x) const {
    const Matrix mixed = reference_attention(turned(prefix + "q", projected(prefix + "q", x)),
                                             turned(prefix + "k", projected(prefix + "k", x)),
                                             projected(prefix + "v", x), index(config_.head_dim));
    return mixed * weight(prefix + "o_proj.weight").transpose();
  }

  Matrix feed_forward(const std::string& prefix, const Matrix& x) const {
    const Matrix gate = x * weight(prefix + "gate_proj.weight").transpose();
    const Matrix up = x * weight(prefix + "up_proj.weight").transpose();
    const Matrix silu = gate.array() / (1.0 + (-gate.array()).exp());
    return silu.cwiseProduct(up) * weight(prefix + "down_proj.weight").transpose();
  }

  dualagent::TransformerConfig config_;
  Model& model_;
};
