// The modifiers of f32 and f64 instructions, read at load time.
#pragma once

#include "binder.h"
#include "float_lanes.h"

namespace softcuda {

// Modifiers that a form may have.
inline constexpr u32 kRn = 1, kRz = 2, kRm = 4, kRp = 8, kFtz = 16, kSat = 32, kNaN = 64, kXorsign = 128, kApprox = 256, kFull = 512;

struct FloatForm {
    ptx::Type type = ptx::Type::none;  // of an element
    u32 width = 1;                     // elements a lane
    u32 modifiers = 0;
    Rounding rounding = Rounding::nearest;
    bool ftz = false, sat = false;

    // Throws where a modifier is none of `allowed`.
    FloatForm(Binder& b, u32 allowed);
    bool has(u32 modifier) const { return (modifiers & modifier) != 0; }
};

// Whether the instruction's last modifier is f32, f64 or f32x2.
bool isFloatForm(const ptx::Instruction& in);

// op[0] written, op[1..count] read; throws where the number of operands is another.
void bindOperands(Binder& b, const FloatForm& form, u32 count);

// neg, abs, min, max, copysign, testp: no rounding, only bits and comparisons (float_select.cpp).
bool bindFloatSelect(Binder& b);

}  // namespace softcuda
