// Leaks at exit: one line on stderr that tells device memory that was not freed, none for a clean program.
#include "driver.h"

namespace {

std::string build;

void clean() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUstream stream = newStream();
    CUdeviceptr memory, pooled;
    MUST(cuMemAlloc(&memory, 4096));
    MUST(cuMemAllocAsync(&pooled, 4096, stream));
    MUST(launch(functionOf(module, "fill"), 1, 32, stream, memory, 1, 32));
    MUST(cuMemFreeAsync(pooled, stream));
    MUST(cuStreamSynchronize(stream));
    MUST(cuMemFree(memory));
    MUST(cuStreamDestroy(stream));
    MUST(cuModuleUnload(module));
    MUST(cuDevicePrimaryCtxRelease(0));
}

// The module's variables, streams and pinned memory are the process's; they are no leak of device memory.
void unclean() {
    openContext();
    loadModule(build + "/tests/kernels/driver.ptx");
    newStream();
    pinned<int>(10);
    CUdeviceptr memory;
    MUST(cuMemAlloc(&memory, 4096));
    MUST(cuMemFree(memory));
}

void leakOne() {
    openContext();
    CUdeviceptr memory;
    MUST(cuMemAlloc(&memory, 12345));
}

void leakMany() {
    openContext();
    CUdeviceptr memory;
    MUST(cuMemAlloc(&memory, 1001));
    MUST(cuMemAlloc(&memory, 2002));
    MUST(cuMemFree(memory));
    MUST(cuMemAlloc(&memory, 3003));
    MUST(cuMemAllocAsync(&memory, 4004, nullptr));
    MUST(cuCtxSynchronize());
}

void check(const char* name, const std::function<void()>& body, const Environment& environment, std::initializer_list<const char*> words) {
    Outcome outcome = runChild(body, environment);
    CHECK(outcome.code == 0, "%s: exit code %d, signal %d", name, outcome.code, outcome.signal);
    CHECK(outcome.lines() == (words.size() == 0 ? 0 : 1), "%s printed: %s", name, outcome.errors.c_str());
    for (const char* word : words) CHECK(outcome.says(word), "%s: '%s' is missing in: %s", name, word, outcome.errors.c_str());
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    check("clean", clean, {}, {});
    check("not released", unclean, {}, {});
    check("one", leakOne, {}, {" 12345 bytes"});
    check("many", leakMany, {}, {" 1001 bytes", " 3003 bytes", " 4004 bytes"});
    check("unchecked", leakOne, {{"SOFTCUDA_CHECK", "0"}}, {});
    check("reported", leakOne, {{"SOFTCUDA_CHECK", "report"}}, {" 12345 bytes"});
    return report("driver_leaks");
}
