// What the checker finds in products, each in a process of its own: where they read what nothing wrote or leave an allocation; and the
// near-misses that it must not find.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "blas.h"

namespace {

std::mt19937 random_(5);

struct Outcome {
    int code;  // what cuCtxSynchronize returned
    std::string told;
};

// Runs a product that `change` has damaged, with SOFTCUDA_CHECK as given.
Outcome outcomeOf(const char* check, const Case& c, const std::function<void(Device&)>& change) {
    int ends[2];
    if (pipe(ends) != 0) std::exit(1);
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setenv("SOFTCUDA_CHECK", check, 1);
        openContext();
        Device device(c);
        change(device);
        MUST_BLAS(device.multiply());
        CUresult code = cuCtxSynchronize();
        // Exit codes have 8 bits, CUDA's codes from 600 to 799 do not fit.
        _exit(code >= 600 ? code - 600 + 1 : code == CUDA_SUCCESS ? 0 : 255);
    }
    close(ends[1]);
    Outcome outcome{-1, ""};
    char part[512];
    for (ssize_t got; (got = read(ends[0], part, sizeof part)) > 0;) outcome.told.append(part, static_cast<size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status) == 0 ? 0 : WEXITSTATUS(status) - 1 + 600;
    return outcome;
}

Case plain() { return makeCase(random_, {40, 24, 32}, CUDA_R_16BF, CUDA_R_16BF); }

CUdeviceptr fresh(size_t bytes) {
    CUdeviceptr address;
    MUST(cuMemAlloc(&address, bytes));
    return address;
}

// Fails the stream with `code`; the report names `operand` and `kind`. With report, the stream goes on.
void found(const char* what, const Case& c, int code, const char* kind, const char* operand, const std::function<void(Device&)>& change) {
    Outcome failed = outcomeOf("1", c, change), reported = outcomeOf("report", c, change);
    CHECK(failed.code == code, "%s: %d\n%s", what, failed.code, failed.told.c_str());
    CHECK(failed.told.find(std::string("softcuda: ") + kind) != std::string::npos, "%s:\n%s", what, failed.told.c_str());
    CHECK(failed.told.find(std::string("cublasLtMatmul: ") + operand) != std::string::npos, "%s:\n%s", what, failed.told.c_str());
    CHECK(reported.code == 0, "%s, reported: %d", what, reported.code);
    CHECK(reported.told.find(std::string("softcuda: ") + kind) != std::string::npos, "%s, reported:\n%s", what, reported.told.c_str());
}

void fine(const char* what, const Case& c, const std::function<void(Device&)>& change) {
    Outcome outcome = outcomeOf("1", c, change);
    CHECK(outcome.code == 0 && outcome.told.empty(), "%s: %d\n%s", what, outcome.code, outcome.told.c_str());
}

void testUnwritten() {
    constexpr int code = CUDA_ERROR_LAUNCH_FAILED;
    constexpr const char* kind = "uninitialized read";
    Case c = plain();
    found("A", c, code, kind, "A", [](Device& d) { d.a = fresh(40 * 32 * 2); });
    found("B", c, code, kind, "B", [](Device& d) { d.b = fresh(32 * 24 * 2); });
    found("the last byte of B", c, code, kind, "B", [&](Device& d) {
        d.b = fresh(32 * 24 * 2);
        MUST(cuMemcpyHtoD(d.b, c.b.bytes.data(), c.b.bytes.size() - 1));
    });
    fine("C, beta is 0", c, [](Device& d) { d.c = fresh(40 * 24 * 2); });
    fine("D", c, [](Device& d) { d.d = fresh(40 * 24 * 2); });
    c.beta = 1;
    found("C", c, code, kind, "C", [](Device& d) { d.c = fresh(40 * 24 * 2); });
    found("C in place", c, code, kind, "C", [](Device& d) {
        d.c = d.d = fresh(40 * 24 * 2);
        d.layouts[2] = d.layouts[3];
    });
    c = plain();
    c.epilogue = CUBLASLT_EPILOGUE_BIAS;
    addBias(random_, c);
    found("bias", c, code, kind, "bias", [](Device& d) {
        d.bias = fresh(80);
        MUST_BLAS(cublasLtMatmulDescSetAttribute(d.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &d.bias, sizeof d.bias));
    });
    c = plain();
    c.deviceScalars = true;
    found("alpha", c, code, kind, "alpha", [](Device& d) { d.scalars = fresh(8); });
}

// The elements between the columns are not read and need not be written; those of D are not marked.
void testGaps() {
    Case c = makeCase(random_, {40, 24, 32}, CUDA_R_32F, CUDA_R_32F, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, false,
                      false, 8);
    auto columnsOnly = [&c](Device& d) {
        d.a = fresh(c.a.bytes.size());
        for (size_t j = 0; j < 32; j++) MUST(cuMemcpyHtoD(d.a + j * c.a.ld * 4, &c.a.bytes[j * c.a.ld * 4], 160));
    };
    fine("columns of A", c, columnsOnly);
    found("a column of A is short", c, CUDA_ERROR_LAUNCH_FAILED, "uninitialized read", "A", [&c](Device& d) {
        d.a = fresh(c.a.bytes.size());
        for (size_t j = 0; j < 32; j++) MUST(cuMemcpyHtoD(d.a + j * c.a.ld * 4, &c.a.bytes[j * c.a.ld * 4], j == 31 ? 156 : 160));
    });
    // D, then used as A.
    c = makeCase(random_, {16, 16, 16}, CUDA_R_32F, CUDA_R_32F);
    fine("D used as A", c, [](Device& d) {
        d.d = fresh(16 * 16 * 4);
        MUST_BLAS(d.multiply());
        d.a = d.d;
        d.d = fresh(16 * 16 * 4);
    });
    Case rows = makeCase(random_, {8, 16, 16}, CUDA_R_32F, CUDA_R_32F, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW);
    rows.d.ld = 32;
    rows.d.bytes.resize(8 * 32 * 4);
    found("the gaps of D used as A", rows, CUDA_ERROR_LAUNCH_FAILED, "uninitialized read", "A", [&rows](Device& d) {
        d.d = fresh(rows.d.bytes.size());
        MUST_BLAS(d.multiply());
        d.a = d.d;
        d.d = fresh(rows.d.bytes.size());
    });
}

void testBounds() {
    constexpr int code = CUDA_ERROR_ILLEGAL_ADDRESS;
    constexpr const char* kind = "out of bounds";
    Case c = plain();
    found("A past its end", c, code, kind, "A", [](Device& d) { d.a += 16; });
    found("D past its end", c, code, kind, "D", [](Device& d) { d.d += 16; });
    found("A freed", c, code, kind, "A", [](Device& d) { MUST(cuMemFree(d.a)); });
    found("A in host memory", c, code, kind, "A", [&c](Device& d) { d.a = reinterpret_cast<CUdeviceptr>(c.a.bytes.data()) / 16 * 16; });
    c.beta = 1;
    found("C past its end", c, code, kind, "C", [](Device& d) { d.c += 32; });
    Case batch = makeCase(random_, {8, 8, 8}, CUDA_R_32F, CUDA_R_32F, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_COL, false,
                          false, 0, 3);
    found("the last B of a batch", batch, code, kind, "B", [&batch](Device& d) {
        d.b = fresh(2 * 256);
        MUST(cuMemcpyHtoD(d.b, batch.b.bytes.data(), 2 * 256));
    });
    // Without the checker an access outside still cannot be made.
    Outcome off = outcomeOf("0", c, [](Device& d) { d.a += 1 << 20; });
    CHECK(off.code == code, "%d", off.code);
}

// Products are counted under the name of the function.
void testCount(const std::string& file) {
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        setenv("SOFTCUDA_COUNT", file.c_str(), 1);
        openContext();
        Case c = plain();
        {
            Device device(c);
            MUST_BLAS(device.multiply());
            MUST_BLAS(device.multiply());
            MUST(cuCtxSynchronize());
        }
        std::exit(0);
    }
    waitpid(child, nullptr, 0);
    std::string counted = readFile(file);
    unsigned long long flops = 2ull * 2 * 40 * 24 * 32;
    CHECK(counted.find("\"cublasLtMatmul\", \"launches\": 2") != std::string::npos, "%s", counted.c_str());
    CHECK(counted.find("\"mmaFlops\": " + std::to_string(flops)) != std::string::npos, "%s", counted.c_str());
}

}  // namespace

int main(int, char** arguments) {
    fine("as it is", plain(), [](Device&) {});
    testUnwritten();
    testGaps();
    testBounds();
    testCount(std::string(arguments[1]) + "/blas_counters.json");
    return report("blas_findings");
}
