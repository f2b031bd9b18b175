// The image of a module. The layout of a fatbin as nvcc 13.0 writes it (all little-endian):
//
//   header  u32 magic, u16 version = 1, u16 bytes of the header = 16, u64 bytes of the entries that follow
//   entry   u16 kind (1 PTX, 2 ELF), u16 version = 0x0101, u32 bytes of the entry's header, u64 bytes of the payload behind it,
//           u32 bytes of the payload without its padding when compressed (otherwise 0), 8 bytes, u32 architecture at byte 28 (80, 90, 100),
//           u32 offset and u32 length of the source's name, u64 flags at byte 40 (0x2000: payload is an LZ4 block, 0x8000: a zstd frame),
//           8 bytes, u64 bytes of the inflated payload at byte 56
//
// nvcc's default is zstd, `--compress-mode=speed` LZ4, `--compress-mode=none` plain. Payloads of PTX end with zeros.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "../check/checker.h"
#include "image.h"

namespace softcuda {
namespace {

constexpr u32 kFatbinMagic = 0xba55ed50, kWrapperMagic = 0x466243b1;
constexpr u16 kPtx = 1;
constexpr u64 kLz4 = 0x2000, kZstd = 0x8000;
constexpr u64 kHeaderBytes = 16, kEntryBytes = 64;
// The newest PTX that this driver takes: that of toolkit 13.0.
constexpr u32 kPtxMajor = 9, kPtxMinor = 0;

template <class T>
T at(const u8* image, u64 offset) {
    T value;
    std::memcpy(&value, image + offset, sizeof value);
    return value;
}

struct Entry {
    u16 kind = 0;
    u32 arch = 0;
    u64 flags = 0;
    const u8* payload = nullptr;
    u64 bytes = 0, inflated = 0;
};

[[noreturn]] void damaged() { throw ImageError(CUDA_ERROR_INVALID_IMAGE, "the fatbin is damaged"); }

// Reads the entry at `offset` and moves that behind it.
Entry readEntry(const u8* entries, u64 size, u64& offset) {
    if (size - offset < kEntryBytes) damaged();
    const u8* head = entries + offset;
    u64 headBytes = at<u32>(head, 4), payloadBytes = at<u64>(head, 8), compressed = at<u32>(head, 16);
    if (headBytes < kEntryBytes || headBytes > size - offset || payloadBytes > size - offset - headBytes || compressed > payloadBytes)
        damaged();
    offset += headBytes + payloadBytes;
    return {at<u16>(head, 0), at<u32>(head, 28), at<u64>(head, 40), head + headBytes, compressed != 0 ? compressed : payloadBytes,
            at<u64>(head, 56)};
}

std::string textOf(const Entry& entry) {
    std::string name = "the fatbin's PTX for compute_" + std::to_string(entry.arch);
    if ((entry.flags & kZstd) != 0)
        throw ImageError(CUDA_ERROR_INVALID_IMAGE, name + " is compressed with zstd: build it with --compress-mode=none");
    std::string text = (entry.flags & kLz4) != 0 ? inflateLz4(entry.payload, entry.bytes, entry.inflated)
                                                 : std::string(reinterpret_cast<const char*>(entry.payload), entry.bytes);
    return text.substr(0, text.find('\0'));
}

// The PTX entry of the highest architecture that this device can run.
std::string ptxOfFatbin(const u8* image) {
    u64 headBytes = at<u16>(image, 6), size = at<u64>(image, 8), offset = 0;
    if (headBytes < kHeaderBytes) damaged();
    Entry best;
    std::string others;
    while (offset < size) {
        Entry entry = readEntry(image + headBytes, size, offset);
        bool fits = entry.kind == kPtx && entry.arch <= settings().arch;
        if (fits && entry.arch >= best.arch) best = entry;
        if (!fits)
            others += (others.empty() ? "" : ", ") + std::string(entry.kind == kPtx ? "PTX for compute_" : "a cubin for sm_") +
                      std::to_string(entry.arch);
    }
    if (best.payload == nullptr)
        throw ImageError(CUDA_ERROR_NO_BINARY_FOR_GPU, "the fatbin holds no PTX for compute_" + std::to_string(settings().arch) +
                                                           " or below, but " + (others.empty() ? "nothing" : others));
    return textOf(best);
}

// The word behind a directive such as ".target", or nothing.
std::string wordBehind(const std::string& text, const char* directive) {
    for (std::size_t line = 0; line < text.size();) {
        std::size_t end = std::min(text.find('\n', line), text.size());
        std::size_t start = text.find_first_not_of(" \t\r", line);
        if (start < end && text.compare(start, std::strlen(directive), directive) == 0) {
            std::size_t word = text.find_first_not_of(" \t", start + std::strlen(directive));
            if (word < end) return text.substr(word, text.find_first_of(" \t\r\n,/", word) - word);
        }
        line = end + 1;
    }
    return "";
}

// Refuses PTX of a newer toolkit, and for a newer device.
void requireLoadable(const std::string& text) {
    std::string version = wordBehind(text, ".version"), target = wordBehind(text, ".target");
    if (version.empty()) throw ImageError(CUDA_ERROR_INVALID_IMAGE, "the image is neither a fatbin nor PTX");
    unsigned major = 0, minor = 0, arch = 0;
    if (std::sscanf(version.c_str(), "%u.%u", &major, &minor) == 2 && (major > kPtxMajor || (major == kPtxMajor && minor > kPtxMinor)))
        throw ImageError(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "PTX " + version + " is newer than this driver");
    if (std::sscanf(target.c_str(), "sm_%u", &arch) == 1 && arch > settings().arch)
        throw ImageError(CUDA_ERROR_NO_BINARY_FOR_GPU,
                         "PTX for " + target + " does not run on a device of compute capability " + std::to_string(settings().arch));
}

}  // namespace

std::string ptxOf(const void* image) {
    const u8* bytes = static_cast<const u8*>(image);
    std::string text;
    // Texts may be shorter than a magic number.
    if (strnlen(static_cast<const char*>(image), 4) == 4 && at<u32>(bytes, 0) == kWrapperMagic) bytes = at<const u8*>(bytes, 8);
    if (strnlen(reinterpret_cast<const char*>(bytes), 4) == 4 && at<u32>(bytes, 0) == kFatbinMagic)
        text = ptxOfFatbin(bytes);
    else if (std::strncmp(reinterpret_cast<const char*>(bytes), "\177ELF", 4) == 0)
        throw ImageError(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image is a bare cubin (ELF), which only a GPU can run: load a fatbin with PTX");
    else
        text = reinterpret_cast<const char*>(bytes);
    requireLoadable(text);
    return text;
}

}  // namespace softcuda
