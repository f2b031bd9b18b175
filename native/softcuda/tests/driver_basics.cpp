// Initialisation, the device and its attributes, the primary context and the stack of current contexts.
#include <cudaProfiler.h>

#include "driver.h"

namespace {

void beforeInit() {
    int number = 0;
    char text[64];
    CUdevice device = 0;
    CUcontext context = nullptr;
    CUuuid uuid;
    size_t bytes = 0;
    OK(cuDriverGetVersion(&number));
    CHECK(number >= CUDA_VERSION, "driver version %d", number);
    EXPECT(cuDeviceGetCount(&number), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceGet(&device, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceGetName(text, sizeof text, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceGetPCIBusId(text, sizeof text, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceGetUuid(&uuid, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceTotalMem(&bytes, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDeviceGetAttribute(&number, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuCtxSetCurrent(nullptr), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuCtxPopCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuCtxPushCurrent(nullptr), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT(cuInit(1), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetCount(&number), CUDA_ERROR_NOT_INITIALIZED);
    OK(cuInit(0));
    OK(cuInit(0));
    OK(cuDeviceGetCount(&number));
    CHECK(number == 1, "%d devices", number);
    EXPECT(cuDriverGetVersion(nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetCount(nullptr), CUDA_ERROR_INVALID_VALUE);
}

void device() {
    MUST(cuInit(0));
    CUdevice device = -1;
    OK(cuDeviceGet(&device, 0));
    EXPECT(cuDeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDeviceGet(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
    char name[256] = "", cut[8] = "#######", bus[32] = "";
    OK(cuDeviceGetName(name, sizeof name, device));
    CHECK(std::strlen(name) > 3, "name '%s'", name);
    OK(cuDeviceGetName(cut, 4, device));
    CHECK(std::strlen(cut) == 3 && std::strncmp(cut, name, 3) == 0 && cut[4] == '#', "cut to '%s'", cut);
    EXPECT(cuDeviceGetName(nullptr, 10, device), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetName(name, sizeof name, 1), CUDA_ERROR_INVALID_DEVICE);
    OK(cuDeviceGetPCIBusId(bus, sizeof bus, device));
    unsigned domain, number, slot, function;
    CHECK(std::sscanf(bus, "%x:%x:%x.%x", &domain, &number, &slot, &function) == 4 && std::strlen(bus) == 12, "bus id '%s'", bus);
    EXPECT(cuDeviceGetPCIBusId(nullptr, 13, device), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetPCIBusId(bus, sizeof bus, 7), CUDA_ERROR_INVALID_DEVICE);
    CUuuid first = {}, second = {};
    OK(cuDeviceGetUuid(&first, device));
    OK(cuDeviceGetUuid(&second, device));
    CUuuid zero = {};
    CHECK(std::memcmp(&first, &second, sizeof first) == 0 && std::memcmp(&first, &zero, sizeof first) != 0);
    EXPECT(cuDeviceGetUuid(nullptr, device), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetUuid(&first, 1), CUDA_ERROR_INVALID_DEVICE);
    size_t bytes = 0;
    OK(cuDeviceTotalMem(&bytes, device));
    CHECK(bytes == size_t{64} << 20, "%zu bytes", bytes);
    EXPECT(cuDeviceTotalMem(nullptr, device), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceTotalMem(&bytes, 1), CUDA_ERROR_INVALID_DEVICE);
}

void checkAttributes(std::initializer_list<std::pair<CUdevice_attribute, int>> wanted) {
    for (const auto& [attribute, value] : wanted) {
        int got = -1;
        OK(cuDeviceGetAttribute(&got, attribute, 0));
        CHECK(got == value, "attribute %d is %d, not %d", attribute, got, value);
    }
}

// The limits that all devices of compute capability 8.0 and 9.0 share.
void commonAttributes() {
    checkAttributes({{CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                     {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
                     {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
                     {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
                     {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
                     {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
                     {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
                     {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
                     {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
                     {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
                     {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
                     {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
                     {CU_DEVICE_ATTRIBUTE_INTEGRATED, 0},
                     {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
                     {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
                     {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
                     {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1}});
    for (CUdevice_attribute attribute : {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
                                         CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT}) {
        int value = 0;
        OK(cuDeviceGetAttribute(&value, attribute, 0));
        CHECK(value > 0, "attribute %d is %d", attribute, value);
    }
    int ecc = -1;
    OK(cuDeviceGetAttribute(&ecc, CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 0));
    CHECK(ecc == 0 || ecc == 1);
    EXPECT(cuDeviceGetAttribute(nullptr, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetAttribute(&ecc, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 1), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDeviceGetAttribute(&ecc, static_cast<CUdevice_attribute>(0), 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceGetAttribute(&ecc, static_cast<CUdevice_attribute>(9999), 0), CUDA_ERROR_INVALID_VALUE);
}

void attributesOfH100() {
    MUST(cuInit(0));
    commonAttributes();
    checkAttributes({{CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9},
                     {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
                     {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132},
                     {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 50 << 20},
                     {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 227 * 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 228 * 1024}});
}

void attributesOfA100() {
    MUST(cuInit(0));
    commonAttributes();
    checkAttributes({{CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 8},
                     {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
                     {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 108},
                     {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 40 << 20},
                     {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 163 * 1024},
                     {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 164 * 1024}});
}

void checkCurrent(CUcontext wanted) {
    CUcontext current = reinterpret_cast<CUcontext>(1);
    OK(cuCtxGetCurrent(&current));
    CHECK(current == wanted, "%p is current, not %p", static_cast<void*>(current), static_cast<void*>(wanted));
}

void contexts() {
    MUST(cuInit(0));
    checkCurrent(nullptr);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    CUcontext context = nullptr, again = nullptr, popped = nullptr;
    EXPECT(cuCtxPopCurrent(&popped), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    OK(cuDevicePrimaryCtxRetain(&again, 0));
    CHECK(context != nullptr && context == again);
    checkCurrent(nullptr);
    OK(cuCtxSetCurrent(context));
    checkCurrent(context);
    OK(cuCtxSynchronize());
    OK(cuCtxPushCurrent(context));
    OK(cuCtxPopCurrent(&popped));
    CHECK(popped == context);
    checkCurrent(context);
    OK(cuCtxPopCurrent(&popped));
    checkCurrent(nullptr);
    OK(cuCtxPushCurrent(context));
    checkCurrent(context);
    std::thread([] { checkCurrent(nullptr); }).join();
    OK(cuCtxSetCurrent(nullptr));
    checkCurrent(nullptr);
    OK(cuCtxSetCurrent(nullptr));
    EXPECT(cuCtxPushCurrent(nullptr), CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuCtxGetCurrent(nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDevicePrimaryCtxRetain(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDevicePrimaryCtxRetain(&again, 1), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDevicePrimaryCtxRelease(1), CUDA_ERROR_INVALID_DEVICE);
}

// The last release resets the context; it stays on the stack, but is of no use until it is retained again.
void release() {
    CUcontext context = openContext(), again = nullptr;
    CUdeviceptr memory = 0;
    OK(cuMemAlloc(&memory, 256));
    OK(cuDevicePrimaryCtxRetain(&again, 0));
    OK(cuDevicePrimaryCtxRelease(0));
    OK(cuMemsetD8(memory, 1, 256));
    OK(cuMemFree(memory));
    OK(cuDevicePrimaryCtxRelease(0));
    checkCurrent(context);
    EXPECT(cuMemAlloc(&memory, 256), CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuDevicePrimaryCtxRetain(&again, 0));
    OK(cuCtxSetCurrent(again));
    OK(cuMemAlloc(&memory, 256));
    OK(cuMemFree(memory));
}

void profiler() {
    openContext();
    OK(cuProfilerStart());
    OK(cuProfilerStart());
    OK(cuProfilerStop());
    OK(cuProfilerStop());
}

}  // namespace

int main() {
    group("before init", beforeInit);
    group("device", device, {{"SOFTCUDA_MEMORY", "64M"}});
    group("attributes, 9.0", attributesOfH100);
    group("attributes, 8.0", attributesOfA100, {{"SOFTCUDA_ARCH", "80"}});
    group("contexts", contexts);
    group("release", release);
    group("profiler", profiler);
    return report("driver_basics");
}
