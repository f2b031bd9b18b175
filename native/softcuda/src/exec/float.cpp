// f32 and f64 arithmetic: add, sub, mul, fma, mad, div, rcp and sqrt in all four rounding modes, on one value or (f32x2) two a lane.
//
// Every operation rounds once. Results of f32 that are NaN are 0x7fffffff. Under .ftz, operands and rounded results that are subnormal
// become zeros of their sign.
#include "families.h"
#include "float_forms.h"
#include "float_lanes.h"

namespace softcuda {
namespace {

struct Add {
    static constexpr u32 kOperands = 2;
    template <class T>
    static T apply(T a, T b, T) {
        return a + b;
    }
};
struct Sub {
    static constexpr u32 kOperands = 2;
    template <class T>
    static T apply(T a, T b, T) {
        return a - b;
    }
};
struct Mul {
    static constexpr u32 kOperands = 2;
    template <class T>
    static T apply(T a, T b, T) {
        return a * b;
    }
};
struct Fma {
    static constexpr u32 kOperands = 3;
    template <class T>
    static T apply(T a, T b, T c) {
        return std::fma(a, b, c);
    }
};
struct Div {
    static constexpr u32 kOperands = 2;
    template <class T>
    static T apply(T a, T b, T) {
        return a / b;
    }
};
struct Rcp {
    static constexpr u32 kOperands = 1;
    template <class T>
    static T apply(T a, T, T) {
        return T(1) / a;
    }
};
struct Sqrt {
    static constexpr u32 kOperands = 1;
    template <class T>
    static T apply(T a, T, T) {
        return std::sqrt(a);
    }
};

template <class Op, u32 kOperand, class T>
inline T operand(const T* values, u32 e) {
    if constexpr (kOperand < Op::kOperands)
        return values[e];
    else
        return T(0);
}

template <class Op, class T, u32 kWidth, bool kFtz, bool kSat>
const Inst* nearest(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]), *c = w.r<T>(i->op[3]);
    forElements<kWidth>(w.mask, w.r<T>(i->op[0]), [=](u32 e) {
        T x = flushIf<kFtz>(operand<Op, 0>(a, e)), y = flushIf<kFtz>(operand<Op, 1>(b, e)), z = flushIf<kFtz>(operand<Op, 2>(c, e));
        return finish<kFtz, kSat>(Op::apply(x, y, z));
    });
    return i + 1;
}

// Rounding toward zero, down or up: one element after the other under the processor's own rounding mode.
template <class Op, class T, u32 kWidth, bool kFtz, bool kSat>
const Inst* directed(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]), *c = w.r<T>(i->op[3]);
    T* d = w.r<T>(i->op[0]);
    RoundingScope scope(static_cast<Rounding>(i->imm));
    for (u32 e = 0; e < kLanes * kWidth; e++) {
        if (!(w.mask >> (e / kWidth) & 1)) continue;
        T x = flushIf<kFtz>(operand<Op, 0>(a, e)), y = flushIf<kFtz>(operand<Op, 1>(b, e)), z = flushIf<kFtz>(operand<Op, 2>(c, e));
        d[e] = finish<kFtz, kSat>(pin(Op::apply(pin(x), pin(y), pin(z))));
    }
    return i + 1;
}

template <class Op, class T, u32 kWidth, bool kFtz, bool kSat>
Run handler(const FloatForm& form) {
    return form.rounding == Rounding::nearest ? nearest<Op, T, kWidth, kFtz, kSat> : directed<Op, T, kWidth, kFtz, kSat>;
}

template <class Op>
Run handler(const FloatForm& form) {
    if (form.type == ptx::Type::f64) return handler<Op, double, 1, false, false>(form);
    if (form.width == 2) return form.ftz ? handler<Op, float, 2, true, false>(form) : handler<Op, float, 2, false, false>(form);
    if (form.ftz) return form.sat ? handler<Op, float, 1, true, true>(form) : handler<Op, float, 1, true, false>(form);
    return form.sat ? handler<Op, float, 1, false, true>(form) : handler<Op, float, 1, false, false>(form);
}

template <class Op>
bool bind(Binder& b, const FloatForm& form) {
    bindOperands(b, form, Op::kOperands);
    b.out().imm = static_cast<u64>(form.rounding);
    b.out().run = handler<Op>(form);
    return true;
}

// For operations that must name their rounding.
template <class Op>
bool bindRounded(Binder& b, const FloatForm& form) {
    if (!form.has(kRn | kRz | kRm | kRp)) throw b.unsupported("a rounding mode is missing");
    return bind<Op>(b, form);
}

constexpr u32 kRoundings = kRn | kRz | kRm | kRp;

}  // namespace

bool bindFloat(Binder& b) {
    const std::string& opcode = b.in().opcode;
    if (!isFloatForm(b.in()) || b.in().has("approx") || b.in().has("full")) return false;
    if (bindFloatSelect(b)) return true;
    if (opcode == "add") return bind<Add>(b, FloatForm(b, kRoundings | kFtz | kSat));
    if (opcode == "sub") return bind<Sub>(b, FloatForm(b, kRoundings | kFtz | kSat));
    if (opcode == "mul") return bind<Mul>(b, FloatForm(b, kRoundings | kFtz | kSat));
    if (opcode == "fma" || opcode == "mad") return bindRounded<Fma>(b, FloatForm(b, kRoundings | kFtz | kSat));
    if (opcode == "div") return bindRounded<Div>(b, FloatForm(b, kRoundings | kFtz));
    if (opcode == "rcp") return bindRounded<Rcp>(b, FloatForm(b, kRoundings | kFtz));
    if (opcode == "sqrt") return bindRounded<Sqrt>(b, FloatForm(b, kRoundings | kFtz));
    return false;
}

}  // namespace softcuda
