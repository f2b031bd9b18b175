// Copies and fills of every kind: what lands where, what is refused, and when host memory is read.
#include <numeric>

#include "driver.h"

namespace {

std::vector<unsigned char> bytes(size_t count, unsigned start = 1) {
    std::vector<unsigned char> result(count);
    for (size_t i = 0; i < count; i++) result[i] = static_cast<unsigned char>(start + i * 7);
    return result;
}

// Odd sizes and offsets; neighbours keep what they had.
void linear() {
    openContext();
    CUdeviceptr a, b;
    MUST(cuMemAlloc(&a, 1003));
    MUST(cuMemAlloc(&b, 1003));
    std::vector<unsigned char> source = bytes(1003);
    OK(cuMemcpyHtoD(a, source.data(), 1003));
    OK(cuMemsetD8(b, 0xee, 1003));
    OK(cuMemcpyDtoD(b + 5, a + 2, 900));
    std::vector<unsigned char> got = download<unsigned char>(b, 1003);
    for (size_t i = 0; i < 1003; i++) {
        unsigned wanted = i >= 5 && i < 905 ? source[i - 3] : 0xee;
        CHECK(got[i] == wanted, "byte %zu is %u, not %u", i, got[i], wanted);
    }
    OK(cuMemcpyDtoH(got.data(), a + 1002, 1));
    CHECK(got[0] == source[1002]);
    OK(cuMemcpyHtoD(a, source.data(), 0));
    OK(cuMemcpyDtoH(got.data(), a, 0));
    OK(cuMemcpyDtoD(a, b, 0));
    OK(cuMemFree(a));
    OK(cuMemFree(b));
}

void refusedCopies() {
    openContext();
    CUdeviceptr a, b;
    MUST(cuMemAlloc(&a, 256));
    MUST(cuMemAlloc(&b, 256));
    std::vector<unsigned char> host(1024);
    for (size_t size : {257, 512}) {
        EXPECT(cuMemcpyHtoD(a, host.data(), size), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemcpyDtoH(host.data(), a, size), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemcpyDtoD(a, b, size), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemcpyHtoDAsync(a, host.data(), size, nullptr), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemcpyDtoHAsync(host.data(), a, size, nullptr), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemcpyDtoDAsync(a, b, size, nullptr), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemsetD8(a, 1, size), CUDA_ERROR_INVALID_VALUE);
        EXPECT(cuMemsetD8Async(a, 1, size, nullptr), CUDA_ERROR_INVALID_VALUE);
    }
    EXPECT(cuMemsetD32(a, 1, 65), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemsetD32Async(a, 1, 65, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemsetD32(a + 2, 1, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemsetD32Async(a + 1, 1, 4, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyHtoD(a, nullptr, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyDtoH(nullptr, a, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyHtoD(0, host.data(), 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyDtoH(host.data(), 0, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemsetD8(0, 1, 16), CUDA_ERROR_INVALID_VALUE);
    MUST(cuMemFree(b));
    EXPECT(cuMemcpyDtoD(a, b, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemsetD8(b, 1, 16), CUDA_ERROR_INVALID_VALUE);
    CUstream gone = newStream();
    MUST(cuStreamDestroy(gone));
    EXPECT(cuMemcpyDtoHAsync(host.data(), a, 16, gone), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuMemcpyHtoDAsync(a, host.data(), 16, gone), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuMemcpyDtoDAsync(a, a + 128, 16, gone), CUDA_ERROR_INVALID_HANDLE);
    OK(cuMemFree(a));
}

void fills() {
    openContext();
    CUdeviceptr a;
    MUST(cuMemAlloc(&a, 64));
    CUstream stream = newStream();
    OK(cuMemsetD8(a, 0x11, 64));
    OK(cuMemsetD32(a + 4, 0x01020304, 2));
    OK(cuMemsetD8Async(a + 13, 0x22, 3, stream));
    OK(cuMemsetD32Async(a + 20, 0xa0b0c0d0, 3, stream));
    OK(cuMemsetD8(a, 1, 0));
    OK(cuMemsetD32(a, 1, 0));
    OK(cuStreamSynchronize(stream));
    std::vector<unsigned char> got = download<unsigned char>(a, 64), wanted(64, 0x11);
    const unsigned words[] = {0x01020304, 0x01020304, 0xa0b0c0d0, 0xa0b0c0d0, 0xa0b0c0d0};
    std::memcpy(&wanted[4], words, 8);
    std::memset(&wanted[13], 0x22, 3);
    std::memcpy(&wanted[20], words + 2, 12);
    CHECK(got == wanted);
    OK(cuStreamDestroy(stream));
    OK(cuMemFree(a));
}

// Pageable memory is read before the call returns and written before it returns; pinned memory when the copy runs.
void whenHostMemoryIsRead() {
    openContext();
    CUstream stream = newStream();
    CUdeviceptr a, b;
    MUST(cuMemAlloc(&a, 400));
    MUST(cuMemAlloc(&b, 400));
    std::vector<int> pageable(100, 1);
    int *in = pinned<int>(100), *out = pinned<int>(100);
    std::fill(in, in + 100, 1);
    std::fill(out, out + 100, 0);
    Gate gate(stream);
    OK(cuMemcpyHtoDAsync(a, in, 400, stream));
    OK(cuMemcpyDtoDAsync(b, a, 400, stream));
    OK(cuMemcpyDtoHAsync(out, b, 400, stream));
    std::fill(in, in + 100, 2);
    CHECK(out[0] == 0);
    gate.open();
    OK(cuStreamSynchronize(stream));
    CHECK(gate.passed());
    CHECK(out[0] == 2 && out[99] == 2, "%d, %d", out[0], out[99]);
    OK(cuMemcpyHtoDAsync(a, pageable.data(), 400, stream));
    std::fill(pageable.begin(), pageable.end(), 3);
    OK(cuMemcpyDtoHAsync(pageable.data(), a, 400, stream));
    CHECK(pageable[0] == 1 && pageable[99] == 1, "%d, %d", pageable[0], pageable[99]);
    OK(cuStreamSynchronize(stream));
    OK(cuMemFreeHost(in));
    OK(cuMemFreeHost(out));
    OK(cuMemFree(a));
    OK(cuMemFree(b));
    OK(cuStreamDestroy(stream));
}

// A pinned address is good for both ends of a copy between devices, as addresses are unified.
void unifiedAddresses() {
    openContext();
    CUdeviceptr a;
    MUST(cuMemAlloc(&a, 64));
    unsigned char* host = pinned<unsigned char>(64);
    std::iota(host, host + 64, 1);
    OK(cuMemcpyDtoD(a, reinterpret_cast<CUdeviceptr>(host), 64));
    std::fill(host, host + 64, 0);
    OK(cuMemcpyDtoD(reinterpret_cast<CUdeviceptr>(host), a, 63));
    OK(cuCtxSynchronize());
    CHECK(host[0] == 1 && host[62] == 63 && host[63] == 0);
    OK(cuMemsetD8(reinterpret_cast<CUdeviceptr>(host), 9, 10));
    OK(cuCtxSynchronize());
    CHECK(host[0] == 9 && host[9] == 9 && host[10] == 11);
    OK(cuMemFreeHost(host));
    OK(cuMemFree(a));
}

}  // namespace

int main() {
    group("linear", linear);
    group("refused", refusedCopies);
    group("fills", fills);
    group("when host memory is read", whenHostMemoryIsRead);
    group("unified addresses", unifiedAddresses);
    return report("driver_copies");
}
