// What device code calls and the driver provides: printf and assert.
#include <cuda.h>

#include <cstdio>
#include <cstring>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "decoder.h"

namespace softcuda {
namespace {

template <class T>
T argument(const Warp& w, u32 area, u32 lane) {
    T value;
    std::memcpy(&value, w.regs + area + lane * sizeof(T), sizeof(T));
    return value;
}

// The memory behind a generic address of this lane, or null.
const u8* memory(const Warp& w, u32 lane, u64 address, u64 bytes) {
    const DeviceMemory& device = DeviceMemory::get();
    if (address >= kLocalWindow && address - kLocalWindow + bytes <= w.localStride)
        return w.local + static_cast<u64>(lane) * w.localStride + (address - kLocalWindow);
    if (address >= kSharedWindow && address - kSharedWindow + bytes <= w.block->sharedBytes)
        return w.block->shared + (address - kSharedWindow);
    return device.contains(address, bytes) ? device.host(address) : nullptr;
}

std::string textAt(const Warp& w, u32 lane, u64 address) {
    std::string text;
    for (const u8* c; (c = memory(w, lane, address, 1)) != nullptr && *c != 0; address++) text += static_cast<char>(*c);
    return text;
}

// Reads the packed arguments of one call in order: each aligned to its size.
class Arguments {
public:
    Arguments(const Warp& w, u32 lane, u64 buffer) : w_(w), lane_(lane), buffer_(buffer) {}

    template <class T>
    T next() {
        at_ = (at_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
        T value{};
        if (const u8* from = memory(w_, lane_, buffer_ + at_, sizeof(T))) std::memcpy(&value, from, sizeof(T));
        at_ += sizeof(T);
        return value;
    }
    std::string text() { return textAt(w_, lane_, next<u64>()); }

private:
    const Warp& w_;
    u32 lane_;
    u64 buffer_;
    u64 at_ = 0;
};

template <class T>
std::string formatted(const std::string& spec, T value) {
    char out[512];
    std::snprintf(out, sizeof out, spec.c_str(), value);
    return out;
}

// One conversion: flags, width and precision of `spec` are those of C; `*` takes an argument.
std::string convert(std::string spec, Arguments& arguments) {
    for (std::size_t star; (star = spec.find('*')) != std::string::npos;) spec.replace(star, 1, std::to_string(arguments.next<i32>()));
    char kind = spec.back();
    bool wide = spec.find('l') != std::string::npos || spec.find('z') != std::string::npos || spec.find('j') != std::string::npos;
    switch (kind) {
        case 's':
            return formatted(spec, arguments.text().c_str());
        case 'p':
            return formatted(spec, reinterpret_cast<void*>(arguments.next<u64>()));
        case 'f':
        case 'F':
        case 'e':
        case 'E':
        case 'g':
        case 'G':
        case 'a':
        case 'A':
            return formatted(spec, arguments.next<double>());
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
        case 'c':
            return wide ? formatted(spec, arguments.next<i64>()) : formatted(spec, arguments.next<i32>());
        default:
            return spec;
    }
}

// `count` becomes the number of conversions.
std::string format(const std::string& text, Arguments arguments, u32& count) {
    std::string out;
    count = 0;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        std::size_t end = text.find_first_of("diouxXfFeEgGaAcsp%", i + 1);
        if (end == std::string::npos) return out + text.substr(i);
        count += text[end] != '%';
        out += text[end] == '%' ? "%" : convert(text.substr(i, end - i + 1), arguments);
        i = end;
    }
    return out;
}

}  // namespace

namespace control {

// vprintf(format, arguments) -> number of arguments
const Inst* print(Warp& w, const Inst* i) {
    std::string out;
    for (u32 l = 0; l < kLanes; l++) {
        if (!(w.mask >> l & 1)) continue;
        u32 count;
        out += format(textAt(w, l, argument<u64>(w, i->op[0], l)), Arguments(w, l, argument<u64>(w, i->op[1], l)), count);
        std::memcpy(w.regs + i->op[2] + l * 4, &count, 4);
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
    return i + 1;
}

// __assertfail(expression, file, line, function, bytes of a character)
const Inst* assertFail(Warp& w, const Inst* i) {
    u32 lane = static_cast<u32>(__builtin_ctz(w.mask));
    fault(CUDA_ERROR_ASSERT, w, i, lane,
          textAt(w, lane, argument<u64>(w, i->op[1], lane)) + ":" + std::to_string(argument<u32>(w, i->op[2], lane)) + ": " +
              textAt(w, lane, argument<u64>(w, i->op[3], lane)) + ": assertion '" + textAt(w, lane, argument<u64>(w, i->op[0], lane)) +
              "' failed");
}

}  // namespace control
}  // namespace softcuda
