/// What the CPU transformer of `float` consists of, see core/compiled.hpp: `extern template` in a
/// program that links dualagent::compiled, whose source has DUALAGENT_INSTANCE say `template`.

namespace dualagent::detail {

/// Defined for the vectors that the library was compiled for, and no others: a program with another
/// -march, which would lay out and round differently, does not link.
template <std::size_t vector_bytes, bool fused>
void march_is_that_of_dualagent_compiled();

#ifndef DUALAGENT_INSTANCE
#define DUALAGENT_INSTANCE extern template
[[gnu::used]] static void (*const kMarchIsThatOfDualagentCompiled)() =
    &march_is_that_of_dualagent_compiled<kernels::kVectorBytes, kernels::kFusedMultiplyAdd>;
#endif

}  // namespace dualagent::detail

namespace dualagent {
namespace cpu {

DUALAGENT_INSTANCE std::size_t sample<float>(std::size_t, const float*, std::uint64_t);
DUALAGENT_INSTANCE std::uint64_t leave_out<float>(std::size_t, float*, std::size_t, float, float);
DUALAGENT_INSTANCE LogitsRow<float> log_softmax_row<float>(std::size_t, float, float*, float*);
DUALAGENT_INSTANCE void logit_gradient_row<float>(std::size_t, const LogitsRow<float>&, std::size_t,
                                                  float, float, float*, const float*);

}  // namespace cpu

namespace detail {

using FloatMatrix = Matrix<float>;
using ConstFloatMatrix = Matrix<const float>;

// Products.
DUALAGENT_INSTANCE void multiply<float, float>(Store, const LeftOperand<float>&,
                                               const cpu::RightOperand<float>&, std::size_t, bool,
                                               FloatMatrix);
DUALAGENT_INSTANCE void multiply<float, Bfloat16Pair>(Store, const LeftOperand<float>&,
                                                      const cpu::RightOperand<Bfloat16Pair>&,
                                                      std::size_t, bool, FloatMatrix);
DUALAGENT_INSTANCE void multiply_copied<float>(Store, const LeftOperand<float>&, ConstFloatMatrix,
                                               FloatMatrix);
DUALAGENT_INSTANCE void multiply_heads<float>(Store, ConstFloatMatrix,
                                              const cpu::RightOperand<float>&, std::size_t,
                                              FloatMatrix);
DUALAGENT_INSTANCE void gemm_few_rows<float>(Store, ConstFloatMatrix, ConstFloatMatrix, FloatMatrix,
                                             AlignedVector<float>&);

// Attention.
DUALAGENT_INSTANCE void attend_sequence<float>(const HeadLayout&, ConstFloatMatrix,
                                               AttentionScratch<float>&, FloatMatrix);
DUALAGENT_INSTANCE void attend_sequence_backward<float>(const HeadLayout&, ConstFloatMatrix,
                                                        ConstFloatMatrix, AttentionScratch<float>&,
                                                        FloatMatrix);

// The model.
DUALAGENT_INSTANCE struct RotaryTable<float>;
DUALAGENT_INSTANCE struct QueriesAndKeys<float>;
DUALAGENT_INSTANCE class LowRankProduct<float>;
DUALAGENT_INSTANCE class KeyValueCache<float>;
DUALAGENT_INSTANCE class CachedSequence<float>;
DUALAGENT_INSTANCE class SequenceCache<float>;
DUALAGENT_INSTANCE class HeadChunk<float>;
DUALAGENT_INSTANCE struct TransformerCore<float>;
// Not the classes, whose members for split models have no instance for a whole one.
DUALAGENT_INSTANCE void Decoder<float>::submit(const GenerationRequest&, const Adapter<float>*);
DUALAGENT_INSTANCE void Decoder<float>::reset(const Adapter<float>*);
DUALAGENT_INSTANCE void Decoder<float>::check(const GenerationRequest&,
                                              const Adapter<float>*) const;
DUALAGENT_INSTANCE std::vector<Decoder<float>::Running> Decoder<float>::step_once(
    ThreadPool&, WeightVersion, const Adapter<float>*, std::size_t&);
DUALAGENT_INSTANCE void HeadBlock<float>::forward(const BatchColumns&, std::span<const std::size_t>,
                                                  ConstFloatMatrix, const Linear<float>&,
                                                  const float*);
DUALAGENT_INSTANCE TokenPrediction HeadBlock<float>::prediction(std::size_t);
DUALAGENT_INSTANCE void HeadBlock<float>::backward(ConstFloatMatrix, const Linear<float>&,
                                                   const float*, FloatMatrix, FloatMatrix);

}  // namespace detail

DUALAGENT_INSTANCE Panels<float> copy_to_panels<float>(Matrix<const float>, float*);
DUALAGENT_INSTANCE Panels<float> transpose_to_panels<float>(Matrix<const float>, float*);
DUALAGENT_INSTANCE class Linear<float>;
DUALAGENT_INSTANCE class TransformerWeights<float>;
DUALAGENT_INSTANCE class Transformer<float>;

}  // namespace dualagent
