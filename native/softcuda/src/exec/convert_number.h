// Any number format of cvt, decoded to an exact value and encoded with a single rounding. This defines the forms that have no handler of
// their own in convert_vector.cpp.
#pragma once

#include "../ptx/ast.h"
#include "float_lanes.h"

namespace softcuda {

// How cvt rounds; the last four give integers in a floating-point format.
enum class ConvertRounding : u8 { none, nearest, nearestAway, zero, down, up, nearestInteger, zeroInteger, downInteger, upInteger };

// A number format: an integer of `bits` bits, or a sign, exponent and fraction.
struct NumberFormat {
    u8 bits;  // as stored
    bool integer;
    bool negative;    // holds negative values
    u8 fraction = 0;  // bits; of an integer none
    i16 bias = 0;
    u8 padding = 0;    // zero bits below the fraction (tf32)
    u32 infinity = 0;  // encoded; of e4m3, which has none, the first that is not finite
    u32 nan = 0;       // the one that conversions give
};

// Of f16x2, e4m3x2, ... the format of an element; null for a type that cvt does not know.
const NumberFormat* numberFormat(ptx::Type type);

struct ConvertFlags {
    bool ftz = false;  // of f32 sources and results
    bool sat = false;  // floating-point results: to [0, 1]
    bool relu = false;
    bool satfinite = false;  // no infinity
};

// `raw` holds a value of `from` in its low bits; so does the result.
u64 convertNumber(const NumberFormat& from, const NumberFormat& to, ConvertRounding rounding, ConvertFlags flags, u64 raw);

}  // namespace softcuda
