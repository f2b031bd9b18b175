// Conformance of f32 and f64 instructions that choose and change bits: neg, abs, min, max, copysign, testp.
#include "conformance_rounding.h"

using namespace conformance;

namespace {

// The lesser or greater of two values, where -0 is less than +0; a NaN gives way to a number unless `propagates`.
template <class T>
T extreme(bool greatest, bool propagates, T a, T b) {
    T nan = oneNaN(std::numeric_limits<T>::quiet_NaN());
    if (propagates && (std::isnan(a) || std::isnan(b))) return nan;
    if (std::isnan(a)) return std::isnan(b) ? nan : b;
    if (std::isnan(b)) return a;
    bool less = a < b || (a == b && std::signbit(a) && !std::signbit(b));
    return less == greatest ? b : a;
}

// .xorsign.abs: of the magnitudes, with the exclusive or of the signs. The sign of a NaN is free.
float signedExtreme(bool greatest, bool propagates, float a, float b) {
    float magnitude = extreme(greatest, propagates, std::fabs(a), std::fabs(b));
    return std::signbit(a) != std::signbit(b) ? -magnitude : magnitude;
}

void extremes() {
    for (bool greatest : {false, true}) {
        std::string opcode = greatest ? "max" : "min";
        form(opcode + ".f64", [=](double a, double b) -> double { return extreme(greatest, false, a, b); }).anyNaN<double>();
        for (bool ftz : {false, true})
            for (bool nan : {false, true}) {
                std::string modifiers = std::string(ftz ? ".ftz" : "") + (nan ? ".NaN" : "");
                auto in = [ftz](float x) { return ftz ? flushed(x) : x; };
                auto plain = [=](float a, float b) -> float { return extreme(greatest, nan, in(a), in(b)); };
                auto crossed = [=](float a, float b) -> float { return signedExtreme(greatest, nan, in(a), in(b)); };
                form(opcode + modifiers + ".f32", plain);
                form(opcode + modifiers + ".xorsign.abs.f32", crossed).anyNaN<float>();
                form(opcode + modifiers + ".f32", [=](float a, float b, float c) -> float { return plain(plain(a, b), c); }).target(100);
            }
    }
}

// The manual leaves the payload of a NaN open.
template <class T>
void signs(const std::string& modifiers, bool ftz) {
    auto in = [ftz](T x) -> T {
        if constexpr (std::is_same_v<T, float>)
            if (ftz) return flushed(x);
        return x;
    };
    form("neg" + modifiers, [in](T a) -> T { return -in(a); }).template anyNaN<T>();
    form("abs" + modifiers, [in](T a) -> T { return std::fabs(in(a)); }).template anyNaN<T>();
}

template <class T>
void tests(const std::string& type) {
    form("testp.finite." + type, [](T a) { return std::fabs(a) <= std::numeric_limits<T>::max(); });
    form("testp.infinite." + type, [](T a) { return std::fabs(a) == HUGE_VAL; });
    form("testp.number." + type, [](T a) { return a == a; });
    form("testp.notanumber." + type, [](T a) { return a != a; });
    // Zeros count as normal.
    form("testp.normal." + type, [](T a) { return a == 0 || (std::fabs(a) >= std::numeric_limits<T>::min() && std::fabs(a) < HUGE_VAL); });
    form("testp.subnormal." + type, [](T a) { return a != 0 && std::fabs(a) < std::numeric_limits<T>::min(); });
    // The sign of the first operand, the rest of the second.
    using Bits = std::conditional_t<sizeof(T) == 8, u64, u32>;
    form("copysign." + type, [](T a, T b) -> T {
        constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
        return std::bit_cast<T>((std::bit_cast<Bits>(a) & sign) | (std::bit_cast<Bits>(b) & ~sign));
    });
}

}  // namespace

int main() {
    extremes();
    signs<float>(".f32", false);
    signs<float>(".ftz.f32", true);
    signs<double>(".f64", false);
    tests<float>("f32");
    tests<double>("f64");
    return runForms("conformance_select");
}
