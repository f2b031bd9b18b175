// The one device: its name, size and attributes.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "../check/checker.h"
#include "context.h"
#include "limits.h"

namespace softcuda {
namespace {

constexpr Limits kA100 = {"softcuda (NVIDIA A100-SXM4-80GB)", 8, 0, 108, 1410000, 1593000, 5120, 40 << 20, 164 << 10, 163 << 10, 0};
constexpr Limits kH100 = {"softcuda (NVIDIA H100 80GB HBM3)", 9, 0, 132, 1980000, 2619000, 5120, 50 << 20, 228 << 10, 227 << 10, 1};
constexpr Limits kB200 = {"softcuda (NVIDIA B200)", 10, 0, 148, 1965000, 3996000, 8192, 126 << 20, 228 << 10, 227 << 10, 1};

constexpr char kBusId[] = "0000:5C:00.0";
constexpr unsigned char kUuid[16] = {0x73, 0x6f, 0x66, 0x74, 0x63, 0x75, 0x64, 0x61, 0, 0, 0, 0, 0, 0, 0, 1};

struct Attribute {
    CUdevice_attribute attribute;
    int value;
};

// What is the same on all of them. Attributes that are not listed anywhere are 0: the feature is not there.
constexpr Attribute kCommon[] = {
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kThreadsPerBlock},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, kMaxBlock[0]},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, kMaxBlock[1]},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, kMaxBlock[2]},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, kMaxGrid[0]},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, kMaxGrid[1]},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, kMaxGrid[2]},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, kSharedWithoutOptIn},
    {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 64 << 10},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE, kLanes},
    {CU_DEVICE_ATTRIBUTE_MAX_PITCH, 0x7fffffff},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, kRegisters},
    {CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, 512},
    {CU_DEVICE_ATTRIBUTE_GPU_OVERLAP, 1},
    {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
    {CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 1},
    {CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0x5c},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, kThreadsPerMultiprocessor},
    {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 3},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
    {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, kRegisters},
    {CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO, 2},
    {CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 1},
    {CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, kBlocksPerMultiprocessor},
    {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, kReservedShared},
    {CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
};

int valueOf(CUdevice_attribute attribute) {
    const Limits& l = limits();
    const Attribute own[] = {
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, static_cast<int>(l.clockKilohertz)},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, static_cast<int>(l.multiprocessors)},
        {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, static_cast<int>(l.memoryClockKilohertz)},
        {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, static_cast<int>(l.busBits)},
        {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, static_cast<int>(l.l2Bytes)},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, static_cast<int>(l.major)},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, static_cast<int>(l.minor)},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, static_cast<int>(l.sharedPerMultiprocessor)},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, static_cast<int>(l.sharedPerBlock)},
    };
    for (const Attribute& a : own)
        if (a.attribute == attribute) return a.value;
    for (const Attribute& a : kCommon)
        if (a.attribute == attribute) return a.value;
    return 0;
}

// Copies a text of the given length at most, its end included.
void copyText(char* out, int length, const char* text) {
    std::size_t bytes = std::min<std::size_t>(std::strlen(text), static_cast<std::size_t>(length) - 1);
    std::memcpy(out, text, bytes);
    out[bytes] = 0;
}

}  // namespace

const Limits& limits() {
    u32 arch = settings().arch;
    return arch == 80 ? kA100 : arch == 100 ? kB200 : kH100;
}

CUresult requireDevice(CUdevice device, const char* function) {
    CUresult status = requireInit();
    if (status == CUDA_SUCCESS) status = static_cast<CUresult>(planted(function));
    return status == CUDA_SUCCESS && device != 0 ? CUDA_ERROR_INVALID_DEVICE : status;
}

EXPORT CUresult cuDeviceGet(CUdevice* out, int ordinal) {
    return initialised([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
        *out = 0;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuDeviceGetCount(int* out) {
    return initialised([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = 1;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuDeviceGetName(char* out, int length, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
    copyText(out, length, limits().name);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid_v2(CUuuid* out, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(out->bytes, kUuid, sizeof kUuid);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t* out, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = settings().memory;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int* out, CUdevice_attribute attribute, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr || attribute < 1 || attribute >= CU_DEVICE_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
    *out = valueOf(attribute);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetPCIBusId(char* out, int length, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr || length < static_cast<int>(sizeof kBusId)) return CUDA_ERROR_INVALID_VALUE;
    copyText(out, length, kBusId);
    return CUDA_SUCCESS;
}

}  // namespace softcuda
