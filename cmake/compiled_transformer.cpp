// The CPU transformer of float; see cmake/compiled.cmake.
#define DUALAGENT_INSTANCE template
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"

namespace dualagent {

template Transformer<float> load_model<float>(const std::filesystem::path&, TransformerOptions);
template void save_model<Transformer<float>>(const std::filesystem::path&, Transformer<float>&,
                                             const SaveOptions&);

namespace detail {

template <>
void march_is_that_of_dualagent_compiled<kernels::kVectorBytes, kernels::kFusedMultiplyAdd>() {}

}  // namespace detail
}  // namespace dualagent
