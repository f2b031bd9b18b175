// Comparisons as setp and set make them.
#pragma once

#include "binder.h"

namespace softcuda {

// A comparison of two registers: a bit for each lane where it holds.
using Test = u32 (*)(const Warp& w, u32 a, u32 b);

// The flags of a comparison that is combined with a predicate c, which may be negated; `second`: there is a second destination.
enum Combine : u32 { none = 0, both = 1, either = 2, differ = 3, combineBits = 3, negated = 4, second = 8 };

// What a form's modifiers say: the comparison, how it is combined, .ftz.
struct Comparison {
    ptx::Type type;  // of the operands
    bool packed;     // f16x2, bf16x2
    u32 combine = none;
    Test test;  // of the low element where packed
    Test high;  // of the high element where packed

    // `types`: how many types end the modifiers.
    Comparison(Binder& b, std::size_t types);
};

inline u32 combined(u32 flags, u32 bits, u32 c) {
    if (flags & negated) c = ~c;
    switch (flags & combineBits) {
        case both:
            return bits & c;
        case either:
            return bits | c;
        case differ:
            return bits ^ c;
        default:
            return bits;
    }
}

void bindSet(Binder& b);  // set.cpp

}  // namespace softcuda
