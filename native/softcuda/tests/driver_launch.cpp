// Launches: geometry, parameters, dynamic shared memory, and what is refused.
#include "driver.h"

namespace {

std::string build;

struct Geometry {
    unsigned grid[3], block[3];
};

CUresult launchNone(CUmodule module, const Geometry& g, const char* name = "none") {
    return cuLaunchKernel(functionOf(module, name), g.grid[0], g.grid[1], g.grid[2], g.block[0], g.block[1], g.block[2], 0, nullptr,
                          nullptr, nullptr);
}

void limits() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    const Geometry good[] = {{{1, 1, 1}, {1024, 1, 1}},  {{1, 1, 1}, {1, 1024, 1}},  {{1, 1, 1}, {1, 1, 64}},    {{1, 1, 1}, {8, 2, 64}},
                             {{1, 65535, 1}, {1, 1, 1}}, {{1, 1, 65535}, {1, 1, 1}}, {{70000, 1, 1}, {1, 1, 1}}, {{3, 5, 7}, {5, 3, 2}}};
    for (const Geometry& g : good) OK(launchNone(module, g));
    OK(cuCtxSynchronize());
    const Geometry bad[] = {{{0, 1, 1}, {1, 1, 1}},     {{1, 0, 1}, {1, 1, 1}},        {{1, 1, 0}, {1, 1, 1}},
                            {{1, 1, 1}, {0, 1, 1}},     {{1, 1, 1}, {1, 0, 1}},        {{1, 1, 1}, {1, 1, 0}},
                            {{1, 1, 1}, {1025, 1, 1}},  {{1, 1, 1}, {1, 1025, 1}},     {{1, 1, 1}, {1, 1, 65}},
                            {{1, 1, 1}, {32, 33, 1}},   {{1, 1, 1}, {16, 1, 65}},      {{1, 65536, 1}, {1, 1, 1}},
                            {{1, 1, 65536}, {1, 1, 1}}, {{1u << 31, 1, 1}, {1, 1, 1}}, {{1, 1, 1}, {1u << 31, 2, 1}}};
    for (const Geometry& g : bad) EXPECT(launchNone(module, g), CUDA_ERROR_INVALID_VALUE);
    OK(cuCtxSynchronize());
    OK(cuModuleUnload(module));
}

// Every thread of every block runs once and sees its own indices.
void indices() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction function = functionOf(module, "geometry");
    for (const Geometry& g : {Geometry{{2, 3, 4}, {5, 3, 2}}, Geometry{{7, 1, 2}, {33, 2, 1}}, Geometry{{1, 1, 1}, {1, 1, 64}}}) {
        unsigned blocks = g.grid[0] * g.grid[1] * g.grid[2], threads = g.block[0] * g.block[1] * g.block[2];
        CUdeviceptr out = upload(std::vector<unsigned long long>(blocks * threads, ~0ull));
        void* arguments[] = {&out};
        OK(cuLaunchKernel(function, g.grid[0], g.grid[1], g.grid[2], g.block[0], g.block[1], g.block[2], 0, nullptr, arguments, nullptr));
        std::vector<unsigned long long> got = download<unsigned long long>(out, blocks * threads);
        for (unsigned i = 0; i < blocks * threads; i++) {
            unsigned b = i / threads, t = i % threads;
            unsigned parts[] = {b % g.grid[0],  b / g.grid[0] % g.grid[1],   b / g.grid[0] / g.grid[1],
                                t % g.block[0], t / g.block[0] % g.block[1], t / g.block[0] / g.block[1]};
            unsigned long long wanted = 0;
            for (unsigned part : parts) wanted = wanted << 10 | part;
            CHECK(got[i] == wanted, "thread %u: %llx, not %llx", i, got[i], wanted);
        }
        OK(cuMemFree(out));
    }
    OK(cuModuleUnload(module));
}

#pragma pack(push, 1)
struct Packed {
    char a;
    char gap[7];
    double b;
    short c;
    char gap2[2];
    int d;
    int first;
    char gap3[4];
    double second;
    CUdeviceptr out;
};
#pragma pack(pop)
static_assert(sizeof(Packed) == 48);

CUresult launchPacked(CUfunction function, void* buffer, size_t size) {
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
    return cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra);
}

// Parameters one by one and as one buffer.
void parameters() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction function = functionOf(module, "parameters");
    CUdeviceptr out = upload(std::vector<double>(6, 0));
    struct {
        int first;
        double second;
    } pair = {-6, 0.5};
    OK(launch(function, 1, 1, nullptr, static_cast<char>(-3), 1.25, static_cast<short>(-300), 70000, pair, out));
    CHECK(download<double>(out, 6) == (std::vector<double>{-3, 1.25, -300, 70000, -6, 0.5}));
    Packed packed = {4, {}, -8.5, 77, {}, -5, 9, {}, 2.75, out};
    OK(launchPacked(function, &packed, 48));
    packed.d = 1234567;  // after the call: the launch has its own copy
    CHECK(download<double>(out, 6) == (std::vector<double>{4, -8.5, 77, -5, 9, 2.75}));
    for (size_t size : {0, 8, 40, 47}) EXPECT(launchPacked(function, &packed, size), CUDA_ERROR_INVALID_VALUE);
    for (size_t size : {49, 56})
        EXPECT(launchPacked(function, &packed, size), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    EXPECT(launchPacked(function, nullptr, 48), CUDA_ERROR_INVALID_VALUE);
    EXPECT(launchNone(module, {{1, 1, 1}, {1, 1, 1}}, "parameters"), CUDA_ERROR_INVALID_VALUE);
    size_t size = 48;
    char a = 1;
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END}, *one[] = {&a};
    EXPECT(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, one, extra), CUDA_ERROR_INVALID_VALUE);
    CHECK(download<double>(out, 6)[0] == 4, "a refused launch ran");
    OK(cuMemFree(out));
    OK(cuModuleUnload(module));
}

// Values are taken at the call, not when the kernel runs.
void valuesAreTakenAtTheCall() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUstream stream = newStream();
    CUdeviceptr out = upload(std::vector<int>(32, 0));
    int value = 5, n = 32;
    void* arguments[] = {&out, &value, &n};
    Gate gate(stream);
    OK(cuLaunchKernel(functionOf(module, "fill"), 1, 1, 1, 32, 1, 1, 0, stream, arguments, nullptr));
    value = 6, n = 1;
    gate.open();
    OK(cuStreamSynchronize(stream));
    CHECK(download<int>(out, 32) == std::vector<int>(32, 5));
    OK(cuMemFree(out));
    OK(cuStreamDestroy(stream));
    OK(cuModuleUnload(module));
}

void misuse() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    EXPECT(launch(nullptr, 1, 1, nullptr), CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE);
    CUstream gone = newStream();
    MUST(cuStreamDestroy(gone));
    EXPECT(launch(functionOf(module, "none"), 1, 1, gone), CUDA_ERROR_INVALID_HANDLE);
    CUfunction none = functionOf(module, "none");
    OK(cuCtxSetCurrent(nullptr));
    EXPECT(launch(none, 1, 1, nullptr), CUDA_ERROR_INVALID_CONTEXT);
}

CUresult launchReverse(CUfunction function, CUdeviceptr out, CUdeviceptr in, int n, unsigned shared) {
    void* arguments[] = {&out, &in, &n};
    return cuLaunchKernel(function, 1, 1, 1, 256, 1, 1, shared, nullptr, arguments, nullptr);
}

void dynamicShared() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction reverse = functionOf(module, "reverse"), bounded = functionOf(module, "bounded");
    constexpr int kLargest = 232448 / 4;
    std::vector<int> values(kLargest);
    for (int i = 0; i < kLargest; i++) values[static_cast<size_t>(i)] = i * 11;
    CUdeviceptr in = upload(values), out = upload(values);
    auto works = [&](int n) {
        OK(launchReverse(reverse, out, in, n, static_cast<unsigned>(n) * 4));
        std::vector<int> got = download<int>(out, static_cast<size_t>(n)), wanted(values.begin(), values.begin() + n);
        std::reverse(wanted.begin(), wanted.end());
        CHECK(got == wanted, "%d integers", n);
    };
    works(1);
    works(49152 / 4);
    EXPECT(launchReverse(reverse, out, in, 1, 49153), CUDA_ERROR_INVALID_VALUE);
    OK(cuFuncSetAttribute(reverse, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000));
    works(25000);
    EXPECT(launchReverse(reverse, out, in, 1, 100001), CUDA_ERROR_INVALID_VALUE);
    OK(cuFuncSetAttribute(reverse, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232448));
    works(kLargest);
    EXPECT(launchReverse(reverse, out, in, 1, 232449), CUDA_ERROR_INVALID_VALUE);
    void* arguments[] = {&out, &in};
    OK(cuLaunchKernel(bounded, 1, 1, 1, 128, 1, 1, 49152 - 4096, nullptr, arguments, nullptr));
    EXPECT(cuLaunchKernel(bounded, 1, 1, 1, 128, 1, 1, 49153, nullptr, arguments, nullptr), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree(in));
    OK(cuMemFree(out));
    OK(cuModuleUnload(module));
}

// .maxntid bounds the number of threads, .reqntid fixes each dimension.
void boundsOfKernels() {
    openContext();
    CUmodule module = nullptr, other = loadModule(build + "/tests/kernels/driver.ptx");
    const char* text =
        ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry required()\n.reqntid 16, 4, 1\n{\nret;\n}\n"
        ".visible .entry most()\n.maxntid 8, 8, 1\n{\nret;\n}\n";
    OK(cuModuleLoadData(&module, text));
    if (module == nullptr) return;
    OK(launchNone(module, {{2, 1, 1}, {16, 4, 1}}, "required"));
    for (const Geometry& g : {Geometry{{1, 1, 1}, {64, 1, 1}}, Geometry{{1, 1, 1}, {16, 2, 1}}, Geometry{{1, 1, 1}, {4, 16, 1}}})
        EXPECT(launchNone(module, g, "required"), CUDA_ERROR_INVALID_VALUE);
    OK(launchNone(module, {{1, 1, 1}, {64, 1, 1}}, "most"));
    OK(launchNone(module, {{1, 1, 1}, {3, 3, 3}}, "most"));
    EXPECT(launchNone(module, {{1, 1, 1}, {65, 1, 1}}, "most"), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    int most = 0;
    OK(cuFuncGetAttribute(&most, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, functionOf(module, "most")));
    CHECK(most == 64, "%d", most);
    OK(cuFuncGetAttribute(&most, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, functionOf(module, "required")));
    CHECK(most == 64, "%d", most);
    CUdeviceptr memory = upload(std::vector<int>(1024, 1));
    EXPECT(launch(functionOf(other, "bounded"), 1, 129, nullptr, memory, memory), CUDA_ERROR_INVALID_VALUE,
           CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    OK(cuCtxSynchronize());
    OK(cuMemFree(memory));
    OK(cuModuleUnload(module));
    OK(cuModuleUnload(other));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("limits", limits);
    group("indices", indices);
    group("parameters", parameters);
    group("values", valuesAreTakenAtTheCall);
    group("misuse", misuse);
    group("dynamic shared memory", dynamicShared);
    group("bounds of kernels", boundsOfKernels);
    return report("driver_launch");
}
