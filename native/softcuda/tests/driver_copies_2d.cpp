// cuMemcpy2DAsync between every pair of memory kinds, with pitches and offsets, and what it refuses.
#include "driver.h"

namespace {

constexpr unsigned kPitch = 40, kRows = 6, kBytes = kPitch * kRows;

enum class Kind { pageable, pinned, device, unifiedDevice, unifiedPinned };
const Kind kKinds[] = {Kind::pageable, Kind::pinned, Kind::device, Kind::unifiedDevice, Kind::unifiedPinned};

// kBytes of one kind of memory, filled and read from the host.
struct Buffer {
    explicit Buffer(Kind kind) : kind(kind), host(kBytes) {
        if (onDevice()) MUST(cuMemAlloc(&address, kBytes));
        if (isPinned()) memory = pinned<unsigned char>(kBytes);
    }
    ~Buffer() {
        if (onDevice()) OK(cuMemFree(address));
        if (isPinned()) OK(cuMemFreeHost(memory));
    }
    bool onDevice() const { return kind == Kind::device || kind == Kind::unifiedDevice; }
    bool isPinned() const { return kind == Kind::pinned || kind == Kind::unifiedPinned; }
    void put(const std::vector<unsigned char>& values) {
        host = values;
        if (onDevice()) MUST(cuMemcpyHtoD(address, values.data(), kBytes));
        if (onDevice()) MUST(cuStreamSynchronize(nullptr));
        if (isPinned()) std::copy(values.begin(), values.end(), memory);
    }
    std::vector<unsigned char> get() const {
        if (onDevice()) return download<unsigned char>(address, kBytes);
        return isPinned() ? std::vector<unsigned char>(memory, memory + kBytes) : host;
    }
    Kind kind;
    std::vector<unsigned char> host;
    unsigned char* memory = nullptr;
    CUdeviceptr address = 0;
};

void setSource(CUDA_MEMCPY2D& copy, Buffer& buffer) {
    copy.srcMemoryType = buffer.kind <= Kind::pinned   ? CU_MEMORYTYPE_HOST
                         : buffer.kind == Kind::device ? CU_MEMORYTYPE_DEVICE
                                                       : CU_MEMORYTYPE_UNIFIED;
    copy.srcHost = buffer.kind == Kind::pageable ? buffer.host.data() : buffer.memory;
    copy.srcDevice = buffer.onDevice() ? buffer.address : reinterpret_cast<CUdeviceptr>(buffer.memory);
    copy.srcPitch = kPitch;
}

void setDestination(CUDA_MEMCPY2D& copy, Buffer& buffer) {
    CUDA_MEMCPY2D other = {};
    setSource(other, buffer);
    copy.dstMemoryType = other.srcMemoryType;
    copy.dstHost = const_cast<void*>(other.srcHost);
    copy.dstDevice = other.srcDevice;
    copy.dstPitch = kPitch;
}

void everyPair(CUstream stream) {
    for (Kind from : kKinds) {
        for (Kind to : kKinds) {
            Buffer source(from), destination(to);
            std::vector<unsigned char> values(kBytes), wanted(kBytes, 0xcc);
            for (unsigned i = 0; i < kBytes; i++) values[i] = static_cast<unsigned char>(i);
            source.put(values);
            destination.put(wanted);
            CUDA_MEMCPY2D copy = {};
            setSource(copy, source);
            setDestination(copy, destination);
            copy.srcXInBytes = 3, copy.srcY = 1, copy.dstXInBytes = 7, copy.dstY = 2;
            copy.WidthInBytes = 33, copy.Height = 4;
            for (unsigned y = 0; y < 4; y++)
                for (unsigned x = 0; x < 33; x++) wanted[(2 + y) * kPitch + 7 + x] = values[(1 + y) * kPitch + 3 + x];
            OK(cuMemcpy2DAsync(&copy, stream));
            OK(cuStreamSynchronize(stream));
            CHECK(destination.get() == wanted, "from kind %d to kind %d", static_cast<int>(from), static_cast<int>(to));
        }
    }
}

void pairs() {
    openContext();
    everyPair(nullptr);
    CUstream stream = newStream(CU_STREAM_NON_BLOCKING);
    everyPair(stream);
    OK(cuStreamDestroy(stream));
}

// Pitches that differ, a last row that ends with the memory, one row without a pitch.
void shapes() {
    openContext();
    Buffer source(Kind::device), destination(Kind::pinned);
    std::vector<unsigned char> values(kBytes);
    for (unsigned i = 0; i < kBytes; i++) values[i] = static_cast<unsigned char>(i);
    source.put(values);
    CUDA_MEMCPY2D copy = {};
    setSource(copy, source);
    setDestination(copy, destination);
    copy.dstPitch = 4, copy.WidthInBytes = 4, copy.Height = kRows, copy.srcXInBytes = kPitch - 4;
    OK(cuMemcpy2DAsync(&copy, nullptr));
    OK(cuStreamSynchronize(nullptr));
    for (unsigned i = 0; i < 4 * kRows; i++) CHECK(destination.memory[i] == values[i / 4 * kPitch + kPitch - 4 + i % 4], "byte %u", i);
    copy.srcXInBytes = 0, copy.srcPitch = copy.dstPitch = 0, copy.Height = 1, copy.WidthInBytes = kBytes;
    OK(cuMemcpy2DAsync(&copy, nullptr));
    OK(cuStreamSynchronize(nullptr));
    CHECK(destination.get() == values);
    copy.WidthInBytes = 0;
    OK(cuMemcpy2DAsync(&copy, nullptr));
    OK(cuStreamSynchronize(nullptr));
}

void refused() {
    openContext();
    Buffer source(Kind::device), destination(Kind::pinned);
    CUDA_MEMCPY2D good = {};
    setSource(good, source);
    setDestination(good, destination);
    good.WidthInBytes = kPitch, good.Height = kRows;
    CUDA_MEMCPY2D copy = good;
    copy.srcPitch = kPitch - 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.dstPitch = kPitch - 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.srcXInBytes = 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.dstXInBytes = 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.srcY = 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.Height = kRows + 1;
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.srcMemoryType = static_cast<CUmemorytype>(0);
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.dstMemoryType = static_cast<CUmemorytype>(9);
    EXPECT(cuMemcpy2DAsync(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
    copy = good, copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    REFUSED(cuMemcpy2DAsync(&copy, nullptr));
    EXPECT(cuMemcpy2DAsync(nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    CUstream gone = newStream();
    MUST(cuStreamDestroy(gone));
    EXPECT(cuMemcpy2DAsync(&good, gone), CUDA_ERROR_INVALID_HANDLE);
    OK(cuStreamSynchronize(nullptr));
}

}  // namespace

int main() {
    group("pairs", pairs);
    group("shapes", shapes);
    group("refused", refused);
    return report("driver_copies_2d");
}
