// cuLaunchKernel: geometry, shared memory and parameters are checked at the call.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "limits.h"
#include "module.h"
#include "stream.h"

namespace softcuda {
namespace {

std::string triple(const u32* n) {
    char text[40];
    std::snprintf(text, sizeof text, "(%u,%u,%u)", n[0], n[1], n[2]);
    return text;
}

CUresult refuseLaunch(const Kernel& kernel, const std::string& why) {
    return refuse(CUDA_ERROR_INVALID_VALUE, "launch of kernel " + kernel.name + " " + why);
}

CUresult checkGeometry(const EntryPoint& entry, const Launch& launch) {
    const Kernel& kernel = *entry.kernel;
    for (int d = 0; d < 3; d++) {
        if (launch.grid[d] == 0 || launch.grid[d] > kMaxGrid[d]) return refuseLaunch(kernel, "with grid " + triple(launch.grid));
        if (launch.block[d] == 0 || launch.block[d] > kMaxBlock[d]) return refuseLaunch(kernel, "with block " + triple(launch.block));
    }
    u32 threads = launch.block[0] * launch.block[1] * launch.block[2];
    if (threads > kThreadsPerBlock || threads > kernel.maxThreads)
        return refuseLaunch(kernel, "with " + std::to_string(threads) + " threads a block: the most are " +
                                        std::to_string(std::min(kThreadsPerBlock, kernel.maxThreads)));
    if (kernel.required[0] != 0 && std::memcmp(kernel.required, launch.block, sizeof kernel.required) != 0)
        return refuseLaunch(kernel, "with block " + triple(launch.block) + ", which must be " + triple(kernel.required));
    if (launch.dynamicShared > entry.maxDynamicShared)
        return refuseLaunch(kernel, "with " + std::to_string(launch.dynamicShared) +
                                        " bytes of dynamic shared memory: " + std::to_string(entry.maxDynamicShared) +
                                        " are allowed (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)");
    return CUDA_SUCCESS;
}

// The parameters that an array of pointers gives.
CUresult readParameters(const Kernel& kernel, void** values, std::vector<u8>& out) {
    if (values == nullptr && !kernel.parameters.empty()) return refuseLaunch(kernel, "without parameters");
    for (std::size_t k = 0; k < kernel.parameters.size(); k++) {
        if (values[k] == nullptr) return refuseLaunch(kernel, "without parameter " + std::to_string(k));
        std::memcpy(out.data() + kernel.parameters[k].offset, values[k], kernel.parameters[k].size);
    }
    return CUDA_SUCCESS;
}

// The parameters that one buffer gives. Its size may include the padding up to the buffer's alignment.
CUresult readBuffer(const Kernel& kernel, void** extra, std::vector<u8>& out) {
    const void* buffer = nullptr;
    std::size_t bytes = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER)
            buffer = extra[1];
        else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE && extra[1] != nullptr)
            std::memcpy(&bytes, extra[1], sizeof bytes);
        else
            return refuseLaunch(kernel, "with an unknown entry in `extra`");
    }
    std::size_t padded = (kernel.parameterBytes + 7ull) / 8 * 8;
    if (bytes != kernel.parameterBytes && bytes != padded)
        return refuseLaunch(kernel,
                            "with " + std::to_string(bytes) + " bytes of parameters: it takes " + std::to_string(kernel.parameterBytes));
    if (buffer == nullptr && kernel.parameterBytes != 0) return refuseLaunch(kernel, "without parameters");
    if (kernel.parameterBytes != 0) std::memcpy(out.data(), buffer, kernel.parameterBytes);
    return CUDA_SUCCESS;
}

}  // namespace

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int gridX, unsigned int gridY, unsigned int gridZ, unsigned int blockX,
                               unsigned int blockY, unsigned int blockZ, unsigned int dynamicShared, CUstream stream, void** parameters,
                               void** extra) {
    return inContext([&](Context& context) {
        static std::atomic<u64> launches{0};
        auto entry = entryPointOf(context, function);
        if (entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        auto launch = std::make_shared<Launch>();
        launch->kernel = entry->kernel;
        const u32 grid[] = {gridX, gridY, gridZ}, block[] = {blockX, blockY, blockZ};
        std::copy(grid, grid + 3, launch->grid);
        std::copy(block, block + 3, launch->block);
        launch->dynamicShared = dynamicShared;
        launch->parameters.resize(entry->kernel->parameterBytes);
        if (CUresult status = checkGeometry(*entry, *launch)) return status;
        if (parameters != nullptr && extra != nullptr) return refuseLaunch(*entry->kernel, "with both kernelParams and extra");
        CUresult status = extra != nullptr ? readBuffer(*entry->kernel, extra, launch->parameters)
                                           : readParameters(*entry->kernel, parameters, launch->parameters);
        if (status != CUDA_SUCCESS) return status;
        launch->serial = ++launches;
        return enqueue(context, stream, KernelWork{entry->module, std::move(launch)});
    });
}

}  // namespace softcuda
