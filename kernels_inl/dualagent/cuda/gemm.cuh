#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
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

/// Matrix products by cuBLASLt, in float, with inputs of float or BFloat16: BFloat16 inputs are
/// multiplied exactly and summed in float; float inputs are not rounded to TF32.
///
/// Owns cuBLASLt's handle and workspace, and remembers the algorithm of every shape it has seen.
/// Movable, not copyable; for one stream at a time.
class Gemm {
 public:
  Gemm() { check(cublasLtCreate(&handle_), "cublasLtCreate"); }
  Gemm(Gemm&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        workspace_(std::move(other.workspace_)),
        plans_(std::move(other.plans_)) {}
  Gemm& operator=(Gemm&&) = delete;
  ~Gemm() {
    for (const Plan& plan : plans_) plan.destroy();
    if (handle_ != nullptr) cublasLtDestroy(handle_);
  }

  /// c [m, n] = a b, or c += a b, with a [m, k] and b [k, n] after their layouts. Row-major;
  /// strides are free. Returns before it is done.
  template <class T>
  void operator()(const Matrix<const T>& a, Layout a_layout, const Matrix<const T>& b,
                  Layout b_layout, const Matrix<float>& c, Store store,
                  cudaStream_t stream = nullptr) {
    const std::size_t k = a_layout == Layout::plain ? a.columns : a.rows;
    const std::size_t m = a_layout == Layout::plain ? a.rows : a.columns;
    if (m != c.rows || (b_layout == Layout::plain ? b.columns : b.rows) != c.columns ||
        (b_layout == Layout::plain ? b.rows : b.columns) != k)
      throw Error("the shapes of a product do not fit together", "gpu::Gemm");
    if (c.rows == 0 || c.columns == 0) return;
    // cuBLAS is column-major: what is stored row-major is the transpose, and c^T = b^T a^T.
    const Stored left{b.columns, b.rows, b.stride, b_layout};
    const Stored right{a.columns, a.rows, a.stride, a_layout};
    const Stored result{c.columns, c.rows, c.stride, Layout::plain};
    const Shape shape{left, right, result, std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF};
    const Plan& plan = plan_of(shape);
    const float one = 1.0F, beta = store == Store::accumulate ? 1.0F : 0.0F;
    check(cublasLtMatmul(handle_, plan.product, &one, b.data, plan.left, a.data, plan.right, &beta,
                         c.data, plan.result, c.data, plan.result, &plan.algorithm,
                         workspace_.data(), workspace_.size(), stream),
          "cublasLtMatmul");
  }

 private:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{8} << 20;

  /// A matrix as cuBLAS sees it.
  struct Stored {
    std::size_t rows, columns, stride;
    Layout layout;
    friend bool operator==(const Stored&, const Stored&) = default;
  };
  struct Shape {
    Stored left, right, result;
    cudaDataType_t type;  ///< of left and right
    friend bool operator==(const Shape&, const Shape&) = default;
  };

  struct Plan {
    Shape shape;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t left, right, result;
    cublasLtMatmulAlgo_t algorithm;

    void destroy() const {
      cublasLtMatrixLayoutDestroy(left);
      cublasLtMatrixLayoutDestroy(right);
      cublasLtMatrixLayoutDestroy(result);
      cublasLtMatmulDescDestroy(product);
    }
  };

  const Plan& plan_of(const Shape& shape) {
    for (const Plan& plan : plans_)
      if (plan.shape == shape) return plan;
    plans_.reserve(plans_.size() + 1);
    plans_.push_back(make_plan(shape));
    return plans_.back();
  }

  static cublasLtMatrixLayout_t layout(cudaDataType_t type, const Stored& matrix) {
    cublasLtMatrixLayout_t made{};
    check(cublasLtMatrixLayoutCreate(&made, type, matrix.rows, matrix.columns,
                                     static_cast<std::int64_t>(matrix.stride)),
          "cublasLtMatrixLayoutCreate");
    return made;
  }

  Plan make_plan(const Shape& shape) {
    Plan plan{.shape = shape};
    check(cublasLtMatmulDescCreate(&plan.product, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    const auto transpose = [&](cublasLtMatmulDescAttributes_t which, const Stored& matrix) {
      const cublasOperation_t operation =
          matrix.layout == Layout::transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      check(cublasLtMatmulDescSetAttribute(plan.product, which, &operation, sizeof operation),
            "cublasLtMatmulDescSetAttribute");
    };
    transpose(CUBLASLT_MATMUL_DESC_TRANSA, shape.left);
    transpose(CUBLASLT_MATMUL_DESC_TRANSB, shape.right);
    plan.left = layout(shape.type, shape.left);
    plan.right = layout(shape.type, shape.right);
    plan.result = layout(CUDA_R_32F, shape.result);
    plan.algorithm = best_algorithm(plan);
    return plan;
  }

  cublasLtMatmulAlgo_t best_algorithm(const Plan& plan) {
    workspace_.resize(kWorkspaceBytes);
    cublasLtMatmulPreference_t preference{};
    check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    const std::size_t bytes = kWorkspaceBytes;
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    cublasStatus_t status = cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (status == CUBLAS_STATUS_SUCCESS)
      status =
          cublasLtMatmulAlgoGetHeuristic(handle_, plan.product, plan.left, plan.right, plan.result,
                                         plan.result, preference, 1, &best, &found);
    cublasLtMatmulPreferenceDestroy(preference);
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0)
      throw Error("cuBLAS has no algorithm for a product of this shape",
                  "cublasLtMatmulAlgoGetHeuristic", "Make rows of matrices multiples of 16 bytes");
    return best.algo;
  }

  cublasLtHandle_t handle_ = nullptr;
  Buffer<unsigned char> workspace_;
  std::vector<Plan> plans_;
};

}  // namespace dualagent::gpu
