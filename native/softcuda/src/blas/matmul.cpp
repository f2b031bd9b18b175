// cublasLtMatmul and its heuristic.
//
// The one algorithm: it needs each matrix aligned to 16 bytes, or to less where the preference, the leading dimension or the batch stride
// promise less (as a kernel chosen by the real heuristic would), and a workspace for partial sums if the preference allows as much. A
// pointer with less alignment is NOT_SUPPORTED, which is what the real library answers.
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "descriptors.h"
#include "product.h"

struct cublasLtContext {};

namespace softcuda::blas {
namespace {

constexpr u64 kMagic = 0x67656d6d74666f73;
constexpr u32 kVectorBytes = 16, kDefaultAlignment = 256, kWorkspaceAlignment = 256;
constexpr int kVersion = 130101;

// As kept in cublasLtMatmulAlgo_t.
struct Algorithm {
    u64 magic;
    u64 kind;  // of the problem: types, orders, transpositions, epilogue
    u64 workspaceBytes;
    Alignments alignments;
    u64 unused[3];
};
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));

u64 kindOf(const Problem& p) {
    u64 orders = static_cast<u64>(p.a.order | p.b.order << 1 | p.d.order << 2), operations = (p.transA ? 1u : 0u) | (p.transB ? 2u : 0u);
    u64 types = static_cast<u64>(p.a.type | p.d.type << 8);
    return types | orders << 16 | operations << 24 | static_cast<u64>(p.compute) << 32 | static_cast<u64>(p.epilogue) << 48;
}

// The largest power of two up to 16 that divides the matrix's steps in bytes and what the preference promises.
u32 alignmentOf(const Matrix& matrix, u64 batch, u64 promised) {
    u64 steps = promised | kVectorBytes | static_cast<u64>(matrix.ld) * matrix.elementBytes();
    if (batch > 1) steps |= static_cast<u64>(matrix.batchStride) * matrix.elementBytes();
    return 1u << std::countr_zero(steps);
}

// False if the preference promises less than whole elements.
bool chooseAlgorithm(const Problem& p, const u32 (&promised)[4], u64 workspaceBytes, Algorithm& algorithm) {
    const Matrix* matrices[] = {&p.a, &p.b, &p.c, &p.d};
    u32 needed[4];
    for (int i = 0; i < 4; i++) {
        needed[i] = alignmentOf(*matrices[i], p.batch, promised[i]);
        if (needed[i] < matrices[i]->elementBytes()) return false;
    }
    u64 workspace = p.workspaceBytes() <= workspaceBytes ? p.workspaceBytes() : 0;
    algorithm = {kMagic, kindOf(p), workspace, {needed[0], needed[1], needed[2], needed[3]}, {}};
    return true;
}

cublasStatus_t checkWorkspace(const void* workspace, size_t bytes) {
    if (workspace == nullptr && bytes > 0) return refuse(CUBLAS_STATUS_INVALID_VALUE, "the workspace is null and has a size");
    if (reinterpret_cast<u64>(workspace) % kWorkspaceAlignment != 0)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "the workspace is not aligned to 256 bytes");
    return CUBLAS_STATUS_SUCCESS;
}

// What is needed and null.
cublasStatus_t checkPointers(const Product& p, bool sameLayouts) {
    const Problem& q = p.problem;
    bool reads = q.k > 0 && (q.deviceScalars || p.alpha != 0);
    if (reads && (p.a == 0 || p.b == 0)) return refuse(CUBLAS_STATUS_INVALID_VALUE, "A or B is null");
    if (p.c == 0 && (q.deviceScalars || p.beta != 0)) return refuse(CUBLAS_STATUS_INVALID_VALUE, "C is null");
    if (p.d == 0) return refuse(CUBLAS_STATUS_INVALID_VALUE, "D is null");
    if (q.biased() && q.bias == 0) return refuse(CUBLAS_STATUS_INVALID_VALUE, "the epilogue needs a bias, which is null");
    if (p.c == p.d && !sameLayouts) return refuse(CUBLAS_STATUS_INVALID_VALUE, "C is D, but their layouts differ");
    return CUBLAS_STATUS_SUCCESS;
}

void setScalars(Product& p, const void* alpha, const void* beta) {
    if (p.problem.deviceScalars) {
        p.alphaAddress = reinterpret_cast<u64>(alpha);
        p.betaAddress = reinterpret_cast<u64>(beta);
    } else {
        std::memcpy(&p.alpha, alpha, sizeof p.alpha);
        std::memcpy(&p.beta, beta, sizeof p.beta);
    }
}

// The caller's algorithm, or what the default preference gives.
cublasStatus_t algorithmOf(const cublasLtMatmulAlgo_t* given, const Problem& problem, size_t workspaceBytes, Algorithm& algorithm) {
    if (given == nullptr) {
        constexpr u32 promised[] = {kDefaultAlignment, kDefaultAlignment, kDefaultAlignment, kDefaultAlignment};
        chooseAlgorithm(problem, promised, workspaceBytes, algorithm);
        return CUBLAS_STATUS_SUCCESS;
    }
    algorithm = std::bit_cast<Algorithm>(*given);
    if (algorithm.magic != kMagic) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "the algorithm comes from no heuristic");
    if (algorithm.kind != kindOf(problem))
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "the algorithm was chosen for another kind of product");
    if (algorithm.workspaceBytes > workspaceBytes) return refuse(CUBLAS_STATUS_INVALID_VALUE, "the algorithm needs a larger workspace");
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace softcuda::blas

using namespace softcuda;
using namespace softcuda::blas;

size_t cublasLtGetVersion(void) { return kVersion; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *handle = nullptr;
    if (cuInit(0) != CUDA_SUCCESS) return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = new (std::nothrow) cublasLtContext();
    return *handle == nullptr ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (preference == nullptr || results == nullptr || returned == nullptr || requested < 1)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "preference, results or count is null, or no algorithm is asked for");
    Problem problem;
    cublasStatus_t status = checkProblem(desc, a, b, c, d, problem);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    *returned = 0;
    u32 promised[4];
    for (int i = 0; i < 4; i++) promised[i] = preference->get<u32>(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i);
    Algorithm algorithm;
    if (!chooseAlgorithm(problem, promised, preference->get<u64>(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES), algorithm))
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm takes matrices that are not aligned to their elements");
    results[0] = {};
    results[0].algo = std::bit_cast<cublasLtMatmulAlgo_t>(algorithm);
    results[0].workspaceSize = algorithm.workspaceBytes;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    // Tiles of 128 x 128 on the 132 multiprocessors of an H100.
    results[0].wavesCount = static_cast<float>((problem.m + 127) / 128 * ((problem.n + 127) / 128) * problem.batch) / 132;
    *returned = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* A,
                              cublasLtMatrixLayout_t a, const void* B, cublasLtMatrixLayout_t b, const void* beta, const void* C,
                              cublasLtMatrixLayout_t c, void* D, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspaceBytes, cudaStream_t stream) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    Product product;
    cublasStatus_t status = checkProblem(desc, a, b, c, d, product.problem);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (alpha == nullptr || beta == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "alpha or beta is null");
    product.name = "cublasLtMatmul";
    setScalars(product, alpha, beta);
    product.a = reinterpret_cast<u64>(A);
    product.b = reinterpret_cast<u64>(B);
    product.c = reinterpret_cast<u64>(C);
    product.d = reinterpret_cast<u64>(D);
    status = checkPointers(product, product.problem.c == product.problem.d);
    if (status == CUBLAS_STATUS_SUCCESS) status = checkWorkspace(workspace, workspaceBytes);
    Algorithm algorithm;
    if (status == CUBLAS_STATUS_SUCCESS) status = algorithmOf(algo, product.problem, workspaceBytes, algorithm);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    product.workspace = reinterpret_cast<u64>(workspace);
    product.workspaceBytes = algorithm.workspaceBytes;
    return launch(product, algorithm.alignments, stream);
}
