// Copies: what each call of the family may do at once and what it leaves to the stream.
#include <algorithm>
#include <cstring>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "capture.h"
#include "memory.h"
#include "stream.h"

namespace softcuda {
namespace {

// Pageable sources up to this size are read at the call, which does not wait then: of synchronous calls (as documented), of others.
constexpr u64 kStagedSynchronous = 64 << 10, kStagedAsynchronous = 16 << 20;

void stage(CopyWork& copy) {
    copy.staged = std::make_shared<std::vector<u8>>(copy.width * copy.height);
    const u8* from = reinterpret_cast<const u8*>(copy.source.address);
    for (u64 row = 0; row < copy.height; row++)
        std::memcpy(copy.staged->data() + row * copy.width, from + row * copy.source.pitch, copy.width);
}

// Submits a copy. Pageable memory may be used again when the call returns, unless the copy becomes a node of a graph. Synchronous copies
// have ended when the call returns, but for those inside the device and small ones from pageable memory.
CUresult issue(Context& context, CUstream handle, CopyWork copy, bool synchronous) {
    bool captured = capturing(context, handle);
    bool fromPageable = copy.source.kind == Place::Kind::pageable, toPageable = copy.destination.kind == Place::Kind::pageable;
    u64 stageLimit = synchronous ? kStagedSynchronous : kStagedAsynchronous;
    if (fromPageable && !toPageable && !captured && copy.width * copy.height <= stageLimit) stage(copy);
    bool touchesHost = copy.source.kind != Place::Kind::device || copy.destination.kind != Place::Kind::device;
    bool wait = !captured && !copy.staged && (fromPageable || toPageable || (synchronous && touchesHost));
    TicketRef ticket;
    if (CUresult status = enqueue(context, handle, std::move(copy), &ticket)) return status;
    return wait ? await(context, ticket) : CUDA_SUCCESS;
}

struct Ends {
    const void* hostSource = nullptr;
    void* hostDestination = nullptr;
    u64 deviceSource = 0, deviceDestination = 0;
};

// A copy without gaps.
CUresult linear(const char* call, const Ends& ends, u64 bytes, CUstream handle, bool synchronous) {
    return inContext([&](Context& context) {
        if (streamOf(context, handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (synchronous)
            if (CUresult status = requireNoCaptureOfLegacy(context)) return status;
        if (bytes == 0) return CUDA_SUCCESS;
        CopyWork copy;
        copy.width = bytes;
        CUresult status = ends.deviceSource != 0 ? devicePlace(ends.deviceSource, bytes, call, copy.source)
                                                 : hostPlace(ends.hostSource, bytes, call, copy.source);
        if (status != CUDA_SUCCESS) return status;
        status = ends.deviceDestination != 0 ? devicePlace(ends.deviceDestination, bytes, call, copy.destination)
                                             : hostPlace(ends.hostDestination, bytes, call, copy.destination);
        if (status != CUDA_SUCCESS) return status;
        return issue(context, handle, std::move(copy), synchronous);
    });
}

CUresult place2D(CUmemorytype type, const void* host, u64 device, u64 x, u64 y, u64 pitch, const CopyWork& copy, Place& place) {
    if (pitch == 0 && copy.height == 1 && y == 0) pitch = x + copy.width;
    if (pitch < x + copy.width) return refuse(CUDA_ERROR_INVALID_VALUE, "cuMemcpy2D with a pitch below the width");
    u64 offset = y * pitch + x;
    place.pitch = pitch;
    u64 span = copy.span(place);
    bool onHost = type == CU_MEMORYTYPE_HOST;
    if (type == CU_MEMORYTYPE_UNIFIED) onHost = device < kDeviceBase && !DeviceMemory::get().containsHost(device + offset, span);
    if (onHost) {
        u64 start = type == CU_MEMORYTYPE_HOST ? reinterpret_cast<u64>(host) : device;
        if (start == 0) return CUDA_ERROR_INVALID_VALUE;
        return hostPlace(reinterpret_cast<const void*>(start + offset), span, "cuMemcpy2D", place);
    }
    if (type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_UNIFIED) return devicePlace(device + offset, span, "cuMemcpy2D", place);
    return type == CU_MEMORYTYPE_ARRAY ? refuse(CUDA_ERROR_NOT_SUPPORTED, "cuMemcpy2D with an array") : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace

CUresult devicePlace(u64 address, u64 span, const char* what, Place& place) {
    DeviceMemory& memory = DeviceMemory::get();
    place.address = address;
    if (memory.contains(address, span)) {
        place.kind = Place::Kind::device;
    } else if (memory.containsHost(address, span)) {
        place.kind = Place::Kind::pinned;
    } else {
        return refuse(CUDA_ERROR_INVALID_VALUE,
                      std::string(what) + " of " + std::to_string(span) + " bytes at " + describeAddress(address, span));
    }
    return CUDA_SUCCESS;
}

CUresult hostPlace(const void* start, u64 span, const char* what, Place& place) {
    u64 address = reinterpret_cast<u64>(start);
    if (address == 0 || address >= kDeviceBase || span > kDeviceBase - address)
        return refuse(CUDA_ERROR_INVALID_VALUE, std::string(what) + ": 0x" + std::to_string(address) + " is no host address");
    place.address = address;
    place.kind = DeviceMemory::get().containsHost(address, span) ? Place::Kind::pinned : Place::Kind::pageable;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr destination, const void* source, size_t bytes) {
    return linear("cuMemcpyHtoD", {.hostSource = source, .deviceDestination = destination}, bytes, nullptr, true);
}

EXPORT CUresult cuMemcpyDtoH_v2(void* destination, CUdeviceptr source, size_t bytes) {
    return linear("cuMemcpyDtoH", {.hostDestination = destination, .deviceSource = source}, bytes, nullptr, true);
}

EXPORT CUresult cuMemcpyDtoD_v2(CUdeviceptr destination, CUdeviceptr source, size_t bytes) {
    return linear("cuMemcpyDtoD", {.deviceSource = source, .deviceDestination = destination}, bytes, nullptr, true);
}

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr destination, const void* source, size_t bytes, CUstream stream) {
    return linear("cuMemcpyHtoDAsync", {.hostSource = source, .deviceDestination = destination}, bytes, stream, false);
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void* destination, CUdeviceptr source, size_t bytes, CUstream stream) {
    return linear("cuMemcpyDtoHAsync", {.hostDestination = destination, .deviceSource = source}, bytes, stream, false);
}

EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr destination, CUdeviceptr source, size_t bytes, CUstream stream) {
    return linear("cuMemcpyDtoDAsync", {.deviceSource = source, .deviceDestination = destination}, bytes, stream, false);
}

EXPORT CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* c, CUstream stream) {
    return inContext([&](Context& context) {
        if (c == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (streamOf(context, stream) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (c->WidthInBytes == 0 || c->Height == 0) return CUDA_SUCCESS;
        CopyWork copy;
        copy.width = c->WidthInBytes;
        copy.height = c->Height;
        CUresult status = place2D(c->srcMemoryType, c->srcHost, c->srcDevice, c->srcXInBytes, c->srcY, c->srcPitch, copy, copy.source);
        if (status != CUDA_SUCCESS) return status;
        status = place2D(c->dstMemoryType, c->dstHost, c->dstDevice, c->dstXInBytes, c->dstY, c->dstPitch, copy, copy.destination);
        if (status != CUDA_SUCCESS) return status;
        return issue(context, stream, std::move(copy), false);
    });
}

}  // namespace softcuda
