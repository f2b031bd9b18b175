// Attributes and parameters of kernels, and how many of their blocks a multiprocessor takes.
#include <algorithm>

#include "../check/checker.h"
#include "limits.h"
#include "module.h"

namespace softcuda {
namespace {

// How registers and shared memory are dealt out, from compute capability 8.0 on.
constexpr u32 kRegisterUnit = 256;  // a warp
constexpr u32 kPartitions = 4;      // of a multiprocessor; a block's warps are spread over them
constexpr u32 kSharedUnit = 128;

u32 roundUp(u32 value, u32 to) { return (value + to - 1) / to * to; }

u32 registersOfWarp(const Kernel& kernel) { return roundUp(kernel.registers * kLanes, kRegisterUnit); }

u32 warpsByRegisters(const Kernel& kernel) { return kRegisters / kPartitions / registersOfWarp(kernel) * kPartitions; }

int attribute(const EntryPoint& entry, CUfunction_attribute attribute) {
    const Kernel& kernel = *entry.kernel;
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
            return static_cast<int>(maxThreadsOf(kernel));
        case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
            return static_cast<int>(kernel.staticShared);
        case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
            return static_cast<int>(kernel.localBytes);
        case CU_FUNC_ATTRIBUTE_NUM_REGS:
            return static_cast<int>(kernel.registers);
        case CU_FUNC_ATTRIBUTE_PTX_VERSION:
            return static_cast<int>(kernel.target);
        case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
            return static_cast<int>(settings().arch);
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            return static_cast<int>(entry.maxDynamicShared);
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            return entry.carveout;
        default:
            return 0;
    }
}

CUresult setAttribute(EntryPoint& entry, CUfunction_attribute attribute, int value) {
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            if (value < 0 || static_cast<u64>(value) + entry.kernel->staticShared > limits().sharedPerBlock)
                return refuse(CUDA_ERROR_INVALID_VALUE, "kernel " + entry.kernel->name + " cannot have " + std::to_string(value) +
                                                            " bytes of dynamic shared memory: beside " +
                                                            std::to_string(entry.kernel->staticShared) + " static ones a block has " +
                                                            std::to_string(limits().sharedPerBlock) + " at most");
            entry.maxDynamicShared = static_cast<u32>(value);
            return CUDA_SUCCESS;
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            if (value < -1 || value > 100) return CUDA_ERROR_INVALID_VALUE;
            entry.carveout = value;
            return CUDA_SUCCESS;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

int blocksPerMultiprocessor(const EntryPoint& entry, u32 threads, u64 dynamicShared) {
    const Kernel& kernel = *entry.kernel;
    if (threads > maxThreadsOf(kernel) || dynamicShared > entry.maxDynamicShared) return 0;
    u32 warps = (threads + kLanes - 1) / kLanes;
    if (registersOfWarp(kernel) * roundUp(warps, kPartitions) > kRegisters) return 0;
    u32 shared = roundUp(kernel.staticShared + static_cast<u32>(dynamicShared) + kReservedShared, kSharedUnit);
    return static_cast<int>(std::min({kBlocksPerMultiprocessor, kThreadsPerMultiprocessor / kLanes / warps,
                                      warpsByRegisters(kernel) / warps, limits().sharedPerMultiprocessor / shared}));
}

}  // namespace

u32 maxThreadsOf(const Kernel& kernel) { return std::min({kernel.maxThreads, kThreadsPerBlock, warpsByRegisters(kernel) * kLanes}); }

EXPORT CUresult cuFuncGetAttribute(int* out, CUfunction_attribute which, CUfunction function) {
    return inContext([&](Context& context) {
        if (out == nullptr || which >= CU_FUNC_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
        auto entry = entryPointOf(context, function);
        if (entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = attribute(*entry, which);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
    return inContext([&](Context& context) {
        auto entry = entryPointOf(context, function);
        return entry == nullptr ? CUDA_ERROR_INVALID_HANDLE : setAttribute(*entry, which, value);
    });
}

EXPORT CUresult cuFuncGetName(const char** out, CUfunction function) {
    return inContext([&](Context& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto entry = entryPointOf(context, function);
        if (entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = entry->kernel->name.c_str();
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuFuncGetParamInfo(CUfunction function, size_t index, size_t* offset, size_t* size) {
    return inContext([&](Context& context) {
        if (offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto entry = entryPointOf(context, function);
        if (entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (index >= entry->kernel->parameters.size()) return CUDA_ERROR_INVALID_VALUE;
        *offset = entry->kernel->parameters[index].offset;
        if (size != nullptr) *size = entry->kernel->parameters[index].size;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* out, CUfunction function, int threads, size_t dynamicShared) {
    return inContext([&](Context& context) {
        if (out == nullptr || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
        auto entry = entryPointOf(context, function);
        if (entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = blocksPerMultiprocessor(*entry, static_cast<u32>(threads), dynamicShared);
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
