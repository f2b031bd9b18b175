// Approximations of f32 and f64. Hardware's come with an error bound only, and differ in their last bits between devices; ours are close
// to the correctly rounded value, so a kernel that passes here must leave room for hardware's bound. Errors, as the PTX manual and here
// (ulp: units in the last place; special values, .ftz and the canonical NaN are the manual's):
//
//   instruction               hardware                                                   here
//   ex2.approx.f32            2^-22 relative                                             0.51 ulp
//   lg2.approx.f32            2^-22 absolute for x in (0.5, 2), else 2^-22 relative      0.51 ulp
//   sin.approx, cos.approx    2^-20.5 absolute in [-2 pi, 2 pi], 2^-14.7 in              0.51 ulp, for every finite x
//                             [-100 pi, 100 pi], none beyond
//   tanh.approx.f32           2^-11 relative                                             0.51 ulp
//   rcp.approx.f32            1 ulp                                                      0.5 ulp
//   rsqrt.approx.f32          2^-22.9 relative                                           0.51 ulp
//   sqrt.approx.f32           2^-23 relative                                             0.5 ulp
//   div.full.f32              2 ulp                                                      0.5 ulp
//   div.approx.f32            2 ulp for |b| in [2^-126, 2^126]; for greater b the        0.5 ulp; for greater b as there
//                             result is 0, or NaN if a is infinite
//   rcp, rsqrt.approx.ftz.f64 about 2^-20 relative; low 32 bits are not read and zero    2^-20 relative, likewise
//   rsqrt.approx.f64          near 1 ulp                                                 1 ulp
//   ex2.approx.f16, .bf16     2^-9.9, 2^-7 relative                                      0.51 ulp  (half.cpp)
//   tanh.approx.f16, .bf16    2^-10.987 absolute, 2^-8 relative                          0.51 ulp  (half.cpp)
#include "approx_math.h"
#include "families.h"
#include "float_forms.h"
#include "float_lanes.h"

namespace softcuda {
namespace {

inline float reciprocal(float x) { return 1.0f / x; }
inline float reciprocalRoot(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }
inline float squareRoot(float x) { return std::sqrt(x); }

inline float divideFull(float a, float b) { return a / b; }
// A reciprocal below 2^-126 is zero.
inline float divideApprox(float a, float b) { return std::fabs(b) > 0x1p126f ? a * std::copysign(0.0f, b) : a / b; }

template <bool kFtz, float (*kFunction)(float)>
const Inst* unary(Warp& w, const Inst* i) {
    const float* a = w.r<float>(i->op[1]);
    forElements<1>(w.mask, w.r<float>(i->op[0]), [=](u32 l) { return finish<kFtz, false>(kFunction(flushIf<kFtz>(a[l]))); });
    return i + 1;
}

template <bool kFtz, float (*kFunction)(float, float)>
const Inst* binary(Warp& w, const Inst* i) {
    const float *a = w.r<float>(i->op[1]), *b = w.r<float>(i->op[2]);
    forElements<1>(w.mask, w.r<float>(i->op[0]),
                   [=](u32 l) { return finish<kFtz, false>(kFunction(flushIf<kFtz>(a[l]), flushIf<kFtz>(b[l]))); });
    return i + 1;
}

// kQuadrants 0: sine, 1: cosine. A warp with a large angle takes the C library's, which is exact for any.
template <bool kFtz, u64 kQuadrants>
const Inst* sine(Warp& w, const Inst* i) {
    const float* a = w.r<float>(i->op[1]);
    float* d = w.r<float>(i->op[0]);
    u32 large = 0;
    for (u32 l = 0; l < kLanes; l++) large |= std::fabs(a[l]) > approx::kLargeAngle;
    if (large) {
        forElements<1>(w.mask, d, [=](u32 l) {
            double x = flushIf<kFtz>(a[l]);
            return finish<kFtz, false>(static_cast<float>(kQuadrants ? std::cos(x) : std::sin(x)));
        });
    } else {
        forElements<1>(w.mask, d, [=](u32 l) { return finish<kFtz, false>(approx::sine(flushIf<kFtz>(a[l]), kQuadrants)); });
    }
    return i + 1;
}

constexpr u64 kHighWord = 0xffffffff00000000ull;
constexpr u64 kExponent64 = 0x7ff0000000000000ull;

// The high word of a double, with a zero for a subnormal.
inline double coarse(double x) {
    u64 bits = std::bit_cast<u64>(x);
    bits &= bits & kExponent64 ? kHighWord : kSignBit<double>;
    return std::bit_cast<double>(bits);
}

template <bool kRoot>
const Inst* coarseReciprocal(Warp& w, const Inst* i) {
    const double* a = w.r<double>(i->op[1]);
    forElements<1>(w.mask, w.r<double>(i->op[0]), [=](u32 l) {
        double x = coarse(a[l]);
        x = a[l] == a[l] ? x : std::numeric_limits<double>::quiet_NaN();
        return coarse(1.0 / (kRoot ? std::sqrt(x) : x));
    });
    return i + 1;
}

const Inst* reciprocalRoot64(Warp& w, const Inst* i) {
    const double* a = w.r<double>(i->op[1]);
    forElements<1>(w.mask, w.r<double>(i->op[0]), [=](u32 l) { return 1.0 / std::sqrt(a[l]); });
    return i + 1;
}

bool bind(Binder& b, const FloatForm& form, u32 count, Run run) {
    bindOperands(b, form, count);
    b.out().run = run;
    return true;
}

template <float (*kFunction)(float)>
bool bindUnary(Binder& b) {
    FloatForm form(b, kApprox | kFtz);
    if (form.type != ptx::Type::f32 || form.width != 1) throw b.unsupported("only f32");
    return bind(b, form, 1, form.ftz ? unary<true, kFunction> : unary<false, kFunction>);
}

template <u64 kQuadrants>
bool bindSine(Binder& b) {
    FloatForm form(b, kApprox | kFtz);
    if (form.type != ptx::Type::f32 || form.width != 1) throw b.unsupported("only f32");
    return bind(b, form, 1, form.ftz ? sine<true, kQuadrants> : sine<false, kQuadrants>);
}

bool bindDivision(Binder& b) {
    FloatForm form(b, kApprox | kFull | kFtz);
    if (form.type != ptx::Type::f32 || form.width != 1) throw b.unsupported("only f32");
    if (form.has(kFull)) return bind(b, form, 2, form.ftz ? binary<true, divideFull> : binary<false, divideFull>);
    return bind(b, form, 2, form.ftz ? binary<true, divideApprox> : binary<false, divideApprox>);
}

bool bindReciprocal(Binder& b) {
    if (b.in().type() != ptx::Type::f64) return bindUnary<reciprocal>(b);
    FloatForm form(b, kApprox | kFtz);
    if (!form.ftz) throw b.unsupported("rcp.approx.f64 needs .ftz");
    return bind(b, form, 1, coarseReciprocal<false>);
}

bool bindReciprocalRoot(Binder& b) {
    if (b.in().type() != ptx::Type::f64) return bindUnary<reciprocalRoot>(b);
    FloatForm form(b, kApprox | kFtz);
    return bind(b, form, 1, form.ftz ? coarseReciprocal<true> : reciprocalRoot64);
}

}  // namespace

bool bindApprox(Binder& b) {
    const auto& in = b.in();
    if (!isFloatForm(in)) return false;
    if (in.opcode == "ex2") return bindUnary<approx::exp2>(b);
    if (in.opcode == "lg2") return bindUnary<approx::log2>(b);
    if (in.opcode == "sin") return bindSine<0>(b);
    if (in.opcode == "cos") return bindSine<1>(b);
    if (in.opcode == "tanh") return in.has("ftz") ? false : bindUnary<approx::tanh>(b);
    if (in.opcode == "rsqrt") return bindReciprocalRoot(b);
    if (in.opcode == "div") return in.has("approx") || in.has("full") ? bindDivision(b) : false;
    if (!in.has("approx")) return false;
    if (in.opcode == "rcp") return bindReciprocal(b);
    if (in.opcode == "sqrt") return bindUnary<squareRoot>(b);
    return false;
}

}  // namespace softcuda
