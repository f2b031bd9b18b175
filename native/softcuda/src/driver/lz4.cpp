// LZ4 blocks: sequences of literals and copies of what was written before.
#include "image.h"

namespace softcuda {
namespace {

class Reader {
public:
    Reader(const u8* at, u64 size) : at_(at), end_(at + size) {}

    bool atEnd() const { return at_ == end_; }
    u32 byte() {
        take(1);
        return at_[-1];
    }
    const u8* take(u64 count) {
        if (count > static_cast<u64>(end_ - at_)) throw ImageError(CUDA_ERROR_INVALID_IMAGE, "an LZ4 block ends too early");
        at_ += count;
        return at_ - count;
    }
    // A length whose first four bits are given: bytes follow as long as they are full.
    u64 length(u32 bits) {
        u64 length = bits;
        if (bits == 15) {
            u32 next;
            do length += next = byte();
            while (next == 255);
        }
        return length;
    }

private:
    const u8 *at_, *end_;
};

constexpr u64 kShortestMatch = 4;

}  // namespace

std::string inflateLz4(const u8* from, u64 size, u64 bytes) {
    Reader in(from, size);
    std::string out;
    while (!in.atEnd() && out.size() < bytes) {
        u32 token = in.byte();
        u64 literals = in.length(token >> 4);
        out.append(reinterpret_cast<const char*>(in.take(literals)), literals);
        if (in.atEnd() || out.size() >= bytes) break;
        u64 distance = in.byte();
        distance |= in.byte() << 8;
        u64 count = in.length(token & 15) + kShortestMatch;
        if (distance == 0 || distance > out.size() || count > bytes) throw ImageError(CUDA_ERROR_INVALID_IMAGE, "an LZ4 block is damaged");
        for (u64 k = 0; k < count; k++) out += out[out.size() - distance];
    }
    if (out.size() != bytes) throw ImageError(CUDA_ERROR_INVALID_IMAGE, "an LZ4 block does not give the bytes that it promises");
    return out;
}

}  // namespace softcuda
