// Fills. None waits: the memory is the device's, or the order of the stream is all that is promised.
#include "capture.h"
#include "memory.h"
#include "stream.h"

namespace softcuda {
namespace {

CUresult fill(u64 address, u32 value, u32 bytes, u64 count, CUstream handle, bool synchronous) {
    return inContext([&](Context& context) {
        if (streamOf(context, handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (synchronous)
            if (CUresult status = requireNoCaptureOfLegacy(context)) return status;
        if (count > ~0ull / bytes || address % bytes != 0) return CUDA_ERROR_INVALID_VALUE;
        if (count == 0) return CUDA_SUCCESS;
        FillWork work{{}, value, bytes, count};
        if (CUresult status = devicePlace(address, count * bytes, "cuMemset", work.destination)) return status;
        bool wait = synchronous && work.destination.kind == Place::Kind::pinned;
        TicketRef ticket;
        if (CUresult status = enqueue(context, handle, work, &ticket)) return status;
        return wait ? await(context, ticket) : CUDA_SUCCESS;
    });
}

}  // namespace

EXPORT CUresult cuMemsetD8_v2(CUdeviceptr address, unsigned char value, size_t count) {
    return fill(address, value, 1, count, nullptr, true);
}

EXPORT CUresult cuMemsetD32_v2(CUdeviceptr address, unsigned int value, size_t count) {
    return fill(address, value, 4, count, nullptr, true);
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream stream) {
    return fill(address, value, 1, count, stream, false);
}

EXPORT CUresult cuMemsetD32Async(CUdeviceptr address, unsigned int value, size_t count, CUstream stream) {
    return fill(address, value, 4, count, stream, false);
}

}  // namespace softcuda
