// A matrix product as asked for, after the checks that cuBLASLt makes.
//
// D = activation(alpha * op(A) * op(B) + beta * C + bias). All matrices are seen as pieces: runs of adjacent elements (columns in column
// order, rows in row order), `pitch` elements apart.
#pragma once

#include "../base.h"
#include "cublas_types.h"

namespace softcuda::blas {

struct Matrix {
    cudaDataType type = CUDA_R_32F;
    cublasLtOrder_t order = CUBLASLT_ORDER_COL;
    u64 rows = 0, cols = 0;
    i64 ld = 0;
    i64 batchStride = 0;  // in elements
    bool operator==(const Matrix&) const = default;

    u64 elementBytes() const { return type == CUDA_R_32F ? 4 : 2; }
    u64 pieceLength() const { return order == CUBLASLT_ORDER_COL ? rows : cols; }
    u64 pieceCount() const { return order == CUBLASLT_ORDER_COL ? cols : rows; }
};

// The bytes of one matrix of a batch.
struct Pieces {
    u64 address, bytes, pitch, count;
    u64 end() const { return address + (count - 1) * pitch + bytes; }
};
Pieces piecesOf(const Matrix& matrix, u64 address, u64 batch);
// Whether they share a byte.
bool overlap(const Pieces& x, const Pieces& y);

struct Problem {
    Matrix a, b, c, d;
    bool transA = false, transB = false;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    u32 epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    u64 bias = 0;             // of the type of D; used by the epilogues with a bias
    i64 biasBatchStride = 0;  // in elements
    bool deviceScalars = false;
    u64 m = 0, n = 0, k = 0, batch = 1;

    bool biased() const { return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }
    // What an algorithm would need for partial sums, were it to split k.
    u64 workspaceBytes() const { return (m * n * batch * sizeof(float) + 255) / 256 * 256; }
};

// Fills in the problem; a status other than success is the one that cuBLASLt refuses it with. `c` may be null: then it is as `d`.
cublasStatus_t checkProblem(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                            cublasLtMatrixLayout_t d, Problem& problem);
// The part of it that cublasGemmEx shares: whether products of these types exist.
bool supportedTypes(cublasComputeType_t compute, cudaDataType a, cudaDataType b, cudaDataType d);

// Returns `status`, and says why on stderr if CUBLASLT_LOG_LEVEL is set to other than 0.
cublasStatus_t refuse(cublasStatus_t status, const char* why);

}  // namespace softcuda::blas
