#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cuda_bf16.h"
#include "cuda_runtime.h"

// The part of cuBLASLt that the library uses: column-major products by plain loops.

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F };
enum cudaDataType_t { CUDA_R_32F, CUDA_R_16BF };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasLtMatmulDescAttributes_t { CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB };
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
};

struct cublasLtContext {};
using cublasLtHandle_t = cublasLtContext*;
struct cublasLtProduct {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
using cublasLtMatmulDesc_t = cublasLtProduct*;
struct cublasLtMatrix {
  cudaDataType_t type;
  std::uint64_t rows, columns;
  std::int64_t stride;  // from column to column
};
using cublasLtMatrixLayout_t = cublasLtMatrix*;
struct cublasLtPreference {};
using cublasLtMatmulPreference_t = cublasLtPreference*;
enum cublasLtMatmulTile_t { CUBLASLT_MATMUL_TILE_UNDEFINED, CUBLASLT_MATMUL_TILE_128x128 = 20 };
enum cublasLtMatmulAlgoConfigAttributes_t { CUBLASLT_ALGO_CONFIG_TILE_ID };
struct cublasLtMatmulAlgo_t {
  cublasLtMatmulTile_t tile;
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
};

inline const char* cublasLtGetStatusString(cublasStatus_t) { return "invalid value"; }
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* made) {
  return *made = new cublasLtContext, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t made) {
  return delete made, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t,
                                               cudaDataType_t) {
  return *made = new cublasLtProduct, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t made) {
  return delete made, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                                     cublasLtMatmulDescAttributes_t which,
                                                     const void* value, std::size_t size) {
  if (size != sizeof(cublasOperation_t)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(which == CUBLASLT_MATMUL_DESC_TRANSA ? &product->a : &product->b, value, size);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type,
                                                 std::uint64_t rows, std::uint64_t columns,
                                                 std::int64_t stride) {
  if (stride < static_cast<std::int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  return *made = new cublasLtMatrix{type, rows, columns, stride}, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t made) {
  return delete made, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  return *made = new cublasLtPreference, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t made) {
  return delete made, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                           cublasLtMatmulPreferenceAttributes_t,
                                                           const void*, std::size_t) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t,
    int /*wanted, >= 2*/, cublasLtMatmulHeuristicResult_t* proposed, int* found) {
  proposed[0].algo.tile = CUBLASLT_MATMUL_TILE_UNDEFINED;
  proposed[1].algo.tile = CUBLASLT_MATMUL_TILE_128x128;
  return *found = 2, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                           cublasLtMatmulAlgoConfigAttributes_t,
                                                           void* value, std::size_t size,
                                                           std::size_t* written) {
  if (size != sizeof algorithm->tile) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(value, &algorithm->tile, size);
  return *written = size, CUBLAS_STATUS_SUCCESS;
}

namespace cuda_emulator {

/// Element (row, column) of a matrix after its operation.
inline float element(const void* data, const cublasLtMatrix& matrix, cublasOperation_t operation,
                     std::uint64_t row, std::uint64_t column) {
  if (operation == CUBLAS_OP_T) std::swap(row, column);
  const std::uint64_t at = column * static_cast<std::uint64_t>(matrix.stride) + row;
  return matrix.type == CUDA_R_32F ? static_cast<const float*>(data)[at]
                                   : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[at]);
}

}  // namespace cuda_emulator

/// d = alpha op(a) op(b) + beta c; c is not read where beta is 0.
inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                     const void* alpha, const void* a, cublasLtMatrixLayout_t of_a,
                                     const void* b, cublasLtMatrixLayout_t of_b, const void* beta,
                                     const void* c, cublasLtMatrixLayout_t, void* d,
                                     cublasLtMatrixLayout_t of_d, const cublasLtMatmulAlgo_t*,
                                     void*, std::size_t, cudaStream_t) {
  using cuda_emulator::element;
  const auto rows_of = [](const cublasLtMatrix& matrix, cublasOperation_t operation) {
    return operation == CUBLAS_OP_N ? matrix.rows : matrix.columns;
  };
  const auto columns_of = [](const cublasLtMatrix& matrix, cublasOperation_t operation) {
    return operation == CUBLAS_OP_N ? matrix.columns : matrix.rows;
  };
  const std::uint64_t depth = columns_of(*of_a, product->a);
  if (rows_of(*of_a, product->a) != of_d->rows || rows_of(*of_b, product->b) != depth ||
      columns_of(*of_b, product->b) != of_d->columns ||
      (of_d->type != CUDA_R_32F && of_d->type != of_a->type))
    return CUBLAS_STATUS_INVALID_VALUE;
  const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  for (std::uint64_t column = 0; column < of_d->columns; ++column)
    for (std::uint64_t row = 0; row < of_d->rows; ++row) {
      float sum = 0;
      for (std::uint64_t k = 0; k < depth; ++k)
        sum += element(a, *of_a, product->a, row, k) * element(b, *of_b, product->b, k, column);
      const std::uint64_t at = column * static_cast<std::uint64_t>(of_d->stride) + row;
      const float old = keep == 0.0F ? 0.0F : keep * element(c, *of_d, CUBLAS_OP_N, row, column);
      if (of_d->type == CUDA_R_32F)
        static_cast<float*>(d)[at] = scale * sum + old;
      else
        static_cast<__nv_bfloat16*>(d)[at] = __float2bfloat16_rn(scale * sum + old);
    }
  return CUBLAS_STATUS_SUCCESS;
}
