#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/cuda/buffer.cuh"
#include "dualagent/cuda/matrix.cuh"

namespace dualagent::gpu {

/// Throws Error that names the cuBLAS call and its status.
inline void check(cublasStatus_t status, const std::string& call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(std::string("cuBLAS says: ") + cublasLtGetStatusString(status), call,
              "Check that the toolkit's cuBLAS and the driver fit together");
}

/// Whether an operand is taken as it is stored or transposed.
enum class Layout : std::uint8_t { plain, transposed };

/// Whether a product replaces what was there or is added to it.
enum class Store : std::uint8_t { replace, accumulate };

/// Matrix products by cuBLASLt with inputs of float or BFloat16 and sums in float: BFloat16 inputs
/// are multiplied exactly; float inputs are not rounded to TF32. Results are float or, of BFloat16
/// inputs, rounded to BFloat16.
///
/// Owns cuBLASLt's handle and workspace, and remembers the algorithm of every shape it has seen.
/// Movable, not copyable; for one stream at a time.
class Gemm {
 public:
  Gemm() {
    cublasLtHandle_t made{};
    check(cublasLtCreate(&made), "cublasLtCreate");
    handle_.reset(made);
  }

  /// c [m, n] = a b, or c += a b, with a [m, k] and b [k, n] after their layouts. Row-major;
  /// strides are free. Returns before it is done.
  template <class T, class Result>
  void operator()(const Matrix<const T>& a, Layout a_layout, const Matrix<const T>& b,
                  Layout b_layout, const Matrix<Result>& c, Store store,
                  cudaStream_t stream = nullptr) {
    static_assert(std::is_same_v<Result, float> || std::is_same_v<Result, T>,
                  "dualagent: a product's result is float or of its inputs' type");
    const std::size_t k = a_layout == Layout::plain ? a.columns : a.rows;
    const std::size_t m = a_layout == Layout::plain ? a.rows : a.columns;
    if (m != c.rows || (b_layout == Layout::plain ? b.columns : b.rows) != c.columns ||
        (b_layout == Layout::plain ? b.rows : b.columns) != k)
      throw Error("the shapes of a product do not fit together", "gpu::Gemm");
    if (c.rows == 0 || c.columns == 0) return;
    // cuBLAS is column-major: what is stored row-major is the transpose, and c^T = b^T a^T.
    const Stored left{b.columns, b.rows, b.stride, b_layout, alignment(b.data)};
    const Stored right{a.columns, a.rows, a.stride, a_layout, alignment(a.data)};
    const Stored result{c.columns, c.rows, c.stride, Layout::plain, alignment(c.data)};
    const Shape shape{left, right, result, kType<T>, kType<Result>, store};
    const Plan& plan = plan_of(shape);
    const float one = 1.0F, beta = store == Store::accumulate ? 1.0F : 0.0F;
    check(cublasLtMatmul(handle_.get(), plan.product.get(), &one, b.data, plan.left.get(), a.data,
                         plan.right.get(), &beta, c.data, plan.result.get(), c.data,
                         plan.result.get(), &plan.algorithm, workspace_.data(), workspace_.size(),
                         stream),
          "cublasLtMatmul");
  }

 private:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{8} << 20;
  static constexpr int kProposals = 8;  // algorithms to choose from
  template <class T>
  static constexpr cudaDataType_t kType = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF;

  /// A matrix as cuBLAS sees it.
  struct Stored {
    std::size_t rows, columns, stride;
    Layout layout;
    std::uint32_t alignment;  ///< of the first element, bytes
    friend bool operator==(const Stored&, const Stored&) = default;
  };
  struct Shape {
    Stored left, right, result;
    cudaDataType_t type;  ///< of left and right
    cudaDataType_t result_type;
    Store store;
    friend bool operator==(const Shape&, const Shape&) = default;
  };

  template <auto destroy>
  struct Destroy {
    template <class Handle>
    void operator()(Handle* handle) const {
      destroy(handle);
    }
  };
  template <class Handle, auto destroy>
  using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;
  using Product = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using MatrixLayout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
  using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

  struct Plan {
    Shape shape;
    Product product;
    MatrixLayout left, right, result;
    cublasLtMatmulAlgo_t algorithm;
  };

  /// The largest power of two, up to the 256 that cuBLAS asks for, that divides an address.
  static std::uint32_t alignment(const void* data) {
    std::uint32_t bytes = 256;
    while (reinterpret_cast<std::uintptr_t>(data) % bytes != 0) bytes /= 2;
    return bytes;
  }

  const Plan& plan_of(const Shape& shape) {
    for (const Plan& plan : plans_)
      if (plan.shape == shape) return plan;
    plans_.push_back(make_plan(shape));
    return plans_.back();
  }

  static MatrixLayout layout(cudaDataType_t type, const Stored& matrix) {
    cublasLtMatrixLayout_t made{};
    check(cublasLtMatrixLayoutCreate(&made, type, matrix.rows, matrix.columns,
                                     static_cast<std::int64_t>(matrix.stride)),
          "cublasLtMatrixLayoutCreate");
    return MatrixLayout(made);
  }

  static Product product(const Shape& shape) {
    cublasLtMatmulDesc_t made{};
    check(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    Product product(made);
    const auto set = [&](cublasLtMatmulDescAttributes_t which, const auto& value) {
      check(cublasLtMatmulDescSetAttribute(made, which, &value, sizeof value),
            "cublasLtMatmulDescSetAttribute");
    };
    const auto operation = [](const Stored& matrix) {
      return matrix.layout == Layout::transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, operation(shape.left));
    set(CUBLASLT_MATMUL_DESC_TRANSB, operation(shape.right));
    return product;
  }

  Plan make_plan(const Shape& shape) {
    Plan plan{shape,
              product(shape),
              layout(shape.type, shape.left),
              layout(shape.type, shape.right),
              layout(shape.result_type, shape.result),
              {}};
    plan.algorithm = best_algorithm(plan);
    return plan;
  }

  /// cuBLASLt's first proposal. Where a BFloat16 product is added to what was there, the first one
  /// with tiles of 128 x 128, if there is one: of d_W += G^T H in the fused head, which waits for
  /// the memory of its result, it was the faster one on an H200.
  cublasLtMatmulAlgo_t best_algorithm(const Plan& plan) {
    workspace_.resize(kWorkspaceBytes);
    cublasLtMatmulPreference_t preference{};
    check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    const Preference owner(preference);
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t which, const auto& value) {
      check(cublasLtMatmulPreferenceSetAttribute(preference, which, &value, sizeof value),
            "cublasLtMatmulPreferenceSetAttribute");
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, plan.shape.left.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, plan.shape.right.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, plan.shape.result.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, plan.shape.result.alignment);
    cublasLtMatmulHeuristicResult_t proposed[kProposals];
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle_.get(), plan.product.get(), plan.left.get(),
                                         plan.right.get(), plan.result.get(), plan.result.get(),
                                         preference, kProposals, proposed, &found),
          "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0)
      throw Error("cuBLAS has no algorithm for a product of this shape",
                  "cublasLtMatmulAlgoGetHeuristic",
                  "Let matrices begin, and their rows lie, multiples of 16 bytes apart");
    if (plan.shape.store == Store::accumulate && plan.shape.type == CUDA_R_16BF)
      for (int i = 0; i < found; ++i)
        if (tile_of(proposed[i].algo) == CUBLASLT_MATMUL_TILE_128x128) return proposed[i].algo;
    return proposed[0].algo;
  }

  static cublasLtMatmulTile_t tile_of(const cublasLtMatmulAlgo_t& algorithm) {
    cublasLtMatmulTile_t tile{};
    std::size_t written = 0;
    check(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID, &tile,
                                               sizeof tile, &written),
          "cublasLtMatmulAlgoConfigGetAttribute");
    return tile;
  }

  Owned<cublasLtHandle_t, cublasLtDestroy> handle_;
  Buffer<unsigned char> workspace_;
  std::vector<Plan> plans_;
};

}  // namespace dualagent::gpu
