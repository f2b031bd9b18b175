// The hook through which other libraries put work into streams.
#include "../hooks.h"

#include "stream.h"

using namespace softcuda;

CUresult softcudaEnqueue(CUstream stream, const char* name, CUresult (*work)(void*), void (*drop)(void*), void* data) {
    return inContext([&](Context& context) {
        auto call = std::make_shared<LibraryCall>(name, work, drop, data);
        CUresult status = enqueue(context, stream, LibraryWork{call});
        if (status != CUDA_SUCCESS) call->drop = nullptr;
        return status;
    });
}
