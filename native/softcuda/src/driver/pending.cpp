// The least of the driver that tests need, until all of it is there; every function is weak.
#include <cuda.h>

#include <cstring>

#include "../exec/engine.h"
#include "../hooks.h"
#include "../memory/device_memory.h"

using namespace softcuda;

namespace {

int failed = 0;
u64 launches = 0;

CUresult guarded() { return static_cast<CUresult>(failed); }

}  // namespace

#define PENDING extern "C" __attribute__((weak, visibility("default")))

PENDING CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
PENDING CUresult cuDeviceGet(CUdevice* device, int) { return *device = 0, CUDA_SUCCESS; }
PENDING CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) { return *context = nullptr, CUDA_SUCCESS; }
PENDING CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
PENDING CUresult cuGetErrorName(CUresult, const char** name) { return *name = "?", CUDA_SUCCESS; }
PENDING CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
    *address = DeviceMemory::get().allocate(bytes, "cuMemAlloc");
    return *address != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
PENDING CUresult cuMemFree(CUdeviceptr address) { return DeviceMemory::get().release(address) ? guarded() : CUDA_ERROR_INVALID_VALUE; }
PENDING CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
    if (!DeviceMemory::get().contains(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(DeviceMemory::get().host(to), from, bytes);
    DeviceMemory::get().markWritten(to, bytes);
    return guarded();
}
PENDING CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
    if (!DeviceMemory::get().contains(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(to, DeviceMemory::get().host(from), bytes);
    return guarded();
}
PENDING CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    if (!DeviceMemory::get().contains(from, bytes) || !DeviceMemory::get().contains(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(DeviceMemory::get().host(to), DeviceMemory::get().host(from), bytes);
    DeviceMemory::get().copyMarks(to, from, bytes);
    return guarded();
}
PENDING CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
    if (!DeviceMemory::get().contains(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    std::memset(DeviceMemory::get().host(to), value, bytes);
    DeviceMemory::get().markWritten(to, bytes);
    return guarded();
}
PENDING CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    try {
        *module = reinterpret_cast<CUmodule>(Program::load(static_cast<const char*>(image), "module").release());
        return CUDA_SUCCESS;
    } catch (const PtxError& e) {
        std::fprintf(stderr, "softcuda: %s\n", e.what());
        return CUDA_ERROR_INVALID_PTX;
    }
}
PENDING CUresult cuModuleUnload(CUmodule module) {
    delete reinterpret_cast<Program*>(module);
    return CUDA_SUCCESS;
}
PENDING CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    const Kernel* kernel = reinterpret_cast<Program*>(module)->kernel(name);
    *function = reinterpret_cast<CUfunction>(const_cast<Kernel*>(kernel));
    return kernel != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
PENDING CUresult cuModuleGetGlobal(CUdeviceptr* address, size_t* bytes, CUmodule module, const char* name) {
    const GlobalVariable* variable = reinterpret_cast<Program*>(module)->variable(name);
    if (variable == nullptr) return CUDA_ERROR_NOT_FOUND;
    *address = variable->address;
    if (bytes != nullptr) *bytes = variable->size;
    return CUDA_SUCCESS;
}
PENDING CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) { return CUDA_SUCCESS; }
PENDING CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                                unsigned shared, CUstream, void** arguments, void**) {
    const Kernel* kernel = reinterpret_cast<const Kernel*>(function);
    Launch launch;
    launch.kernel = kernel;
    u32 grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    std::memcpy(launch.grid, grid, sizeof grid);
    std::memcpy(launch.block, block, sizeof block);
    launch.dynamicShared = shared;
    launch.serial = ++launches;
    launch.parameters.resize(kernel->parameterBytes);
    for (std::size_t k = 0; k < kernel->parameters.size(); k++)
        std::memcpy(launch.parameters.data() + kernel->parameters[k].offset, arguments[k], kernel->parameters[k].size);
    Fault fault = run(launch);
    if (fault.code != 0) {
        std::fprintf(stderr, "softcuda: launch failed (%d): %s\n", fault.code, fault.message.c_str());
        failed = fault.code;
    }
    return CUDA_SUCCESS;
}
PENDING CUresult cuCtxSynchronize() { return guarded(); }
PENDING CUresult softcudaEnqueue(CUstream, const char*, CUresult (*work)(void*), void (*drop)(void*), void* data) {
    failed = work(data);
    drop(data);
    return CUDA_SUCCESS;
}
