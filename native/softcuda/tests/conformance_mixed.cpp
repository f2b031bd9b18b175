// Conformance of f32 arithmetic whose first operands are f16 or bf16: add, sub, fma in all rounding modes, with .sat.
#include "conformance_rounding.h"

using namespace conformance;

namespace {

template <class E>
void mixed(const std::string& type) {
    for (const Mode& mode : kModes)
        for (bool sat : {false, true}) {
            auto finish = [sat](float x) { return sat ? saturated(x) : oneNaN(x); };
            std::string modifiers = mode.name + std::string(sat ? ".sat" : "") + ".f32" + type;
            auto value = [](E x) { return static_cast<float>(valueOf(x)); };
            form("add" + modifiers, [=](E a, float b) -> float {
                return finish(rounded(
                    mode, [](float x, float y, float) { return x + y; }, value(a), b, 0.0f));
            }).target(100);
            form("sub" + modifiers, [=](E a, float b) -> float {
                return finish(rounded(
                    mode, [](float x, float y, float) { return x - y; }, value(a), b, 0.0f));
            }).target(100);
            form("fma" + modifiers, [=](E a, E b, float c) -> float {
                return finish(rounded(
                    mode, [](float x, float y, float z) { return std::fma(x, y, z); }, value(a), value(b), c));
            }).target(100);
        }
    form("add.f32" + type, [](E a, float b) -> float { return oneNaN(static_cast<float>(valueOf(a)) + b); }).target(100);
    form("sub.f32" + type, [](E a, float b) -> float { return oneNaN(static_cast<float>(valueOf(a)) - b); }).target(100);
}

}  // namespace

int main() {
    mixed<F16>(".f16");
    mixed<Bf16>(".bf16");
    return runForms("conformance_mixed");
}
