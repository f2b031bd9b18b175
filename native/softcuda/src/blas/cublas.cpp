// cublasGemmEx and its kin, with the handle that holds their stream. All matrices are in column order; C is read and written in place.
#include <cstring>
#include <new>

#include "product.h"

struct cublasContext {
    CUstream stream = nullptr;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
    void* workspace = nullptr;
    size_t workspaceBytes = 0;
};

namespace softcuda::blas {
namespace {

constexpr u64 kWorkspaceAlignment = 256;

struct Operand {
    const void* data;
    cudaDataType type;
    int ld;
    long long stride;
};

bool isOperation(cublasOperation_t operation) { return operation >= CUBLAS_OP_N && operation <= CUBLAS_OP_C; }

Matrix matrixOf(const Operand& x, int rows, int cols) {
    return {x.type, CUBLASLT_ORDER_COL, static_cast<u64>(rows), static_cast<u64>(cols), x.ld, x.stride};
}

struct Shape {
    cublasOperation_t transA, transB;
    int m, n, k, batch;
};

bool valid(const Shape& s, const Operand& a, const Operand& b, const Operand& c) {
    int rowsA = s.transA == CUBLAS_OP_N ? s.m : s.k, rowsB = s.transB == CUBLAS_OP_N ? s.k : s.n;
    return isOperation(s.transA) && isOperation(s.transB) && s.m >= 0 && s.n >= 0 && s.k >= 0 && s.batch >= 0 && a.ld >= 1 &&
           a.ld >= rowsA && b.ld >= 1 && b.ld >= rowsB && c.ld >= 1 && c.ld >= s.m;
}

cublasStatus_t multiply(const char* name, cublasHandle_t handle, const Shape& s, const void* alpha, const Operand& a, const Operand& b,
                        const void* beta, const Operand& c, cublasComputeType_t compute) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!valid(s, a, b, c)) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an operation, size or leading dimension is impossible");
    if (alpha == nullptr || beta == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "alpha or beta is null");
    bool fast = compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_PEDANTIC;
    if (!supportedTypes(compute, a.type, b.type, c.type) || (fast && (a.type != CUDA_R_32F || c.type != CUDA_R_32F)))
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "no product has these types of A, B, C and computation");
    if (s.m == 0 || s.n == 0 || s.batch == 0) return CUBLAS_STATUS_SUCCESS;
    Product product;
    product.name = name;
    std::memcpy(&product.alpha, alpha, sizeof(float));
    std::memcpy(&product.beta, beta, sizeof(float));
    if (c.data == nullptr || (s.k > 0 && product.alpha != 0 && (a.data == nullptr || b.data == nullptr)))
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "A, B or C is null");
    Problem& p = product.problem;
    p.transA = s.transA != CUBLAS_OP_N;
    p.transB = s.transB != CUBLAS_OP_N;
    p.a = p.transA ? matrixOf(a, s.k, s.m) : matrixOf(a, s.m, s.k);
    p.b = p.transB ? matrixOf(b, s.n, s.k) : matrixOf(b, s.k, s.n);
    p.c = p.d = matrixOf(c, s.m, s.n);
    bool tf32 = compute == CUBLAS_COMPUTE_32F && handle->math == CUBLAS_TF32_TENSOR_OP_MATH;
    p.compute = tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : compute;
    p.m = static_cast<u64>(s.m);
    p.n = static_cast<u64>(s.n);
    p.k = static_cast<u64>(s.k);
    p.batch = static_cast<u64>(s.batch);
    product.a = reinterpret_cast<u64>(a.data);
    product.b = reinterpret_cast<u64>(b.data);
    product.c = product.d = reinterpret_cast<u64>(c.data);
    product.workspace = reinterpret_cast<u64>(handle->workspace);
    product.workspaceBytes = p.workspaceBytes() <= handle->workspaceBytes ? p.workspaceBytes() : 0;
    u32 ab = static_cast<u32>(p.a.elementBytes()), cd = static_cast<u32>(p.d.elementBytes());
    return launch(product, {ab, ab, cd, cd}, handle->stream);
}

}  // namespace
}  // namespace softcuda::blas

using namespace softcuda;
using namespace softcuda::blas;

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *handle = nullptr;
    if (cuInit(0) != CUDA_SUCCESS) return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = new (std::nothrow) cublasContext();
    return *handle == nullptr ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {
    if (version == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *version = static_cast<int>(cublasLtGetVersion());
    return CUBLAS_STATUS_SUCCESS;
}

// Also goes back to the default workspace, which is the library's own.
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->stream = stream;
    handle->workspace = nullptr;
    handle->workspaceBytes = 0;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (reinterpret_cast<u64>(workspace) % kWorkspaceAlignment != 0 || (workspace == nullptr && bytes > 0))
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "the workspace is null and has a size, or is not aligned to 256 bytes");
    handle->workspace = workspace;
    handle->workspaceBytes = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    int plain = mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    if (plain < CUBLAS_DEFAULT_MATH || plain > CUBLAS_TF32_TENSOR_OP_MATH)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "there is no such math mode here");
    handle->math = static_cast<cublasMath_t>(plain);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transA, cublasOperation_t transB, int m, int n, int k,
                              const float* alpha, const float* A, int lda, const float* B, int ldb, const float* beta, float* C, int ldc) {
    return multiply("cublasSgemm", handle, {transA, transB, m, n, k, 1}, alpha, {A, CUDA_R_32F, lda, 0}, {B, CUDA_R_32F, ldb, 0}, beta,
                    {C, CUDA_R_32F, ldc, 0}, CUBLAS_COMPUTE_32F);
}

// Any algorithm is accepted: they are hints.
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transA, cublasOperation_t transB, int m, int n, int k,
                            const void* alpha, const void* A, cudaDataType typeA, int lda, const void* B, cudaDataType typeB, int ldb,
                            const void* beta, void* C, cudaDataType typeC, int ldc, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return multiply("cublasGemmEx", handle, {transA, transB, m, n, k, 1}, alpha, {A, typeA, lda, 0}, {B, typeB, ldb, 0}, beta,
                    {C, typeC, ldc, 0}, computeType);
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transA, cublasOperation_t transB, int m, int n, int k,
                                          const void* alpha, const void* A, cudaDataType typeA, int lda, long long strideA, const void* B,
                                          cudaDataType typeB, int ldb, long long strideB, const void* beta, void* C, cudaDataType typeC,
                                          int ldc, long long strideC, int batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return multiply("cublasGemmStridedBatchedEx", handle, {transA, transB, m, n, k, batchCount}, alpha, {A, typeA, lda, strideA},
                    {B, typeB, ldb, strideB}, beta, {C, typeC, ldc, strideC}, computeType);
}
