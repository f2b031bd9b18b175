// Integer names, lane masks and the error of a module that cannot be loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace softcuda {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

inline constexpr u32 kLanes = 32;
inline constexpr u32 kAllLanes = 0xffffffffu;

// PTX that cannot be parsed or executed; what() names module, line and instruction.
class PtxError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace softcuda
