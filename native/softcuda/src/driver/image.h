// What cuModuleLoadData is given: PTX text, or a fatbin that holds some.
#pragma once

#include <cuda.h>

#include <stdexcept>

#include "../base.h"

namespace softcuda {

// An image that cannot be loaded: the code that the call returns, and why.
class ImageError : public std::runtime_error {
public:
    ImageError(CUresult code, const std::string& why) : std::runtime_error(why), code(code) {}
    const CUresult code;
};

// The PTX text to load for this device. Throws ImageError.
std::string ptxOf(const void* image);

// Inflates one LZ4 block. Throws ImageError if it is damaged or does not give `bytes` bytes.
std::string inflateLz4(const u8* from, u64 size, u64 bytes);

}  // namespace softcuda
