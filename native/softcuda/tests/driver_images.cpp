// What cuModuleLoadData takes and refuses: PTX text, fatbins with several architectures, compressed ones, cubins, broken PTX.
#include "driver.h"

namespace {

std::string build;
std::string image(const char* file) { return readFile(build + "/tests/kernels/" + file); }

// The architecture of the PTX that the driver takes from a fatbin: the highest that the device can run.
void fatbin(const char* file, int architecture, int ptxVersion) {
    openContext();
    CUmodule module = nullptr;
    std::string data = image(file);
    OK(cuModuleLoadData(&module, data.data()));
    if (module == nullptr) return;
    std::fill(data.begin(), data.end(), '\0');
    CUfunction function = functionOf(module, "architecture");
    CUdeviceptr out;
    MUST(cuMemAlloc(&out, 4));
    OK(launch(function, 1, 1, nullptr, out));
    int got = download<int>(out, 1)[0], version = 0;
    CHECK(got == architecture, "%d, not %d", got, architecture);
    OK(cuFuncGetAttribute(&version, CU_FUNC_ATTRIBUTE_PTX_VERSION, function));
    CHECK(version == ptxVersion, "%d, not %d", version, ptxVersion);
    OK(cuMemFree(out));
    OK(cuModuleUnload(module));
}

// An image that must be refused: one of the codes, and a message that has all of `words`, also in the error log.
void refusedImage(const std::string& data, std::initializer_list<CUresult> codes, std::initializer_list<const char*> words) {
    Outcome outcome = runChild([&] {
        openContext();
        CUmodule module = nullptr;
        CUresult result = cuModuleLoadData(&module, data.data());
        CHECK(std::find(codes.begin(), codes.end(), result) != codes.end(), "%s", nameOf(result).c_str());
        OK(cuCtxSynchronize());
    });
    for (const char* word : words) CHECK(outcome.says(word), "stderr lacks '%s': %s", word, outcome.errors.c_str());
    CHECK(outcome.code == 0, "exit code %d, signal %d: %s", outcome.code, outcome.signal, outcome.errors.c_str());
    outcome = runChild([&] {
        openContext();
        CUmodule module = nullptr;
        char text[1000];
        std::memset(text, 'x', sizeof text);
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {text, reinterpret_cast<void*>(sizeof text - 1)};
        CUresult result = cuModuleLoadDataEx(&module, data.data(), 2, options, values);
        CHECK(std::find(codes.begin(), codes.end(), result) != codes.end(), "%s", nameOf(result).c_str());
        size_t used = reinterpret_cast<size_t>(values[1]);
        CHECK(used > 0 && used < sizeof text && text[sizeof text - 1] == 'x', "%zu bytes of log", used);
        text[sizeof text - 1] = 0;
        for (const char* word : words) CHECK(std::strstr(text, word) != nullptr, "the log lacks '%s': %s", word, text);
        CHECK(std::strlen(text) <= used && std::strlen(text) + 1 >= used, "%zu characters, %zu told", std::strlen(text), used);
    });
    CHECK(outcome.code == 0, "exit code %d, signal %d: %s", outcome.code, outcome.signal, outcome.errors.c_str());
}

// A log buffer that is too small is filled and no more.
void shortLog() {
    Outcome outcome = runChild([] {
        openContext();
        CUmodule module = nullptr;
        char text[32];
        std::memset(text, 'x', sizeof text);
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {text, reinterpret_cast<void*>(size_t{16})};
        EXPECT(cuModuleLoadDataEx(&module, ".version 9.0\n.target sm_80\n.address_size 64\n.nonsense", 2, options, values),
               CUDA_ERROR_INVALID_PTX);
        CHECK(text[16] == 'x' && std::memchr(text, 0, 16) != nullptr);
        CHECK(reinterpret_cast<size_t>(values[1]) <= 16);
    });
    CHECK(outcome.code == 0, "exit code %d: %s", outcome.code, outcome.errors.c_str());
}

// The options that programs pass are accepted; so is an information log.
void options() {
    openContext();
    CUmodule module = nullptr;
    std::string data = image("driver.ptx");
    char text[256] = "x", errors[256] = "x";
    CUjit_option options[] = {
        CU_JIT_MAX_REGISTERS,    CU_JIT_OPTIMIZATION_LEVEL,          CU_JIT_INFO_LOG_BUFFER,    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
        CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_GENERATE_LINE_INFO, CU_JIT_LOG_VERBOSE};
    void* values[] = {
        reinterpret_cast<void*>(64), reinterpret_cast<void*>(4), text, reinterpret_cast<void*>(256), errors, reinterpret_cast<void*>(256),
        reinterpret_cast<void*>(1),  reinterpret_cast<void*>(1)};
    OK(cuModuleLoadDataEx(&module, data.c_str(), 8, options, values));
    CHECK(reinterpret_cast<size_t>(values[3]) <= 256 && reinterpret_cast<size_t>(values[5]) <= 1, "%p bytes of errors", values[5]);
    OK(cuModuleUnload(module));
    OK(cuModuleLoadDataEx(&module, data.c_str(), 0, nullptr, nullptr));
    OK(cuModuleUnload(module));
    EXPECT(cuModuleLoadDataEx(nullptr, data.c_str(), 0, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleLoadDataEx(&module, data.c_str(), 1, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    CUjit_option unknown = static_cast<CUjit_option>(9999);
    EXPECT(cuModuleLoadDataEx(&module, data.c_str(), 1, &unknown, values), CUDA_ERROR_INVALID_VALUE);
}

std::string kernelWith(const char* statement) {
    return std::string(
               ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<3>;\n.reg .f32 %f<3>;\n") +
           "mov.u32 %r1, 1;\n" + statement + "\nret;\n}\n";
}

void brokenPtx() {
    refusedImage(kernelWith("frobnicate.s32 %r1, %r1;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "frobnicate.s32"});
    refusedImage(kernelWith("add.s33 %r1, %r1, %r1;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "add.s33"});
    refusedImage(kernelWith("add.frobnicate.s32 %r1, %r1, %r1;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "add.frobnicate.s32"});
    refusedImage(kernelWith("add.s32 %r1, %r1;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "add.s32"});
    refusedImage(kernelWith("add.s32 %r1, %r1, %missing;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "%missing"});
    refusedImage(kernelWith("bra $nowhere;"), {CUDA_ERROR_INVALID_PTX}, {":9:", "$nowhere"});
    refusedImage(kernelWith("tex.1d.v4.s32.s32 {%r1,%r1,%r1,%r1}, [p, {%r1}];"), {CUDA_ERROR_INVALID_PTX}, {":9:", "tex"});
    std::string cut = kernelWith("");
    cut.resize(cut.size() - 8);
    refusedImage(cut, {CUDA_ERROR_INVALID_PTX}, {});
    refusedImage(".version 99.0\n.target sm_80\n.address_size 64\n", {CUDA_ERROR_UNSUPPORTED_PTX_VERSION}, {"99.0"});
    refusedImage("this is no image", {CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_IMAGE}, {"PTX"});
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("fatbin on 9.0", [] { fatbin("driver.fatbin", 900, 90); });
    group("fatbin on 8.0", [] { fatbin("driver.fatbin", 800, 80); }, {{"SOFTCUDA_ARCH", "80"}});
    group("fatbin on 10.0", [] { fatbin("driver.fatbin", 1000, 100); }, {{"SOFTCUDA_ARCH", "100"}});
    group("fatbin with LZ4", [] { fatbin("driver.lz4.fatbin", 800, 80); });
    refusedImage(image("driver.sm100.ptx"), {CUDA_ERROR_NO_BINARY_FOR_GPU, CUDA_ERROR_INVALID_PTX}, {"sm_100"});
    refusedImage(image("driver.sm100.fatbin"), {CUDA_ERROR_NO_BINARY_FOR_GPU}, {"PTX"});
    refusedImage(image("driver.zstd.fatbin"), {CUDA_ERROR_NO_BINARY_FOR_GPU, CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_NOT_SUPPORTED},
                 {"compress", "zstd"});
    refusedImage(image("driver.cubin"), {CUDA_ERROR_NO_BINARY_FOR_GPU, CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_NOT_SUPPORTED}, {"cubin"});
    refusedImage(image("driver.cubins.fatbin"), {CUDA_ERROR_NO_BINARY_FOR_GPU}, {"PTX"});
    brokenPtx();
    shortLog();
    group("options", options);
    return report("driver_images");
}
