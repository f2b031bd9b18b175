// Conformance of f16 and bf16, one value or two in a register: add, sub, mul, fma, neg, abs, min, max, ex2.approx, tanh.approx.
#include "conformance_halves.h"

using namespace conformance;

namespace {

// Adds a form of two or three sources; T is the type of a register, f takes and gives the bits of an element.
template <class T, class F>
Form& elementwise(const std::string& text, u32 count, F f) {
    using Bits = decltype(T::bits);
    auto all = [f](T a, T b, T c) {
        T result{};
        for (u32 k = 0; k < sizeof(T) / 2; k++) {
            u16 element = f(static_cast<u16>(a.bits >> 16 * k), static_cast<u16>(b.bits >> 16 * k), static_cast<u16>(c.bits >> 16 * k));
            result.bits = static_cast<Bits>(result.bits | element << 16 * k);
        }
        return result;
    };
    if (count == 1) return form(text, [all](T a) -> T { return all(a, T{}, T{}); });
    if (count == 2) return form(text, [all](T a, T b) -> T { return all(a, b, T{}); });
    return form(text, [all](T a, T b, T c) -> T { return all(a, b, c); });
}

enum class Limit { none, saturate, relu };

// An exact a * b + c in format E: flushed, rounded, limited.
template <class E>
u16 computed(bool ftz, Limit limit, u16 a, u16 b, u16 c, bool negateC) {
    if (ftz) a = flushedBits<E>(a), b = flushedBits<E>(b), c = flushedBits<E>(c);
    Exact sum = exactSum(exact<E>(a) * exact<E>(b), negateC ? -exact<E>(c) : exact<E>(c));
    u16 result = encode<E>(sum);
    if (ftz) result = flushedBits<E>(result);
    bool nan = std::isnan(valueOf(E{result})), negative = result & 0x8000;
    if (limit == Limit::saturate) return nan || negative ? 0 : std::min(result, kOne<E>);
    if (limit == Limit::relu && !nan && negative) return 0;
    return result;
}

// .relu makes a zero of negative values; the manual leaves the sign of zeros open.
template <class T>
bool sameButZeros(u64 got, u64 want) {
    for (u32 k = 0; k < sizeof(T) / 2; k++) {
        u16 g = static_cast<u16>(got >> 16 * k), w = static_cast<u16>(want >> 16 * k);
        if (g != w && ((g | w) & 0x7fff)) return false;
    }
    return true;
}

// T: a register's type, E: an element's.
template <class T, class E>
void arithmetic(const std::string& type) {
    constexpr bool half = std::is_same_v<E, F16>;
    for (bool ftz : {false, true})
        for (Limit limit : {Limit::none, Limit::saturate, Limit::relu}) {
            if (!half && (ftz || limit == Limit::saturate)) continue;
            std::string modifiers = std::string(ftz ? ".ftz" : "") +
                                    (limit == Limit::saturate ? ".sat"
                                     : limit == Limit::relu   ? ".relu"
                                                              : "") +
                                    type;
            Form& fma =
                elementwise<T>("fma.rn" + modifiers, 3, [=](u16 a, u16 b, u16 c) { return computed<E>(ftz, limit, a, b, c, false); });
            if (limit == Limit::relu) {
                fma.same = sameButZeros<T>;
                continue;
            }
            elementwise<T>("add" + modifiers, 2, [=](u16 a, u16 b, u16) { return computed<E>(ftz, limit, a, kOne<E>, b, false); });
            elementwise<T>("sub.rn" + modifiers, 2, [=](u16 a, u16 b, u16) { return computed<E>(ftz, limit, a, kOne<E>, b, true); });
            // Adding a zero of the product's sign changes nothing.
            elementwise<T>("mul.rn" + modifiers, 2,
                           [=](u16 a, u16 b, u16) { return computed<E>(ftz, limit, a, b, static_cast<u16>((a ^ b) & 0x8000), false); });
        }
}

// The lesser or greater, where -0 is less than +0; a NaN gives way to a number unless it `propagates`.
template <class E>
u16 extreme(bool greatest, bool propagates, u16 a, u16 b) {
    double x = valueOf(E{a}), y = valueOf(E{b});
    if (propagates && (x != x || y != y)) return 0x7fff;
    if (x != x) return y != y ? 0x7fff : b;
    if (y != y) return a;
    bool less = x < y || (x == y && (a & 0x8000) && !(b & 0x8000));
    return less == greatest ? b : a;
}

template <class T, class E>
bool sameNumbers(u64 got, u64 want) {
    for (u32 k = 0; k < sizeof(T) / 2; k++) {
        u16 g = static_cast<u16>(got >> 16 * k), w = static_cast<u16>(want >> 16 * k);
        if (g != w && !(std::isnan(valueOf(E{g})) && std::isnan(valueOf(E{w})))) return false;
    }
    return true;
}

template <class T, class E>
void choices(const std::string& type) {
    for (bool ftz : {false, true}) {
        if (ftz && !std::is_same_v<E, F16>) continue;
        auto in = [ftz](u16 x) { return ftz ? flushedBits<E>(x) : x; };
        std::string flush = ftz ? ".ftz" : "";
        elementwise<T>("neg" + flush + type, 1, [=](u16 a, u16, u16) -> u16 { return in(a) ^ 0x8000; }).same = sameNumbers<T, E>;
        elementwise<T>("abs" + flush + type, 1, [=](u16 a, u16, u16) -> u16 { return in(a)&0x7fff; }).same = sameNumbers<T, E>;
        for (bool nan : {false, true})
            for (bool greatest : {false, true}) {
                std::string text = std::string(greatest ? "max" : "min") + flush + (nan ? ".NaN" : "");
                elementwise<T>(text + type, 2, [=](u16 a, u16 b, u16) { return extreme<E>(greatest, nan, in(a), in(b)); });
                elementwise<T>(text + ".xorsign.abs" + type, 2, [=](u16 a, u16 b, u16) -> u16 {
                    return extreme<E>(greatest, nan, in(a)&0x7fff, in(b)&0x7fff) ^ ((a ^ b) & 0x8000);
                }).same = sameNumbers<T, E>;
            }
    }
}

// An approximation on one value and on two.
template <class E, class F>
void approximation(const std::string& text, Bound bound, F f) {
    near<E>(text, bound, [f](E a) -> double { return f(a); });
    near<E>("{ .reg .b32 t; mov.b32 t, {$a, $b}; " + text + "x2 t, t; mov.b32 {$d, $e}, t; }", bound,
            [f](E a, E b) { return std::pair(f(a), f(b)); });
}

void approximations() {
    approximation<F16>("ex2.approx.f16", {std::exp2(-9.9), 0x1p-24}, [](F16 a) {
        double exact = std::exp2(valueOf(a));
        return exact < 0x1p-25 ? 0.0 : exact;
    });
    // .ftz flushes subnormal results.
    approximation<Bf16>("ex2.approx.ftz.bf16", {0x1p-7, 0}, [](Bf16 a) {
        double exact = std::exp2(valueOf(a));
        return exact < 0x1p-126 ? 0.0 : exact;
    });
    approximation<F16>("tanh.approx.f16", {0, std::exp2(-10.987)}, [](F16 a) { return std::tanh(valueOf(a)); });
    approximation<Bf16>("tanh.approx.bf16", {0, 0x1p-8}, [](Bf16 a) { return std::tanh(valueOf(a)); });
}

}  // namespace

int main() {
    arithmetic<F16, F16>(".f16");
    arithmetic<F16x2, F16>(".f16x2");
    arithmetic<Bf16, Bf16>(".bf16");
    arithmetic<Bf16x2, Bf16>(".bf16x2");
    choices<F16, F16>(".f16");
    choices<F16x2, F16>(".f16x2");
    choices<Bf16, Bf16>(".bf16");
    choices<Bf16x2, Bf16>(".bf16x2");
    approximations();
    return runForms("conformance_half");
}
