// Conformance of approximations of f32 and f64: within the manual's error of the exact value, and exact where it lists a result.
#include "conformance_rounding.h"

using namespace conformance;

namespace {

// The manual's errors are relative; of subnormal results at least the last place is free.
constexpr double kLastPlace = 0x1p-149;

float onInput(bool ftz, float x) { return ftz ? flushed(x) : x; }
double onResult(bool ftz, double x) {
    bool subnormal = ftz && std::fabs(static_cast<float>(x)) < 0x1p-126f;
    return subnormal ? std::copysign(0.0, x) : x;
}

// A form with .ftz and one without.
template <class F>
void unary(const std::string& opcode, double relative, F f) {
    for (bool ftz : {false, true})
        near<float>(opcode + (ftz ? ".ftz" : "") + ".f32", {relative, kLastPlace},
                    [=](float a) -> double { return onResult(ftz, f(double{onInput(ftz, a)})); });
}

// `count` angles from -limit to limit, and what is special.
std::vector<float> angles(double limit, int count) {
    std::vector<float> all = {0.0f, -0.0f, 0x1p-149f, -0x1p-127f, 0x1p-126f, HUGE_VALF, -HUGE_VALF, std::nanf("")};
    for (int k = 0; k <= count; k++) all.push_back(static_cast<float>(limit * (2.0 * k / count - 1)));
    return all;
}

template <class F>
void trigonometric(const std::string& opcode, F f) {
    for (bool ftz : {false, true}) {
        std::string text = opcode + ".approx" + (ftz ? ".ftz" : "") + ".f32";
        auto exact = [=](float a) -> double { return f(double{onInput(ftz, a)}); };
        near<float>(text, {0, std::exp2(-20.5)}, exact).in(0, angles(6.2831853, 2000));
        near<float>(text, {0, std::exp2(-14.7)}, exact).in(0, angles(314.15926, 3000));
    }
}

// Of |b| above 2^126 the approximate reciprocal is zero. Without .ftz nothing is said of subnormal b.
void divisions() {
    for (bool ftz : {false, true}) {
        std::string flush = ftz ? ".ftz.f32" : ".f32";
        auto full = [=](float a, float b) -> double { return onResult(ftz, double{onInput(ftz, a)} / onInput(ftz, b)); };
        near<float>("div.full" + flush, {0x1p-22, 2 * kLastPlace}, full);
        std::vector<float> divisors;
        for (float v : floatValues())
            if (ftz || std::fpclassify(v) != FP_SUBNORMAL) divisors.push_back(v);
        near<float>("div.approx" + flush, {0x1p-22, 2 * kLastPlace}, [=](float a, float b) -> double {
            bool huge = std::fabs(b) > 0x1p126f && std::isfinite(b);
            return huge ? double{onInput(ftz, a)} * std::copysign(0.0, b) : full(a, b);
        }).in(1, divisors);
    }
}

// The coarse ones of f64 read and give the upper 32 bits; subnormals are zeros.
double coarse(double x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0, x) : x; }

template <class F>
void coarse64(const std::string& opcode, F f) {
    Form& added = near<double>(opcode + ".approx.ftz.f64", {0x1p-19, 0}, [f](double a) -> double { return coarse(f(coarse(a))); });
    auto close = added.same;
    added.same = [close](u64 got, u64 want) { return close(got, want) && (got & 0xffffffff) == 0; };
}

}  // namespace

int main() {
    unary("ex2.approx", 0x1p-22, [](double a) { return std::exp2(a); });
    unary("rcp.approx", 0x1p-23, [](double a) { return 1 / a; });
    unary("sqrt.approx", 0x1p-23, [](double a) { return std::sqrt(a); });
    unary("rsqrt.approx", std::exp2(-22.9), [](double a) { return 1 / std::sqrt(a); });
    // Absolute in (0.5, 2), where the result is below 1, and relative outside.
    for (bool ftz : {false, true})
        near<float>(ftz ? "lg2.approx.ftz.f32" : "lg2.approx.f32", {0x1p-22, 0x1p-22},
                    [=](float a) -> double { return std::log2(double{onInput(ftz, a)}); });
    near<float>("tanh.approx.f32", {0x1p-11, 0}, [](float a) -> double { return std::tanh(double{a}); });
    trigonometric("sin", [](double a) { return std::sin(a); });
    trigonometric("cos", [](double a) { return std::cos(a); });
    divisions();
    coarse64("rcp", [](double a) { return 1 / a; });
    coarse64("rsqrt", [](double a) { return 1 / std::sqrt(a); });
    near<double>("rsqrt.approx.f64", {0x1p-52, 0}, [](double a) -> double { return static_cast<double>(1 / sqrtl(a)); });
    return runForms("conformance_approx");
}
