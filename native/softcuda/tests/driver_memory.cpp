// Device memory, pinned and registered host memory, and what happens when there is no more.
#include <algorithm>

#include "driver.h"

namespace {

void allocation() {
    openContext();
    CUdeviceptr a = 0, b = 0;
    OK(cuMemAlloc(&a, 1));
    OK(cuMemAlloc(&b, 1000));
    CHECK(a != 0 && b != 0 && a % 256 == 0 && b % 256 == 0 && (a < b ? b - a : a - b) >= 256);
    EXPECT(cuMemAlloc(&a, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemAlloc(nullptr, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemAlloc(&a, ~size_t{0}), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT(cuMemFree(b + 256), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemFree(b + 1), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree(b));
    EXPECT(cuMemFree(b), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemFree(4096), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree(a));
}

void info() {
    openContext();
    size_t free = 0, total = 0, later = 0, size = size_t{8} << 20;
    CUdeviceptr memory;
    OK(cuMemGetInfo(&free, &total));
    CHECK(total == size_t{64} << 20 && free <= total && free > total / 2, "%zu of %zu free", free, total);
    OK(cuMemAlloc(&memory, size));
    OK(cuMemGetInfo(&later, &total));
    CHECK(free - later >= size && free - later < size + (1 << 20), "%zu free, then %zu", free, later);
    OK(cuMemFree(memory));
    OK(cuMemGetInfo(&later, &total));
    CHECK(later == free, "%zu free, then %zu", free, later);
}

void exhaustion() {
    openContext();
    CUdeviceptr memory = 0, more = 0;
    EXPECT(cuMemAlloc(&memory, size_t{65} << 20), CUDA_ERROR_OUT_OF_MEMORY);
    std::vector<CUdeviceptr> parts;
    while (parts.size() < 100 && cuMemAlloc(&memory, size_t{16} << 20) == CUDA_SUCCESS) parts.push_back(memory);
    CHECK(parts.size() >= 2 && parts.size() <= 4, "%zu times 16 MiB of 64 MiB", parts.size());
    EXPECT(cuMemAlloc(&more, size_t{16} << 20), CUDA_ERROR_OUT_OF_MEMORY);
    OK(cuMemsetD8(parts.back(), 5, size_t{16} << 20));
    OK(cuMemFree(parts.back()));
    OK(cuMemAlloc(&parts.back(), size_t{16} << 20));
    for (CUdeviceptr part : parts) OK(cuMemFree(part));
}

// A device address is no host address: whoever mixes them up is ended.
void notForTheHost() {
    Outcome outcome = runChild([] {
        openContext();
        CUdeviceptr memory;
        MUST(cuMemAlloc(&memory, 4096));
        *reinterpret_cast<volatile int*>(memory) = 1;
    });
    CHECK(outcome.signal == SIGSEGV || outcome.signal == SIGBUS, "exit code %d, signal %d", outcome.code, outcome.signal);
}

void withoutContext() {
    MUST(cuInit(0));
    CUdeviceptr memory = 0;
    void* host = nullptr;
    size_t bytes;
    int word = 0;
    EXPECT(cuMemAlloc(&memory, 16), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemFree(memory), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemGetInfo(&bytes, &bytes), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemAllocHost(&host, 16), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemHostAlloc(&host, 16, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemHostRegister(&word, sizeof word, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemcpyDtoH(&word, memory, 4), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemcpyHtoD(memory, &word, 4), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemcpyDtoD(memory, memory, 4), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemsetD8(memory, 0, 4), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemsetD32(memory, 0, 1), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemAllocAsync(&memory, 16, nullptr), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemFreeAsync(memory, nullptr), CUDA_ERROR_INVALID_CONTEXT);
}

std::string build;

// Kernels reach pinned memory under its host address; all flags give ordinary memory.
void hostAllocation() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUdeviceptr out;
    MUST(cuMemAlloc(&out, 100 * sizeof(int)));
    for (unsigned flags : {0, CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTALLOC_DEVICEMAP, CU_MEMHOSTALLOC_WRITECOMBINED}) {
        void* memory = nullptr;
        OK(cuMemHostAlloc(&memory, 400, flags));
        if (memory == nullptr) continue;
        int* words = static_cast<int*>(memory);
        for (int i = 0; i < 100; i++) words[i] = i * 3;
        if (flags != CU_MEMHOSTALLOC_WRITECOMBINED) {
            OK(launch(functionOf(module, "copy"), 1, 128, nullptr, out, memory, 100));
            std::vector<int> got = download<int>(out, 100);
            CHECK(std::equal(got.begin(), got.end(), words), "flags %u", flags);
            OK(launch(functionOf(module, "fill"), 1, 128, nullptr, memory, 77, 50));
            OK(cuCtxSynchronize());
            CHECK(words[49] == 77 && words[50] == 150, "flags %u", flags);
        }
        OK(cuMemFreeHost(memory));
        EXPECT(cuMemFreeHost(memory), CUDA_ERROR_INVALID_VALUE);
    }
    OK(cuMemFree(out));
    OK(cuModuleUnload(module));
    void* memory = nullptr;
    OK(cuMemAllocHost(&memory, 33));
    std::memset(memory, 1, 33);
    OK(cuMemFreeHost(memory));
    int word;
    EXPECT(cuMemFreeHost(&word), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemAllocHost(nullptr, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostAlloc(nullptr, 16, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostAlloc(&memory, 16, 0x80), CUDA_ERROR_INVALID_VALUE);
}

void registration() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    std::vector<int> words(4096, 9);
    int* start = words.data();
    OK(cuMemHostRegister(start, 2048 * sizeof(int), 0));
    EXPECT(cuMemHostRegister(start, 2048 * sizeof(int), 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    EXPECT(cuMemHostRegister(start + 1024, 2048 * sizeof(int), 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    OK(launch(functionOf(module, "plus"), 8, 256, nullptr, start, start, 1, 2048));
    OK(cuCtxSynchronize());
    CHECK(words[0] == 10 && words[2047] == 10 && words[2048] == 9);
    EXPECT(cuMemFreeHost(start), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostUnregister(start + 16), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, CUDA_ERROR_INVALID_VALUE);
    OK(cuMemHostUnregister(start));
    EXPECT(cuMemHostUnregister(start), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    for (unsigned flags :
         {CU_MEMHOSTREGISTER_PORTABLE, CU_MEMHOSTREGISTER_DEVICEMAP, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP}) {
        OK(cuMemHostRegister(start, 4096, flags));
        OK(cuMemHostUnregister(start));
    }
    EXPECT(cuMemHostRegister(nullptr, 4096, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostRegister(start, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostRegister(start, 4096, 0x100), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemHostUnregister(nullptr), CUDA_ERROR_INVALID_VALUE);
    OK(cuModuleUnload(module));
}

// Stream-ordered allocations: usable in the stream's order, freed in it.
void pool() {
    openContext();
    CUstream stream = newStream();
    for (CUstream s : {stream, CUstream{nullptr}}) {
        CUdeviceptr memory = 0;
        std::vector<int> got(64);
        OK(cuMemAllocAsync(&memory, 64 * sizeof(int), s));
        OK(cuMemsetD32Async(memory, 0x01020304, 64, s));
        OK(cuMemcpyDtoHAsync(got.data(), memory, 64 * sizeof(int), s));
        OK(cuMemFreeAsync(memory, s));
        OK(cuStreamSynchronize(s));
        CHECK(std::count(got.begin(), got.end(), 0x01020304) == 64);
        EXPECT(cuMemFreeAsync(memory, s), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemFree(memory), CUDA_ERROR_INVALID_VALUE);
    }
    CUdeviceptr memory = 0;
    OK(cuMemAllocAsync(&memory, 16, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuMemFree(memory));
    OK(cuMemAlloc(&memory, 16));
    OK(cuMemFreeAsync(memory, stream));
    OK(cuStreamSynchronize(stream));
    EXPECT(cuMemAllocAsync(nullptr, 16, stream), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemAllocAsync(&memory, size_t{1} << 60, stream), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT(cuMemFreeAsync(4096, stream), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamDestroy(stream));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("allocation", allocation);
    group("info", info, {{"SOFTCUDA_MEMORY", "64M"}});
    group("exhaustion", exhaustion, {{"SOFTCUDA_MEMORY", "64M"}});
    notForTheHost();
    group("without context", withoutContext);
    group("host allocation", hostAllocation);
    group("registration", registration);
    group("pool", pool);
    return report("driver_memory");
}
