// What every test program uses: loading PTX through the driver API, device buffers, and checks that count.
#pragma once

#include <cuda.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

inline int failures = 0, checks = 0;

#define CHECK(condition, ...)                                                   \
    do {                                                                        \
        checks++;                                                               \
        if (!(condition)) {                                                     \
            failures++;                                                         \
            std::fprintf(stderr, "%s:%d: %s:", __FILE__, __LINE__, #condition); \
            std::fprintf(stderr, " " __VA_ARGS__);                              \
            std::fprintf(stderr, "\n");                                         \
        }                                                                       \
    } while (0)

// Ends the program when a driver call that must succeed does not.
#define MUST(call)                                                                                 \
    do {                                                                                           \
        CUresult must_ = (call);                                                                   \
        if (must_ != CUDA_SUCCESS) {                                                               \
            const char* name_ = "?";                                                               \
            cuGetErrorName(must_, &name_);                                                         \
            std::fprintf(stderr, "%s:%d: %s: %s (%d)\n", __FILE__, __LINE__, #call, name_, must_); \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

// cuInit, and the primary context made current.
inline CUcontext openContext() {
    CUdevice device;
    CUcontext context;
    MUST(cuInit(0));
    MUST(cuDeviceGet(&device, 0));
    MUST(cuDevicePrimaryCtxRetain(&context, device));
    MUST(cuCtxSetCurrent(context));
    return context;
}

inline std::string readFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        std::exit(1);
    }
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
}

// Waits for the copy: a small one from pageable memory may be under way when the call returns, and streams that do not block would overtake
// it.
template <class T>
inline CUdeviceptr upload(const std::vector<T>& host) {
    CUdeviceptr device;
    MUST(cuMemAlloc(&device, host.size() * sizeof(T)));
    MUST(cuMemcpyHtoD(device, host.data(), host.size() * sizeof(T)));
    MUST(cuStreamSynchronize(nullptr));
    return device;
}

template <class T>
inline std::vector<T> download(CUdeviceptr device, size_t count) {
    std::vector<T> host(count);
    MUST(cuMemcpyDtoH(host.data(), device, count * sizeof(T)));
    return host;
}

// The closing line and the exit code of a test program.
inline int report(const char* what) {
    std::printf("%s: %d checks, %d failures\n", what, checks, failures);
    return failures == 0 ? 0 : 1;
}
