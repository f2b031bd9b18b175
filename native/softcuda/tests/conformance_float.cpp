// Conformance of f32, f64 and f32x2 arithmetic: add, sub, mul, fma, mad, div, rcp, sqrt in all rounding modes, with .ftz and .sat.
#include "conformance_rounding.h"

using namespace conformance;

namespace {

constexpr auto add = [](auto a, auto b, auto) { return a + b; };
constexpr auto sub = [](auto a, auto b, auto) { return a - b; };
constexpr auto mul = [](auto a, auto b, auto) { return a * b; };
constexpr auto fused = [](auto a, auto b, auto c) { return std::fma(a, b, c); };
constexpr auto divide = [](auto a, auto b, auto) { return a / b; };
constexpr auto reciprocal = [](auto a, auto, auto) { return 1 / a; };
constexpr auto root = [](auto a, auto, auto) { return std::sqrt(a); };

// One result of f32, as the modifiers have it.
template <class F>
float single(const Mode& mode, bool ftz, bool sat, F f, float a, float b, float c) {
    if (ftz) a = flushed(a), b = flushed(b), c = flushed(c);
    float result = rounded(mode, f, a, b, c);
    if (ftz) result = flushed(result);
    return sat ? saturated(result) : oneNaN(result);
}

// Adds a form with `count` sources of type T.
template <class T, class F>
Form& withSources(u32 count, const std::string& text, F f) {
    if (count == 1) return form(text, [f](T a) -> T { return f(a, T(0), T(0)); });
    if (count == 2) return form(text, [f](T a, T b) -> T { return f(a, b, T(0)); });
    return form(text, [f](T a, T b, T c) -> T { return f(a, b, c); });
}

// All forms of an operation; `saturates` tells whether it has .sat.
template <class F>
void operation(const std::string& opcode, u32 count, bool saturates, F f) {
    for (const Mode& mode : kModes) {
        for (bool ftz : {false, true})
            for (bool sat : {false, true}) {
                if (sat && !saturates) continue;
                std::string text = opcode + mode.name + (ftz ? ".ftz" : "") + (sat ? ".sat" : "") + ".f32";
                withSources<float>(count, text, [=](float a, float b, float c) { return single(mode, ftz, sat, f, a, b, c); });
            }
        withSources<double>(count, opcode + mode.name + ".f64", [=](double a, double b, double c) {
            return rounded(mode, f, a, b, c);
        }).template anyNaN<double>();
    }
}

// Without a rounding modifier the result is rounded to the nearest.
template <class F>
void unrounded(const std::string& opcode, F f) {
    form(opcode + ".f32", [f](float a, float b) -> float { return single(kModes[0], false, false, f, a, b, 0); });
    form(opcode + ".ftz.sat.f32", [f](float a, float b) -> float { return single(kModes[0], true, true, f, a, b, 0); });
    form(opcode + ".f64", [f](double a, double b) -> double { return f(a, b, 0.0); }).template anyNaN<double>();
}

float elementOf(u64 pair, u32 k) { return std::bit_cast<float>(static_cast<u32>(pair >> 32 * k)); }

// Two f32 values in a register, the first in its low half.
template <class F>
void packed(const std::string& opcode, const Mode& mode, bool ftz, bool ternary, F f) {
    std::string text = opcode + mode.name + (ftz ? ".ftz" : "") + ".f32x2";
    auto both = [=](u64 a, u64 b, u64 c) {
        u64 result = 0;
        for (u32 k = 0; k < 2; k++) {
            float value = single(mode, ftz, false, f, elementOf(a, k), elementOf(b, k), elementOf(c, k));
            result |= u64{std::bit_cast<u32>(value)} << 32 * k;
        }
        return result;
    };
    Form& added = ternary ? form(text, [both](u64 a, u64 b, u64 c) -> u64 { return both(a, b, c); })
                          : form(text, [both](u64 a, u64 b) -> u64 { return both(a, b, 0); });
    std::vector<float> values = floatValues();
    for (auto& inputs : added.inputs) {
        inputs.clear();
        for (u64 k = 0; k < values.size(); k++) inputs.push_back(toRaw(values[k]) | toRaw(values[(5 * k + 3) % values.size()]) << 32);
    }
    added.target(100);
}

void immediates() {
    form("add.f32 $d, $a, 0f3F800000", [](float a) -> float { return oneNaN(a + 1); });
    form("fma.rn.f32 $d, $a, 0fBF000000, $b", [](float a, float b) -> float { return oneNaN(std::fma(a, -0.5f, b)); });
    form("mul.f64 $d, $a, 0d3FE0000000000000", [](double a) -> double { return a * 0.5; }).anyNaN<double>();
    form("sub.f32 $d, 2.5, $a", [](float a) -> float { return oneNaN(2.5f - a); });
}

}  // namespace

int main() {
    operation("add", 2, true, add);
    operation("sub", 2, true, sub);
    operation("mul", 2, true, mul);
    operation("fma", 3, true, fused);
    operation("mad", 3, true, fused);
    operation("div", 2, false, divide);
    operation("rcp", 1, false, reciprocal);
    operation("sqrt", 1, false, root);
    unrounded("add", add);
    unrounded("sub", sub);
    unrounded("mul", mul);
    for (const Mode& mode : {kModes[0], kModes[1], kModes[2]}) packed("fma", mode, false, true, fused);
    for (bool ftz : {false, true}) {
        packed("add", kModes[0], ftz, false, add);
        packed("sub", kModes[1], ftz, false, sub);
        packed("mul", kModes[2], ftz, false, mul);
        packed("fma", kModes[3], ftz, true, fused);
    }
    immediates();
    return runForms("conformance_float");
}
