// What is refused, and with which status. The statuses are those that cuBLASLt documents or was seen to give for
// such arguments; where this library implements less, CUBLAS_STATUS_NOT_SUPPORTED. None was compared on a GPU.
#include <functional>

#include "blas.h"

namespace {

constexpr cublasStatus_t kOk = CUBLAS_STATUS_SUCCESS, kInvalid = CUBLAS_STATUS_INVALID_VALUE, kUnsupported = CUBLAS_STATUS_NOT_SUPPORTED;

std::mt19937 random_(11);

// A product of 64 x 48 x 32 in bf16, and what a test changes of it.
struct Question {
    Case problem = makeCase(random_, {64, 48, 32}, CUDA_R_16BF, CUDA_R_16BF);
    Device device{problem};
    float alpha = 1, beta = 1;
    const void *alphaPointer = &alpha, *betaPointer = &beta;
    cublasLtMatmulPreference_t preference;
    const cublasLtMatmulAlgo_t* algorithm = nullptr;
    CUdeviceptr workspace = 0;
    size_t workspaceBytes = 0;
    cublasLtHandle_t handle = device.handle;
    cublasLtMatmulDesc_t desc = device.desc;
    cublasLtMatrixLayout_t layouts[4] = {device.layouts[0], device.layouts[1], device.layouts[2], device.layouts[3]};
    CUdeviceptr a = device.a, b = device.b, c = device.c, d = device.d;

    Question() { MUST_BLAS(cublasLtMatmulPreferenceCreate(&preference)); }
    ~Question() { MUST_BLAS(cublasLtMatmulPreferenceDestroy(preference)); }

    template <class T>
    void describe(cublasLtMatmulDescAttributes_t attribute, T value) {
        MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof value));
    }
    template <class T>
    void lay(std::initializer_list<int> which, cublasLtMatrixLayoutAttribute_t attribute, T value) {
        for (int i : which) MUST_BLAS(cublasLtMatrixLayoutSetAttribute(layouts[i], attribute, &value, sizeof value));
    }
    template <class T>
    void prefer(cublasLtMatmulPreferenceAttributes_t attribute, T value) {
        MUST_BLAS(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
    }
    cublasStatus_t search(cublasLtMatmulHeuristicResult_t& result, int& count) const {
        return cublasLtMatmulAlgoGetHeuristic(handle, desc, layouts[0], layouts[1], layouts[2], layouts[3], preference, 1, &result, &count);
    }
    cublasStatus_t multiply() const {
        return cublasLtMatmul(handle, desc, alphaPointer, pointer(a), layouts[0], pointer(b), layouts[1], betaPointer, pointer(c),
                              layouts[2], pointer(d), layouts[3], algorithm, pointer(workspace), workspaceBytes, nullptr);
    }
};

using Change = std::function<void(Question&)>;

// Both the heuristic and the product answer with `expected`.
void both(const char* what, cublasStatus_t expected, const Change& change) {
    Question q;
    change(q);
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;
    cublasStatus_t searched = q.search(result, count), multiplied = q.multiply();
    CHECK(searched == expected, "%s: heuristic %s", what, cublasLtGetStatusName(searched));
    CHECK(count == (expected == kOk ? 1 : 0), "%s: %d algorithms", what, count);
    CHECK(multiplied == expected, "%s: product %s", what, cublasLtGetStatusName(multiplied));
}

void product(const char* what, cublasStatus_t expected, const Change& change) {
    Question q;
    change(q);
    cublasStatus_t status = q.multiply();
    CHECK(status == expected, "%s: %s", what, cublasLtGetStatusName(status));
}

void testLayouts() {
    both("as it is", kOk, [](Question&) {});
    both("ld of A below its rows", kInvalid, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{63}); });
    both("ld of B below its rows", kInvalid, [](Question& q) { q.lay({1}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{31}); });
    both("ld of C below its rows", kInvalid, [](Question& q) { q.lay({2}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{63}); });
    both("ld of D below its rows", kInvalid, [](Question& q) { q.lay({3}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{63}); });
    both("ld of A negative", kInvalid, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{-64}); });
    both("ld of A 0", kInvalid, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{0}); });
    both("ld of C 0", kOk, [](Question& q) { q.lay({2}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{0}); });
    both("row order, ld below the columns", kInvalid, [](Question& q) {
        q.lay({0}, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW);
        q.lay({0}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{31});
    });
    both("no layout of C", kOk, [](Question& q) { q.layouts[2] = nullptr; });
    for (int i : {0, 1, 3}) both("a null layout", kInvalid, [i](Question& q) { q.layouts[i] = nullptr; });
    both("an order that is neither", kUnsupported, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_ORDER, 2); });
    both("8-bit inputs", kUnsupported, [](Question& q) { q.lay({0, 1}, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_8F_E4M3); });
    both("k differs", kInvalid, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_COLS, uint64_t{31}); });
    both("m differs", kInvalid, [](Question& q) { q.lay({2, 3}, CUBLASLT_MATRIX_LAYOUT_ROWS, uint64_t{60}); });
    both("n differs", kInvalid, [](Question& q) { q.lay({2, 3}, CUBLASLT_MATRIX_LAYOUT_COLS, uint64_t{47}); });
    both("C and D differ in shape", kInvalid, [](Question& q) { q.lay({2}, CUBLASLT_MATRIX_LAYOUT_COLS, uint64_t{47}); });
    both("C and D differ in type", kInvalid, [](Question& q) { q.lay({2}, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_32F); });
    both("C and D differ in order", kInvalid, [](Question& q) { q.lay({2}, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW); });
    both("D is empty", kUnsupported, [](Question& q) { q.lay({0, 2, 3}, CUBLASLT_MATRIX_LAYOUT_ROWS, uint64_t{0}); });
    both("2^31 rows", kUnsupported, [](Question& q) {
        q.lay({0, 2, 3}, CUBLASLT_MATRIX_LAYOUT_ROWS, uint64_t{1} << 31);
        q.lay({0, 2, 3}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{1} << 31);
    });
    both("planar complex", kUnsupported, [](Question& q) { q.lay({0, 1, 2, 3}, CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET, int64_t{4096}); });
    both("batch counts differ", kInvalid, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 2); });
    both("batch of none", kUnsupported, [](Question& q) { q.lay({0, 1, 2, 3}, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 0); });
    both("batch modes differ", kInvalid, [](Question& q) { q.lay({1}, CUBLASLT_MATRIX_LAYOUT_BATCH_MODE, 1); });
    both("arrays of pointers", kUnsupported, [](Question& q) { q.lay({0, 1, 2, 3}, CUBLASLT_MATRIX_LAYOUT_BATCH_MODE, 1); });
}

void testOperations() {
    both("op A is T, its shape is not", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T); });
    both("there is no operation 3", kUnsupported, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_TRANSB, 3); });
    both("C transposed", kUnsupported, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_TRANSC, CUBLAS_OP_T); });
    both("a triangle", kUnsupported, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_FILL_MODE, 1); });
    both("a vector of alpha", kUnsupported, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_POINTER_MODE, 2); });
    both("no such pointer mode", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_POINTER_MODE, 9); });
    both("scale of A", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, q.d); });
    both("largest of D", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, q.d); });
    both("no descriptor", kInvalid, [](Question& q) { q.desc = nullptr; });
    both("no handle", CUBLAS_STATUS_NOT_INITIALIZED, [](Question& q) { q.handle = nullptr; });
    both("scale type f64", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_SCALE_TYPE, 1); });
    both("scale type bf16", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_SCALE_TYPE, CUDA_R_16BF); });
    both("A and B differ in type", kUnsupported, [](Question& q) { q.lay({0}, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_16F); });
    for (cublasComputeType_t type : {CUBLAS_COMPUTE_16F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_32I, CUBLAS_COMPUTE_32F_EMULATED_16BFX9})
        both("other computation types", kUnsupported, [type](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, type); });
}

// Which types go together: f32 sums of equal inputs, into their type or f32; from f32 into 16 bits only where the computation is fast.
void testTypes() {
    constexpr cudaDataType types[] = {CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF};
    for (cublasComputeType_t compute : {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_COMPUTE_32F_FAST_16F,
                                        CUBLAS_COMPUTE_32F_FAST_16BF, CUBLAS_COMPUTE_32F_FAST_TF32})
        for (cudaDataType a : types)
            for (cudaDataType b : types)
                for (cudaDataType d : types) {
                    bool fast = compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_PEDANTIC;
                    bool supported = a == b && (a == d || d == CUDA_R_32F || (fast && a == CUDA_R_32F));
                    Question q;
                    q.describe(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, compute);
                    q.lay({0}, CUBLASLT_MATRIX_LAYOUT_TYPE, a);
                    q.lay({1}, CUBLASLT_MATRIX_LAYOUT_TYPE, b);
                    q.lay({2, 3}, CUBLASLT_MATRIX_LAYOUT_TYPE, d);
                    cublasLtMatmulHeuristicResult_t result;
                    int count = 0;
                    cublasStatus_t status = q.search(result, count);
                    CHECK(status == (supported ? kOk : kUnsupported), "types %d %d %d %d: %s", compute, a, b, d,
                          cublasLtGetStatusName(status));
                }
}

void testEpilogues() {
    for (unsigned epilogue : {0u, 3u, 8u, 130u, 256u, 512u})
        both("other epilogues", kUnsupported, [epilogue](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue); });
    both("two activations", kInvalid, [](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, 34u); });
    Change biased = [](Question& q) {
        q.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
        q.describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, q.device.c);
    };
    auto with = [&biased](const Change& more) {
        return [&biased, more](Question& q) {
            biased(q);
            more(q);
        };
    };
    both("bias", kOk, biased);
    both("bias of its own type", kOk, with([](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF); }));
    both("bias of f32", kInvalid, with([](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F); }));
    both("bias at an odd address", kInvalid, with([](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, q.device.c + 1); }));
    both("bias and D in row order", kUnsupported, with([](Question& q) {
             q.lay({2, 3}, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW);
         }));
    product("bias is null", kInvalid, with([](Question& q) { q.describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, CUdeviceptr{0}); }));
}

void testPointers() {
    product("A is null", kInvalid, [](Question& q) { q.a = 0; });
    product("B is null", kInvalid, [](Question& q) { q.b = 0; });
    product("C is null", kInvalid, [](Question& q) { q.c = 0; });
    product("D is null", kInvalid, [](Question& q) { q.d = 0; });
    product("alpha is null", kInvalid, [](Question& q) { q.alphaPointer = nullptr; });
    product("beta is null", kInvalid, [](Question& q) { q.betaPointer = nullptr; });
    product("C is null and beta 0", kOk, [](Question& q) { q.c = 0, q.beta = 0; });
    product("A is null and alpha 0", kOk, [](Question& q) { q.a = 0, q.alpha = 0; });
    product("C is D", kOk, [](Question& q) { q.d = q.c; });
    product("C is D with another ld", kInvalid, [](Question& q) {
        q.d = q.c;
        q.lay({0, 2}, CUBLASLT_MATRIX_LAYOUT_LD, int64_t{72});
    });
    product("D over A", kInvalid, [](Question& q) { q.d = q.a; });
    product("D over the end of B", kInvalid, [](Question& q) { q.d = q.b + 32 * 48 * 2 - 16; });
    product("D over part of C", kInvalid, [](Question& q) { q.d = q.c + 128; });
    product("matrices of a batch over each other", kInvalid, [](Question& q) {
        q.lay({0, 1, 2, 3}, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 2);
        q.lay({3}, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, int64_t{32});
    });
}

// D in the columns beside A's, in rows of one buffer: no byte is shared.
void testSideBySide() {
    Operand both(CUDA_R_16BF, CUBLASLT_ORDER_ROW, 16, 64);
    both.fill(random_);
    Case c = makeCase(random_, {16, 32, 32}, CUDA_R_16BF, CUDA_R_16BF, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW);
    c.a.ld = c.d.ld = c.c.ld = 64;
    c.a.bytes = c.c.bytes = c.d.bytes = both.bytes;
    Device device(c);
    CUdeviceptr d = device.d;
    device.d = device.a + 64;
    CHECK(device.multiply() == kOk, "D beside A");
    device.d = device.a + 48;
    CHECK(device.multiply() == kInvalid, "D over the ends of A's rows");
    device.d = device.a + 96;
    CHECK(device.multiply() == kInvalid, "D over the starts of A's rows");
    device.d = d;
}

void testAlignment() {
    for (int which = 0; which < 4; which++)
        for (CUdeviceptr offset : {2, 4, 8, 1}) {
            Question q;
            (which == 0 ? q.a : which == 1 ? q.b : which == 2 ? q.c : q.d) -= offset;
            CHECK(q.multiply() == kUnsupported, "operand %d, %llu bytes off", which, offset);
        }
    // An algorithm asked for less aligned matrices, and one whose leading dimension promises less.
    for (unsigned promised : {2u, 4u, 8u}) {
        Question q;
        q.prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, promised);
        cublasLtMatmulHeuristicResult_t result;
        int count = 0;
        MUST_BLAS(q.search(result, count));
        q.algorithm = &result.algo;
        CHECK(q.multiply() == kOk, "aligned to %u", promised);
        q.problem.a.rows = 60;
        q.lay({0, 2, 3}, CUBLASLT_MATRIX_LAYOUT_ROWS, uint64_t{60});
        q.a += promised;
        CHECK(q.multiply() == kOk, "off by the %u bytes that were promised", promised);
        q.a += promised / 2;
        CHECK(q.multiply() == kUnsupported, "off by half of %u bytes", promised);
    }
    for (unsigned promised : {1u, 0u}) {
        Question q;
        q.prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, promised);
        cublasLtMatmulHeuristicResult_t result;
        int count = -1;
        cublasStatus_t expected = promised == 1 ? kUnsupported : kOk;
        CHECK(q.search(result, count) == expected && count == (promised == 1 ? 0 : 1), "D promised aligned to %u", promised);
    }
    Case odd = makeCase(random_, {33, 5, 7}, CUDA_R_16BF, CUDA_R_16BF, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, false,
                        false, 0);
    odd.a.bytes.insert(odd.a.bytes.begin(), 2, 0xff);
    Device device(odd);
    device.a += 2;
    CHECK(device.multiply() == kOk, "an odd leading dimension promises 2 bytes");
    odd.a.bytes.erase(odd.a.bytes.begin(), odd.a.bytes.begin() + 2);
    verify(odd, device.result(), "2 bytes off");
    device.a -= 2;
}

void testWorkspace() {
    CUdeviceptr space = upload(std::vector<unsigned char>(1 << 16));
    product("a size without a workspace", kInvalid, [](Question& q) { q.workspaceBytes = 1024; });
    product("a workspace at 128", kInvalid, [space](Question& q) { q.workspace = space + 128, q.workspaceBytes = 1024; });
    product("a workspace", kOk, [space](Question& q) { q.workspace = space, q.workspaceBytes = 1 << 16; });
    Question q;
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;
    MUST_BLAS(q.search(result, count));
    CHECK(result.workspaceSize == 0 && result.state == kOk && result.wavesCount > 0, "%zu", result.workspaceSize);
    q.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{1 << 16});
    MUST_BLAS(q.search(result, count));
    CHECK(result.workspaceSize > 0 && result.workspaceSize <= 1 << 16, "%zu", result.workspaceSize);
    q.algorithm = &result.algo;
    CHECK(q.multiply() == kInvalid, "the workspace is missing");
    q.workspace = space;
    q.workspaceBytes = result.workspaceSize - 1;
    CHECK(q.multiply() == kInvalid, "the workspace is short");
    q.workspaceBytes = result.workspaceSize;
    CHECK(q.multiply() == kOk, "the workspace fits");
    MUST(cuCtxSynchronize());
    CHECK(download<unsigned char>(space, 1)[0] == 0xff, "the workspace is not left alone");
    MUST(cuMemFree(space));
    cublasLtMatmulAlgo_t none = {};
    q.algorithm = &none;
    CHECK(q.multiply() == kUnsupported, "no algorithm");
    q.algorithm = &result.algo;
    q.describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU);
    CHECK(q.multiply() == kInvalid, "an algorithm of another kind of product");
}

void testArguments() {
    Question q;
    cublasLtMatmulHeuristicResult_t result;
    int count = -7;
    auto search = [&](cublasLtMatmulPreference_t preference, int requested, cublasLtMatmulHeuristicResult_t* results, int* returned) {
        return cublasLtMatmulAlgoGetHeuristic(q.handle, q.desc, q.layouts[0], q.layouts[1], q.layouts[2], q.layouts[3], preference,
                                              requested, results, returned);
    };
    CHECK(search(nullptr, 1, &result, &count) == kInvalid, "no preference");
    CHECK(search(q.preference, 0, &result, &count) == kInvalid, "0 asked for");
    CHECK(search(q.preference, -1, &result, &count) == kInvalid, "-1 asked for");
    CHECK(search(q.preference, 1, nullptr, &count) == kInvalid, "no results");
    CHECK(search(q.preference, 1, &result, nullptr) == kInvalid, "no count");
    CHECK(count == -7, "%d", count);
    CHECK(search(q.preference, 5, &result, &count) == kOk && count == 1, "%d", count);
}

// Attributes: each takes its own size only.
template <class Object, class Attribute>
void testSizes(const char* what, Object object, cublasStatus_t (*set)(Object, Attribute, const void*, size_t),
               const std::vector<int>& sizes) {
    const char bytes[64] = {};
    for (int attribute = -1; attribute <= static_cast<int>(sizes.size()); attribute++)
        for (size_t size = 0; size <= sizeof bytes; size++) {
            bool inside = attribute >= 0 && attribute < static_cast<int>(sizes.size());
            int wanted = inside ? sizes[static_cast<size_t>(attribute)] : 0;
            bool fits = wanted != 0 && size == static_cast<size_t>(wanted);
            cublasStatus_t status = set(object, static_cast<Attribute>(attribute), bytes, size);
            CHECK(status == (fits ? kOk : kInvalid), "%s %d of %zu bytes", what, attribute, size);
        }
    CHECK(set(object, static_cast<Attribute>(1), nullptr, static_cast<size_t>(sizes[1])) == kInvalid, "%s without a value", what);
    CHECK(set(nullptr, static_cast<Attribute>(1), bytes, static_cast<size_t>(sizes[1])) == kInvalid, "no %s", what);
}

void testDescriptors() {
    Question q;
    testSizes("layout", q.layouts[0], cublasLtMatrixLayoutSetAttribute, {4, 4, 8, 8, 8, 4, 8, 8, 4});
    testSizes("operation", q.desc, cublasLtMatmulDescSetAttribute,
              {4, 4, 4, 4, 4, 4, 4, 4, 8, 0, 8, 8, 8, 8, 8, 4, 0, 8, 8, 8, 8, 8, 4, 8, 8, 1, 4, 0, 0, 0, 0, 4, 4, 4, 4, 4, 8, 4, 8});
    testSizes("preference", q.preference, cublasLtMatmulPreferenceSetAttribute, {4, 8, 0, 4, 0, 4, 4, 4, 4, 4, 0, 0, 8});
    CHECK(cublasLtMatrixLayoutCreate(nullptr, CUDA_R_32F, 1, 1, 1) == kInvalid, "layout");
    CHECK(cublasLtMatmulDescCreate(nullptr, CUBLAS_COMPUTE_32F, CUDA_R_32F) == kInvalid, "operation");
    CHECK(cublasLtMatmulPreferenceCreate(nullptr) == kInvalid, "preference");
    CHECK(cublasLtMatrixLayoutDestroy(nullptr) == kOk && cublasLtMatmulDescDestroy(nullptr) == kOk, "null");
    CHECK(cublasLtMatmulPreferenceDestroy(nullptr) == kOk, "null");
    CHECK(cublasLtCreate(nullptr) == kInvalid && cublasLtDestroy(nullptr) == kInvalid, "handle");
}

void testCublas() {
    cublasHandle_t handle;
    MUST_BLAS(cublasCreate_v2(&handle));
    Question q;
    struct Call {
        int m = 64, n = 48, k = 32, lda = 64, ldb = 32, ldc = 64;
        cudaDataType in = CUDA_R_16BF, out = CUDA_R_16BF;
        cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
        cublasOperation_t transA = CUBLAS_OP_N;
        CUdeviceptr off = 0;
    };
    auto call = [&](const Call& c, cublasHandle_t h, const void* alpha) {
        return cublasGemmEx(h, c.transA, CUBLAS_OP_N, c.m, c.n, c.k, alpha, pointer(q.a), c.in, c.lda, pointer(q.b), c.in, c.ldb,
                            q.betaPointer, pointer(q.c + c.off), c.out, c.ldc, c.compute, CUBLAS_GEMM_DEFAULT);
    };
    const void* one = q.alphaPointer;
    CHECK(call({}, handle, one) == kOk, "as it is");
    CHECK(call({}, nullptr, one) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle");
    CHECK(call({}, handle, nullptr) == kInvalid, "no alpha");
    CHECK(call({.m = -1}, handle, one) == kInvalid, "m");
    CHECK(call({.m = 0}, handle, one) == kOk, "m");
    CHECK(call({.lda = 63}, handle, one) == kInvalid, "lda");
    CHECK(call({.ldb = 31}, handle, one) == kInvalid, "ldb");
    CHECK(call({.ldc = 63}, handle, one) == kInvalid, "ldc");
    CHECK(call({.transA = static_cast<cublasOperation_t>(3)}, handle, one) == kInvalid, "operation");
    CHECK(call({.m = 32, .lda = 31, .ldc = 32, .transA = CUBLAS_OP_T}, handle, one) == kInvalid, "lda, transposed");
    CHECK(call({.out = CUDA_R_16F}, handle, one) == kUnsupported, "types");
    CHECK(call({.compute = CUBLAS_COMPUTE_32F_FAST_TF32}, handle, one) == kUnsupported, "fast bf16");
    CHECK(call({.compute = CUBLAS_COMPUTE_16F}, handle, one) == kUnsupported, "f16 sums");
    CHECK(call({.m = 60, .off = 2}, handle, one) == kOk, "2 bytes off");
    CHECK(call({.m = 60, .off = 1}, handle, one) == kUnsupported, "1 byte off");
    CHECK(cublasSetWorkspace_v2(handle, pointer(q.d + 128), 256) == kInvalid, "workspace");
    CHECK(cublasSetMathMode(handle, static_cast<cublasMath_t>(9)) == kInvalid, "math mode");
    CHECK(cublasSetStream_v2(nullptr, nullptr) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle");
    CHECK(cublasCreate_v2(nullptr) == kInvalid && cublasDestroy_v2(nullptr) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle");
    MUST_BLAS(cublasDestroy_v2(handle));
}

void testNames() {
    CHECK(std::string(cublasLtGetStatusName(kUnsupported)) == "CUBLAS_STATUS_NOT_SUPPORTED", "name");
    CHECK(std::string(cublasGetStatusName(kInvalid)) == "CUBLAS_STATUS_INVALID_VALUE", "name");
    CHECK(std::string(cublasLtGetStatusString(CUBLAS_STATUS_EXECUTION_FAILED)) == "the work could not be launched or failed", "string");
    CHECK(std::string(cublasGetStatusString(kOk)) == "success", "string");
    CHECK(std::string(cublasGetStatusName(static_cast<cublasStatus_t>(2))) == "unrecognized status", "name");
}

}  // namespace

int main() {
    openContext();
    testLayouts();
    testOperations();
    testTypes();
    testEpilogues();
    testPointers();
    testSideBySide();
    testAlignment();
    testWorkspace();
    testArguments();
    testDescriptors();
    testCublas();
    testNames();
    return report("blas_refusals");
}
