// How fast matrix products are: GFLOP/s on one core and on all, through cublasLtMatmul, checks on. Row-major activations times a weight
// [out, in], as a transformer asks for them. Argument: build folder.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "../tests/blas.h"

namespace {

struct Size {
    Shape shape;
    cudaDataType type;
};

constexpr Size kSizes[] = {
    {{1024, 1024, 1024}, CUDA_R_32F}, {{512, 3072, 768}, CUDA_R_16BF}, {{16, 4096, 4096}, CUDA_R_16BF}, {{1, 4096, 4096}, CUDA_R_16BF}};

// The fastest of six.
void measure(const Size& size, const char* threads) {
    std::mt19937 random(1);
    Case c = makeCase(random, size.shape, size.type, size.type, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_ROW, false, true);
    Device device(c);
    double best = 1e9;
    for (int i = 0; i < 6; i++) {
        auto begin = std::chrono::steady_clock::now();
        MUST_BLAS(device.multiply());
        MUST(cuCtxSynchronize());
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    const Shape& s = size.shape;
    std::printf("%5zu x %zu x %zu %s, %s: %7.1f GFLOP/s, %.3f ms\n", s.m, s.n, s.k, size.type == CUDA_R_32F ? "f32 " : "bf16", threads,
                2e-9 * static_cast<double>(s.m * s.n * s.k) / best, best * 1e3);
}

void inChild(const char* label, bool one) {
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        if (one) setenv("SOFTCUDA_THREADS", "1", 1);
        openContext();
        for (const Size& size : kSizes) measure(size, label);
        std::fflush(nullptr);
        _exit(0);
    }
    waitpid(child, nullptr, 0);
}

}  // namespace

int main() {
    inChild("one thread", true);
    inChild("all threads", false);
    return 0;
}
