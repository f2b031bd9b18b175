// What products give: every combination of types, orders and transpositions, odd sizes, padding, batches, scaling, epilogues, and that the
// bits depend neither on the other rows nor on threads.
#include <sys/wait.h>
#include <unistd.h>

#include "blas.h"

namespace {

std::mt19937 random_(7);

struct Types {
    cudaDataType in, out;
    cublasComputeType_t compute;
    const char* name;
};
constexpr Types kTypes[] = {
    {CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, "bf16"},
    {CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F, "bf16 to f32"},
    {CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, "f16"},
    {CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F_PEDANTIC, "f16 to f32"},
    {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, "f32"},
    {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_PEDANTIC, "f32 pedantic"},
    {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, "tf32"},
    {CUDA_R_32F, CUDA_R_16F, CUBLAS_COMPUTE_32F_FAST_16F, "f32 to f16"},
    {CUDA_R_32F, CUDA_R_16BF, CUBLAS_COMPUTE_32F_FAST_16BF, "f32 to bf16"},
    {CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F_FAST_TF32, "bf16 with tf32 allowed"},
};
constexpr Shape kShapes[] = {{1, 1, 1}, {7, 33, 100}, {33, 7, 1}, {100, 1, 33}, {1, 100, 7}, {33, 100, 300}, {16, 32, 64}};

std::string nameOf(const char* types, Shape s, int orders, int transposed, size_t pad) {
    char text[160];
    std::snprintf(text, sizeof text, "%s %zux%zux%zu orders %d transposed %d pad %zu", types, s.m, s.n, s.k, orders, transposed, pad);
    return text;
}

cublasLtOrder_t order(int bits, int which) { return bits >> which & 1 ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL; }

void testCombinations() {
    size_t pad = 0;
    for (const Types& types : kTypes)
        for (int orders = 0; orders < 8; orders++)
            for (int transposed = 0; transposed < 4; transposed++)
                for (Shape shape : kShapes) {
                    // Paddings of whole vectors and odd ones, so that every alignment of rows is met.
                    pad = (pad + 5) % 19;
                    Case c = makeCase(random_, shape, types.in, types.out, order(orders, 0), order(orders, 1), order(orders, 2),
                                      transposed & 1, transposed & 2, pad);
                    c.compute = types.compute;
                    runAndVerify(c, nameOf(types.name, shape, orders, transposed, pad).c_str());
                }
}

// More than one tile each way and more than one block of k.
void testLarge() {
    for (int orders = 0; orders < 8; orders++) {
        Case c = makeCase(random_, {203, 419, 600}, CUDA_R_16BF, CUDA_R_32F, order(orders, 0), order(orders, 1), order(orders, 2),
                          orders & 1, orders & 2, 1);
        runAndVerify(c, nameOf("large", {203, 419, 600}, orders, orders & 3, 1).c_str());
    }
}

void testScaling() {
    for (float alpha : {1.0f, -0.75f, 0.0f})
        for (float beta : {0.0f, 1.0f, -2.5f})
            for (bool deviceScalars : {false, true})
                for (bool inPlace : {false, true})
                    for (int orderD : {0, 1}) {
                        Case c = makeCase(random_, {33, 20, 50}, CUDA_R_16BF, CUDA_R_16BF, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_COL,
                                          order(orderD, 0), false, false, 4);
                        c.alpha = alpha;
                        c.beta = beta;
                        c.deviceScalars = deviceScalars;
                        c.inPlace = inPlace;
                        if (beta == 0) c.c.fillWith(NAN);
                        if (alpha == 0) c.a.fillWith(NAN);
                        char what[120];
                        std::snprintf(what, sizeof what, "alpha %g beta %g device %d in place %d order %d", alpha, beta, deviceScalars,
                                      inPlace, orderD);
                        runAndVerify(c, what);
                    }
}

void testOddScaling() {
    Case repeated = makeCase(random_, {24, 10, 16}, CUDA_R_32F, CUDA_R_32F);
    repeated.beta = 2;
    for (size_t j = 1; j < 10; j++)
        for (size_t i = 0; i < 24; i++) repeated.c.set(i, j, 0, repeated.c.get(i, 0));
    repeated.c.ld = 0;
    runAndVerify(repeated, "C of one repeated column");

    Case empty = makeCase(random_, {9, 5, 0}, CUDA_R_16F, CUDA_R_16F);
    empty.beta = 3;
    runAndVerify(empty, "k is 0");

    Case unread = makeCase(random_, {9, 5, 8}, CUDA_R_32F, CUDA_R_32F);
    unread.alpha = 0;
    unread.beta = 1;
    Device device(unread);
    CUdeviceptr a = device.a, b = device.b;
    device.a = device.b = 0;
    CHECK(device.multiply() == CUBLAS_STATUS_SUCCESS, "alpha is 0, A and B are null");
    device.a = a;
    device.b = b;
    verify(unread, device.result(), "alpha is 0, A and B are null");
}

void testEpilogues() {
    for (const Types& types : kTypes)
        for (unsigned epilogue : {2u, 4u, 6u, 32u, 36u})
            for (size_t batch : {1u, 3u})
                for (int orderD = 0; orderD < (epilogue & CUBLASLT_EPILOGUE_BIAS ? 1 : 2); orderD++) {
                    Case c = makeCase(random_, {50, 23, 40}, types.in, types.out, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW, order(orderD, 0),
                                      true, false, 2, batch);
                    c.compute = types.compute;
                    c.epilogue = epilogue;
                    c.alpha = 0.25f;
                    c.beta = 0.5f;
                    if (epilogue & CUBLASLT_EPILOGUE_BIAS) addBias(random_, c);
                    char what[80];
                    std::snprintf(what, sizeof what, "%s, epilogue %u, batch %zu, order %d", types.name, epilogue, batch, orderD);
                    runAndVerify(c, what);
                }
}

void testBatches() {
    Case c = makeCase(random_, {33, 12, 70}, CUDA_R_16BF, CUDA_R_32F, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, true,
                      false, 3, 5);
    c.beta = 1;
    runAndVerify(c, "batch of 5");
    // One A for all.
    Case shared = makeCase(random_, {16, 8, 24}, CUDA_R_32F, CUDA_R_32F, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, false,
                           false, 0, 4);
    shared.a.stride = 0;
    runAndVerify(shared, "batch with one A");
    // Heads side by side in the rows of one buffer.
    Case heads = makeCase(random_, {8, 6, 16}, CUDA_R_16F, CUDA_R_16F, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, false,
                          true, 0, 3);
    Operand wide(CUDA_R_16F, CUBLASLT_ORDER_ROW, 8, 18);
    heads.d.ld = 18;
    heads.d.stride = 6;
    heads.d.bytes = wide.bytes;
    runAndVerify(heads, "batch of interleaved D");
}

// Ties and inexact inputs, where the computation type says how they are rounded.
void testRounding() {
    struct Expected {
        cublasComputeType_t compute;
        double input, value;
    };
    const Expected expected[] = {
        {CUBLAS_COMPUTE_32F, 1 + 0x1p-20, 1 + 0x1p-20},
        {CUBLAS_COMPUTE_32F_FAST_TF32, 1 + 0x1p-11, 1 + 0x1p-10},
        {CUBLAS_COMPUTE_32F_FAST_TF32, 1 + 0x1p-12, 1},
        {CUBLAS_COMPUTE_32F_FAST_TF32, -1 - 0x1.8p-11, -1 - 0x1p-10},
        {CUBLAS_COMPUTE_32F_FAST_16F, 1 + 0x1p-11, 1},
        {CUBLAS_COMPUTE_32F_FAST_16F, 1 + 0x1.8p-10, 1 + 0x1p-9},
        {CUBLAS_COMPUTE_32F_FAST_16F, 1e6, INFINITY},
        {CUBLAS_COMPUTE_32F_FAST_16BF, 1 + 0x1p-8, 1},
        {CUBLAS_COMPUTE_32F_FAST_16BF, 1 + 0x1.8p-7, 1 + 0x1p-6},
        {CUBLAS_COMPUTE_32F_FAST_16BF, 1e6, 999424},
    };
    for (const Expected& e : expected) {
        Case c = makeCase(random_, {4, 4, 1}, CUDA_R_32F, CUDA_R_32F);
        c.compute = e.compute;
        c.a.fillWith(e.input);
        c.b.fillWith(1);
        Device device(c);
        MUST_BLAS(device.multiply());
        double got = device.result().get(2, 3);
        CHECK(got == e.value, "compute type %d: %.10g became %.10g, not %.10g", e.compute, e.input, got, e.value);
    }
}

// What D holds when its type cannot hold the sum, and NaN through every epilogue.
void testSpecials() {
    for (cudaDataType type : {CUDA_R_16F, CUDA_R_16BF, CUDA_R_32F}) {
        Case c = makeCase(random_, {8, 8, 8}, type, type);
        c.a.fillWith(256);
        c.b.fillWith(256);
        c.alpha = 1e35f;
        Device device(c);
        MUST_BLAS(device.multiply());
        CHECK(std::isinf(device.result().get(3, 3)), "type %d", type);
    }
    for (unsigned epilogue : {1u, 2u, 32u}) {
        Case c = makeCase(random_, {8, 8, 8}, CUDA_R_16BF, CUDA_R_16BF);
        c.epilogue = epilogue;
        c.a.set(2, 5, 0, NAN);
        Device device(c);
        MUST_BLAS(device.multiply());
        Operand d = device.result();
        CHECK(std::isnan(d.get(2, 0)) && !std::isnan(d.get(3, 0)), "epilogue %u", epilogue);
    }
}

// A row of the product has the same bits alone and among others, whatever the orders.
void testRowsAlone() {
    for (int orders = 0; orders < 8; orders++) {
        Case many =
            makeCase(random_, {50, 70, 1000}, CUDA_R_16BF, CUDA_R_32F, order(orders, 0), order(orders, 1), order(orders, 2), false, true);
        Device all(many);
        MUST_BLAS(all.multiply());
        Operand together = all.result();
        for (size_t row : {0u, 17u, 49u}) {
            Case one = makeCase(random_, {1, 70, 1000}, CUDA_R_16BF, CUDA_R_32F, order(orders, 0), order(orders, 1), order(orders, 2),
                                false, true);
            one.b = many.b;
            for (size_t step = 0; step < 1000; step++) one.a.set(0, step, 0, many.a.get(row, step));
            Device single(one);
            MUST_BLAS(single.multiply());
            Operand alone = single.result();
            bool same = true;
            for (size_t j = 0; j < 70; j++) same &= alone.get(0, j) == together.get(row, j);
            CHECK(same, "row %zu, orders %d", row, orders);
        }
    }
}

void testCublas() {
    cublasHandle_t handle;
    MUST_BLAS(cublasCreate_v2(&handle));
    int version = 0;
    MUST_BLAS(cublasGetVersion_v2(handle, &version));
    CHECK(version / 10000 == 13 && cublasLtGetVersion() == static_cast<size_t>(version), "%d", version);
    for (int transposed = 0; transposed < 4; transposed++) {
        bool transA = transposed & 1, transB = transposed & 2;
        cublasOperation_t opA = transA ? CUBLAS_OP_T : CUBLAS_OP_N, opB = transB ? CUBLAS_OP_C : CUBLAS_OP_N;
        for (const Types& types : kTypes) {
            if (types.compute != CUBLAS_COMPUTE_32F) continue;
            Case c = makeCase(random_, {35, 22, 90}, types.in, types.out, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL,
                              transA, transB, 1, 3);
            c.beta = -1;
            c.inPlace = true;
            Device device(c);
            MUST_BLAS(cublasGemmStridedBatchedEx(handle, opA, opB, 35, 22, 90, &c.alpha, pointer(device.a), types.in,
                                                 static_cast<int>(c.a.ld), static_cast<long long>(c.a.stride), pointer(device.b), types.in,
                                                 static_cast<int>(c.b.ld), static_cast<long long>(c.b.stride), &c.beta, pointer(device.c),
                                                 types.out, static_cast<int>(c.c.ld), static_cast<long long>(c.c.stride), 3,
                                                 CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
            verify(c, device.result(), "cublasGemmStridedBatchedEx");
        }
        Case c = makeCase(random_, {35, 22, 90}, CUDA_R_32F, CUDA_R_32F, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, transA,
                          transB, 1);
        c.beta = 0.5f;
        c.inPlace = true;
        Device once(c), twice(c);
        int lda = static_cast<int>(c.a.ld), ldb = static_cast<int>(c.b.ld), ldc = static_cast<int>(c.c.ld);
        MUST_BLAS(cublasGemmEx(handle, opA, opB, 35, 22, 90, &c.alpha, pointer(once.a), CUDA_R_32F, lda, pointer(once.b), CUDA_R_32F, ldb,
                               &c.beta, pointer(once.c), CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
        verify(c, once.result(), "cublasGemmEx");
        MUST_BLAS(cublasSgemm_v2(handle, opA, opB, 35, 22, 90, &c.alpha, static_cast<float*>(pointer(twice.a)), lda,
                                 static_cast<float*>(pointer(twice.b)), ldb, &c.beta, static_cast<float*>(pointer(twice.c)), ldc));
        verify(c, twice.result(), "cublasSgemm");
    }
    Case fine = makeCase(random_, {4, 4, 1}, CUDA_R_32F, CUDA_R_32F);
    fine.a.fillWith(1 + 0x1p-12);
    fine.b.fillWith(1);
    for (cublasMath_t mode : {CUBLAS_DEFAULT_MATH, CUBLAS_TF32_TENSOR_OP_MATH, CUBLAS_PEDANTIC_MATH}) {
        MUST_BLAS(cublasSetMathMode(handle, mode));
        Device device(fine);
        MUST_BLAS(cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 1, &fine.alpha, static_cast<float*>(pointer(device.a)), 4,
                                 static_cast<float*>(pointer(device.b)), 1, &fine.beta, static_cast<float*>(pointer(device.d)), 4));
        CHECK((device.result().get(0, 0) == 1) == (mode == CUBLAS_TF32_TENSOR_OP_MATH), "math mode %d", mode);
    }
    MUST_BLAS(cublasDestroy_v2(handle));
}

// The bits of a product large enough for several threads, computed in a process of its own.
std::vector<unsigned char> bitsWithThreads(const char* threads, size_t bytes) {
    int ends[2];
    if (pipe(ends) != 0) std::exit(1);
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        setenv("SOFTCUDA_THREADS", threads, 1);
        openContext();
        std::mt19937 random(3);
        Case c = makeCase(random, {203, 419, 600}, CUDA_R_16BF, CUDA_R_32F, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW);
        Device device(c);
        MUST_BLAS(device.multiply());
        Operand d = device.result();
        bool sent = write(ends[1], d.bytes.data(), bytes) == static_cast<ssize_t>(bytes);
        _exit(sent ? 0 : 1);
    }
    close(ends[1]);
    std::vector<unsigned char> result(bytes);
    size_t got = 0;
    for (ssize_t part; got < bytes && (part = read(ends[0], &result[got], bytes - got)) > 0;) got += static_cast<size_t>(part);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(got == bytes && status == 0, "%s threads", threads);
    return result;
}

void testThreads() {
    constexpr size_t bytes = 203 * 419 * 4;
    std::vector<unsigned char> one = bitsWithThreads("1", bytes);
    CHECK(one == bitsWithThreads("2", bytes), "2 threads");
    CHECK(one == bitsWithThreads("7", bytes), "7 threads");
}

}  // namespace

int main() {
    testThreads();
    openContext();
    testCombinations();
    testLarge();
    testScaling();
    testOddScaling();
    testEpilogues();
    testBatches();
    testRounding();
    testSpecials();
    testRowsAlone();
    testCublas();
    return report("blas_products");
}
