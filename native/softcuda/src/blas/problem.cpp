// The checks of a product, in cuBLASLt's terms. What it calls impossible is INVALID_VALUE, what it has no algorithm for NOT_SUPPORTED.
#include "problem.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "descriptors.h"

namespace softcuda::blas {
namespace {

constexpr cublasStatus_t kOk = CUBLAS_STATUS_SUCCESS, kInvalid = CUBLAS_STATUS_INVALID_VALUE, kUnsupported = CUBLAS_STATUS_NOT_SUPPORTED;
constexpr u64 kMaxDimension = 0x7fffffff;
// Pointer modes of cuBLASLt beyond host and device: vectors of alpha.
constexpr int kLastPointerMode = 4;

bool isFloat(int type) { return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF; }

cublasStatus_t readLayout(cublasLtMatrixLayout_t layout, bool mayRepeat, Matrix& matrix) {
    matrix.type = static_cast<cudaDataType>(layout->get<int>(CUBLASLT_MATRIX_LAYOUT_TYPE));
    matrix.order = static_cast<cublasLtOrder_t>(layout->get<int>(CUBLASLT_MATRIX_LAYOUT_ORDER));
    matrix.rows = layout->get<u64>(CUBLASLT_MATRIX_LAYOUT_ROWS);
    matrix.cols = layout->get<u64>(CUBLASLT_MATRIX_LAYOUT_COLS);
    matrix.ld = layout->get<i64>(CUBLASLT_MATRIX_LAYOUT_LD);
    matrix.batchStride = layout->get<i64>(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
    if (!isFloat(matrix.type)) return refuse(kUnsupported, "a matrix is none of f32, f16 and bf16");
    if (matrix.order != CUBLASLT_ORDER_COL && matrix.order != CUBLASLT_ORDER_ROW)
        return refuse(kUnsupported, "a matrix is in neither column nor row order");
    if (matrix.rows > kMaxDimension || matrix.cols > kMaxDimension)
        return refuse(kUnsupported, "a matrix has 2^31 rows or columns or more");
    bool repeats = mayRepeat && matrix.ld == 0;
    if (!repeats && (matrix.ld < 0 || static_cast<u64>(matrix.ld) < matrix.pieceLength()))
        return refuse(kInvalid, "a leading dimension is smaller than the rows (column order) or columns (row order)");
    if (layout->get<u64>(CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET) != 0) return refuse(kUnsupported, "a matrix is planar complex");
    return kOk;
}

// All four have the same batch count, here 1 or more.
cublasStatus_t checkBatches(std::initializer_list<cublasLtMatrixLayout_t> layouts, Problem& p) {
    int count = (*layouts.begin())->get<int>(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
    int mode = (*layouts.begin())->get<int>(CUBLASLT_MATRIX_LAYOUT_BATCH_MODE);
    for (cublasLtMatrixLayout_t layout : layouts) {
        if (layout->get<int>(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) != count) return refuse(kInvalid, "the batch counts differ");
        if (layout->get<int>(CUBLASLT_MATRIX_LAYOUT_BATCH_MODE) != mode) return refuse(kInvalid, "the batch modes differ");
    }
    if (count < 1) return refuse(kUnsupported, "the batch is empty");
    if (mode != 0) return refuse(kUnsupported, "batches of pointers are not implemented");
    p.batch = static_cast<u64>(count);
    return kOk;
}

cublasStatus_t checkShapes(Problem& p) {
    if (p.c.rows != p.d.rows || p.c.cols != p.d.cols) return refuse(kInvalid, "C and D differ in shape");
    if (p.c.type != p.d.type) return refuse(kInvalid, "C and D differ in type");
    if (p.c.order != p.d.order) return refuse(kInvalid, "C and D differ in order");
    p.m = p.transA ? p.a.cols : p.a.rows;
    p.k = p.transA ? p.a.rows : p.a.cols;
    p.n = p.transB ? p.b.rows : p.b.cols;
    if (p.k != (p.transB ? p.b.cols : p.b.rows)) return refuse(kInvalid, "the inner dimensions of A and B differ");
    if (p.m != p.d.rows) return refuse(kInvalid, "A and D differ in rows");
    if (p.n != p.d.cols) return refuse(kInvalid, "B and D differ in columns");
    if (p.m == 0 || p.n == 0) return refuse(kUnsupported, "D is empty");
    return kOk;
}

cublasStatus_t checkOperation(cublasLtMatmulDesc_t desc, Problem& p) {
    int pointerMode = desc->get<int>(CUBLASLT_MATMUL_DESC_POINTER_MODE);
    if (pointerMode < 0 || pointerMode > kLastPointerMode) return refuse(kInvalid, "there is no such pointer mode");
    if (pointerMode > CUBLAS_POINTER_MODE_DEVICE) return refuse(kUnsupported, "vectors of alpha are not implemented");
    p.deviceScalars = pointerMode == CUBLAS_POINTER_MODE_DEVICE;
    int transA = desc->get<int>(CUBLASLT_MATMUL_DESC_TRANSA), transB = desc->get<int>(CUBLASLT_MATMUL_DESC_TRANSB);
    if (transA < 0 || transA > CUBLAS_OP_C || transB < 0 || transB > CUBLAS_OP_C)
        return refuse(kUnsupported, "there is no such transposition");
    p.transA = transA != CUBLAS_OP_N;
    p.transB = transB != CUBLAS_OP_N;
    if (desc->get<int>(CUBLASLT_MATMUL_DESC_TRANSC) != CUBLAS_OP_N) return refuse(kUnsupported, "C cannot be transposed");
    if (desc->get<int>(CUBLASLT_MATMUL_DESC_FILL_MODE) != CUBLAS_FILL_MODE_FULL) return refuse(kUnsupported, "D must be a full matrix");
    for (int scale : {CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, CUBLASLT_MATMUL_DESC_C_SCALE_POINTER,
                      CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, CUBLASLT_MATMUL_DESC_D_OUT_SCALE_POINTER, CUBLASLT_MATMUL_DESC_AMAX_D_POINTER})
        if (desc->get<u64>(scale) != 0) return refuse(kInvalid, "only products of 8 bits and fewer take scales");
    return kOk;
}

cublasStatus_t checkTypes(cublasLtMatmulDesc_t desc, Problem& p) {
    p.compute = static_cast<cublasComputeType_t>(desc->get<int>(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE));
    if (!supportedTypes(p.compute, p.a.type, p.b.type, p.d.type))
        return refuse(kUnsupported, "no product has these types of A, B, D and computation");
    if (desc->get<int>(CUBLASLT_MATMUL_DESC_SCALE_TYPE) != CUDA_R_32F) return refuse(kInvalid, "the scale type must be f32");
    return kOk;
}

cublasStatus_t checkEpilogue(cublasLtMatmulDesc_t desc, Problem& p) {
    p.epilogue = desc->get<u32>(CUBLASLT_MATMUL_DESC_EPILOGUE);
    constexpr u32 both = CUBLASLT_EPILOGUE_RELU | CUBLASLT_EPILOGUE_GELU;
    if ((p.epilogue & both) == both) return refuse(kInvalid, "the epilogue has two activations");
    switch (p.epilogue) {
        case CUBLASLT_EPILOGUE_DEFAULT:
        case CUBLASLT_EPILOGUE_RELU:
        case CUBLASLT_EPILOGUE_GELU:
            return kOk;
        case CUBLASLT_EPILOGUE_BIAS:
        case CUBLASLT_EPILOGUE_RELU_BIAS:
        case CUBLASLT_EPILOGUE_GELU_BIAS:
            break;
        default:
            return refuse(kUnsupported, "the epilogue is not implemented");
    }
    if (p.d.order == CUBLASLT_ORDER_ROW) return refuse(kUnsupported, "there is no bias for a D in row order");
    int type = desc->get<int>(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
    if (type != -1 && type != p.d.type) return refuse(kInvalid, "the bias must have the type of D");
    p.bias = desc->get<u64>(CUBLASLT_MATMUL_DESC_BIAS_POINTER);
    p.biasBatchStride = desc->get<i64>(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE);
    if (p.bias % p.d.elementBytes() != 0) return refuse(kInvalid, "the bias is not aligned to its elements");
    return kOk;
}

bool touches(const Pieces& x, u64 begin, u64 end) {
    if (end <= x.address || begin >= x.end()) return false;
    if (begin <= x.address) return true;
    u64 piece = x.pitch == 0 ? 0 : (begin - x.address) / x.pitch, within = begin - x.address - piece * x.pitch;
    return within < x.bytes || (piece + 1 < x.count && x.address + (piece + 1) * x.pitch < end);
}

}  // namespace

Pieces piecesOf(const Matrix& matrix, u64 address, u64 batch) {
    u64 size = matrix.elementBytes();
    u64 start = address + batch * static_cast<u64>(matrix.batchStride) * size, pitch = static_cast<u64>(matrix.ld) * size;
    return {start, matrix.pieceLength() * size, pitch, matrix.ld == 0 ? 1 : matrix.pieceCount()};
}

bool overlap(const Pieces& x, const Pieces& y) {
    if (x.end() <= y.address || y.end() <= x.address) return false;
    for (u64 piece = 0; piece < y.count; piece++)
        if (touches(x, y.address + piece * y.pitch, y.address + piece * y.pitch + y.bytes)) return true;
    return false;
}

bool supportedTypes(cublasComputeType_t compute, cudaDataType a, cudaDataType b, cudaDataType d) {
    if (a != b || !isFloat(a) || !isFloat(d)) return false;
    switch (compute) {
        case CUBLAS_COMPUTE_32F:
        case CUBLAS_COMPUTE_32F_PEDANTIC:
            return d == a || d == CUDA_R_32F;
        case CUBLAS_COMPUTE_32F_FAST_16F:
        case CUBLAS_COMPUTE_32F_FAST_16BF:
        case CUBLAS_COMPUTE_32F_FAST_TF32:
            return d == a || d == CUDA_R_32F || a == CUDA_R_32F;
        default:
            return false;
    }
}

cublasStatus_t checkProblem(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                            cublasLtMatrixLayout_t d, Problem& p) {
    if (desc == nullptr) return refuse(kInvalid, "there is no operation descriptor");
    if (a == nullptr || b == nullptr || d == nullptr) return refuse(kInvalid, "a layout is null");
    if (c == nullptr) c = d;
    cublasStatus_t status = checkOperation(desc, p);
    if (status == kOk) status = readLayout(a, false, p.a);
    if (status == kOk) status = readLayout(b, false, p.b);
    if (status == kOk) status = readLayout(c, true, p.c);
    if (status == kOk) status = readLayout(d, false, p.d);
    if (status == kOk) status = checkBatches({a, b, c, d}, p);
    if (status == kOk) status = checkShapes(p);
    if (status == kOk) status = checkTypes(desc, p);
    if (status == kOk) status = checkEpilogue(desc, p);
    return status;
}

cublasStatus_t refuse(cublasStatus_t status, const char* why) {
    const char* level = std::getenv("CUBLASLT_LOG_LEVEL");
    if (level != nullptr && std::atoi(level) > 0) std::fprintf(stderr, "softcublaslt: %s: %s\n", cublasLtGetStatusName(status), why);
    return status;
}

}  // namespace softcuda::blas
