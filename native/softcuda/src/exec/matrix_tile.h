// The product of one warp's fragments: D = A * B + C with A of 16 x K, B of K x 8, for mma.sync.m16n8kK.
//
// Lane l = 4 g + t holds, as the PTX manual lays fragments out (E elements of A or B a register, the lowest bits first):
//   A register 2 p + h, element e:  row g + 8 h, column (k) 4 E p + E t + e
//   B register p, element e:        row (k) 4 E p + E t + e, column g
//   C or D of 32 bits, register 2 h + c:         row g + 8 h, column 2 t + c
//   C or D of f16, register h, element c:        likewise
//
// Here a column of A, C or D is one vector of 16 rows; an element of B is broadcast over it.
#pragma once

#include <immintrin.h>

#include <cmath>

#include "half.h"
#include "warp.h"

namespace softcuda::mma {

using Words = u32 __attribute__((vector_size(64)));
using Floats = float __attribute__((vector_size(64)));
using Ints = i32 __attribute__((vector_size(64)));

inline Words bitsOf(Floats x) { return reinterpret_cast<Words>(x); }
inline Floats floatsOf(Words x) { return reinterpret_cast<Floats>(x); }

// a * b + c, rounded once.
inline Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
    return reinterpret_cast<Floats>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
#else
    Floats d;
    for (u32 k = 0; k < 16; k++) d[k] = std::fma(a[k], b[k], c[k]);
    return d;
#endif
}

// Lanes 0 to 15 and 16 to 31 of one register.
struct Register {
    Words low, high;
};

inline Register load(const u32* lanes) { return {*reinterpret_cast<const Words*>(lanes), *reinterpret_cast<const Words*>(lanes + 16)}; }

// column[t] = rows of the lanes 4 g + t: `top` gives rows 0 to 7, `bottom` rows 8 to 15.
inline void toColumns(Register top, Register bottom, Words column[4]) {
    constexpr Words kFirst = {0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29};
    constexpr Words kSecond = kFirst + 2;
    constexpr Words kLow = {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23};
    constexpr Words kHigh = kLow + 8;
    Words top01 = __builtin_shuffle(top.low, top.high, kFirst), top23 = __builtin_shuffle(top.low, top.high, kSecond);
    Words bottom01 = __builtin_shuffle(bottom.low, bottom.high, kFirst), bottom23 = __builtin_shuffle(bottom.low, bottom.high, kSecond);
    column[0] = __builtin_shuffle(top01, bottom01, kLow);
    column[1] = __builtin_shuffle(top01, bottom01, kHigh);
    column[2] = __builtin_shuffle(top23, bottom23, kLow);
    column[3] = __builtin_shuffle(top23, bottom23, kHigh);
}

// The inverse of toColumns.
inline void fromColumns(const Words column[4], Register& top, Register& bottom) {
    constexpr Words kRows01 = {0, 16, 0, 0, 1, 17, 0, 0, 2, 18, 0, 0, 3, 19, 0, 0};  // of columns 0 and 1; those of 2 and 3 alike
    constexpr Words kMerge = {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29};
    auto interleave = [&](u32 row) {
        Words index = kRows01 + row;
        return __builtin_shuffle(__builtin_shuffle(column[0], column[1], index), __builtin_shuffle(column[2], column[3], index), kMerge);
    };
    top = {interleave(0), interleave(4)};
    bottom = {interleave(8), interleave(12)};
}

// --- Formats of A and B -----------------------------------------------------------------------------------------------------------

// kElements: E above; element(words, e): element e of each register as f32, exactly.
struct Half {
    static constexpr u32 kElements = 2;
    static Floats element(Words words, u32 e) {
        Floats result;
        for (u32 k = 0; k < 16; k++) result[k] = halfToFloat(static_cast<u16>(words[k] >> (16 * e)));
        return result;
    }
};

struct Bfloat {
    static constexpr u32 kElements = 2;
    static Floats element(Words words, u32 e) { return floatsOf(e == 0 ? words << 16 : words & 0xffff0000u); }
};

// The low 13 bits of the register do not count.
struct Tf32 {
    static constexpr u32 kElements = 1;
    static Floats element(Words words, u32) { return floatsOf(words & 0xffffe000u); }
};

struct Signed8 {
    static constexpr u32 kElements = 4;
    static Floats element(Words words, u32 e) {
        Ints bytes = reinterpret_cast<Ints>(words << (24 - 8 * e)) >> 24;
        return __builtin_convertvector(bytes, Floats);
    }
};

struct Unsigned8 {
    static constexpr u32 kElements = 4;
    static Floats element(Words words, u32 e) {
        Ints bytes = reinterpret_cast<Ints>(words >> (8 * e) & 0xff);
        return __builtin_convertvector(bytes, Floats);
    }
};

// sum[n] += A * B, along k in order, each step fused; kPairs registers of B, twice as many of A.
template <class FormatA, class FormatB, u32 kPairs>
inline void accumulate(Warp& w, const u32* a, const u32* b, Floats sum[8]) {
    constexpr u32 kElements = FormatA::kElements;
    for (u32 p = 0; p < kPairs; p++) {
        Words packed[4];
        toColumns(load(w.r<u32>(a[2 * p])), load(w.r<u32>(a[2 * p + 1])), packed);
        Register rows = load(w.r<u32>(b[p]));
        alignas(64) float broadcast[kElements][kLanes];
        for (u32 e = 0; e < kElements; e++) {
            *reinterpret_cast<Floats*>(broadcast[e]) = FormatB::element(rows.low, e);
            *reinterpret_cast<Floats*>(broadcast[e] + 16) = FormatB::element(rows.high, e);
        }
#pragma GCC unroll 4
        for (u32 t = 0; t < 4; t++) {
#pragma GCC unroll 4
            for (u32 e = 0; e < kElements; e++) {
                Floats column = FormatA::element(packed[t], e);
#pragma GCC unroll 8
                for (u32 n = 0; n < 8; n++) sum[n] = fused(column, Floats{} + broadcast[e][4 * n + t], sum[n]);
            }
        }
    }
}

}  // namespace softcuda::mma
