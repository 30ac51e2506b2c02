// GRPO's clipped loss, forward and backward, float: on logits, or from hidden states through the
// head; prints milliseconds, the peak of memory above inputs and gradients, and what
// torch_policy_loss.py must find too.
// Options: --width D (0: on logits), --rows T, --vocab V, --threads N, --repeats N.

#include <ctime>
#include <fstream>
#include <sstream>

#include "bench.hpp"
#include "dualagent/model/policy_head.hpp"
#include "dualagent/objective/token_loss.hpp"

namespace da = dualagent;

namespace {

/// Number i of a stream, uniform in [-0.5, 0.5), exact in float; torch_policy_loss.py makes the
/// same. Source of the mixing: Steele et al., "Fast splittable pseudorandom number generators",
/// 2014.
float uniform(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = (stream << 40U) + i;
  z *= 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return static_cast<float>((z ^ (z >> 31U)) >> 40U) * 0x1p-24F - 0.5F;
}

struct Shape {
  std::size_t rows, vocab, width;
};

struct Problem {
  std::vector<da::Token> target;
  std::vector<float> loss_weight, old_log_prob, advantage;

  explicit Problem(const Shape& shape) {
    for (std::size_t t = 0; t < shape.rows; ++t) {
      target.push_back(static_cast<da::Token>(t * 7919 % shape.vocab));
      loss_weight.push_back(1.0F / static_cast<float>(shape.rows));
      old_log_prob.push_back(-10.5F + 2.0F * uniform(3, t));
      advantage.push_back(0.5F + 2.0F * uniform(4, t));
    }
  }
  da::PolicyRows rows() const { return {target, loss_weight, {}}; }

  /// The library's GRPO loss, as a user composes it.
  da::TokenLossGradient operator()(std::size_t t, const da::TokenPrediction& now) const {
    return da::kernels::differentiate(da::ClipLoss{}, da::TokenTerms<double>{
                                                          .log_prob = now.log_prob,
                                                          .old_log_prob = old_log_prob[t],
                                                          .advantage = advantage[t],
                                                      });
  }
};

double status_mib(const char* name) {  // VmRSS or VmHWM
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return std::stod(line.substr(line.find(':') + 1)) / 1024;
  return 0;
}

/// Seconds that the machine's processors were busy, and those of them that were this program's.
struct Busy {
  double machine = 0, own = 0;
  static Busy now() {
    Busy busy;
    std::ifstream stat("/proc/stat");
    std::string name;
    double user, nice, system, idle, wait, irq, soft, stolen;
    stat >> name >> user >> nice >> system >> idle >> wait >> irq >> soft >> stolen;
    busy.machine = (user + nice + system + irq + soft + stolen) / 100;
    busy.own = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return busy;
  }
};

/// Times `body` after `prepare`, which is not timed.
struct Measured {
  double seconds = 0;  // median
  double extra_mib = 0;
  double foreign = 0;  // cores that others kept busy, on average

  Measured(std::size_t repeats, const std::function<void()>& prepare,
           const std::function<void()>& body) {
    std::vector<double> all;
    double wall = 0, others = 0;
    for (std::size_t i = 0; i < repeats + 1; ++i) {  // the first one warms up
      prepare();
      std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
      const double before = status_mib("VmRSS");
      const Busy busy = Busy::now();
      const auto begin = std::chrono::steady_clock::now();
      body();
      const double took =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const Busy after = Busy::now();
      extra_mib = std::max(extra_mib, status_mib("VmHWM") - before);
      if (i == 0) continue;
      all.push_back(took);
      wall += took;
      others += after.machine - busy.machine - (after.own - busy.own);
    }
    std::sort(all.begin(), all.end());
    seconds = all[all.size() / 2];
    foreign = std::max(0.0, others / wall);
  }
};

double norm(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values)
    squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

double total(const Problem& problem, const da::TokenOutputs& outputs) {
  double sum = 0;
  for (std::size_t t = 0; t < outputs.loss.size(); ++t)
    sum += static_cast<double>(problem.loss_weight[t]) * outputs.loss[t];
  return sum;
}

void print(const std::string& benchmark, std::size_t threads, const Measured& measured,
           double loss = 0, double gradient = 0) {
  std::printf(
      "{\"benchmark\": \"%s\", \"side\": \"ours\", \"threads\": %zu, \"value\": %.2f, "
      "\"unit\": \"ms\", \"extra_mib\": %.2f, \"foreign\": %.2f, \"loss\": %.9g, "
      "\"gradient\": %.9g}\n",
      benchmark.c_str(), threads, measured.seconds * 1e3, measured.extra_mib, measured.foreign,
      loss, gradient);
}

void on_logits(const Shape& shape, da::ThreadPool& pool, std::size_t repeats) {
  const Problem problem(shape);
  std::vector<float> logits(shape.rows * shape.vocab);
  da::TokenOutputs outputs;
  outputs.resize(shape.rows);
  const auto fill = [&] {
    pool.for_each_dynamic(shape.rows, [&](std::size_t, std::size_t t) {
      for (std::size_t i = t * shape.vocab; i < (t + 1) * shape.vocab; ++i)
        logits[i] = 4.0F * uniform(0, i);
    });
  };
  const Measured measured(repeats, fill, [&] {
    da::policy_loss_on_logits(pool, da::dense(logits.data(), shape.rows, shape.vocab),
                              problem.rows(), problem, outputs);
  });
  print("on_logits", pool.size(), measured, total(problem, outputs), norm(logits));
}

void through_head(const Shape& shape, da::ThreadPool& pool, std::size_t repeats) {
  const Problem problem(shape);
  const std::size_t d = shape.width;
  std::vector<float> hidden(shape.rows * d), weights(shape.vocab * d);
  std::vector<float> d_hidden(hidden.size()), d_weights(weights.size());
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = 3.5F * uniform(1, i);
  const float scale = 3.5F / std::sqrt(static_cast<float>(d));
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = scale * uniform(2, i);
  da::TokenOutputs outputs;
  outputs.resize(shape.rows);
  const Measured measured(
      repeats, [&] { std::fill(d_weights.begin(), d_weights.end(), 0.0F); },
      [&] {
        da::policy_head_loss(pool, da::PolicyHead<float>{d, hidden, weights, d_hidden, d_weights},
                             problem.rows(), problem, outputs);
      });
  const std::string name = "head_" + std::to_string(d);
  print(name, pool.size(), measured, total(problem, outputs),
        std::hypot(norm(d_hidden), norm(d_weights)));

  // The limit: the same products with nothing in between.
  const da::detail::HeadWeights<float> head{da::dense<const float>(weights.data(), shape.vocab, d)};
  const std::size_t chunk_rows = da::PolicyHeadOptions{}.chunk_rows;
  da::detail::HeadChunk<float> chunk;
  const Measured products(
      repeats, [] {},
      [&] {
        for (std::size_t t = 0; t < shape.rows; t += chunk_rows) {
          const std::size_t rows = std::min(chunk_rows, shape.rows - t);
          const auto part = da::dense<const float>(hidden.data() + t * d, rows, d);
          chunk.forward(pool, part, head);
          chunk.backward(pool, part, head, da::dense(d_weights.data(), shape.vocab, d),
                         da::dense(d_hidden.data() + t * d, rows, d));
        }
      });
  print(name + "_products", pool.size(), products);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const Shape shape{options.number("--rows", 4096), options.number("--vocab", 32768),
                    options.number("--width", 0)};
  da::ThreadPool pool(options.number("--threads", 1));
  const std::size_t repeats = options.number("--repeats", 3);
  if (shape.width == 0)
    on_logits(shape, pool, repeats);
  else
    through_head(shape, pool, repeats);
}
