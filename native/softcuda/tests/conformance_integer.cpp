// Conformance of integer arithmetic.
#include "conformance.h"

using namespace conformance;

int main() {
    form("add.u32", [](u32 a, u32 b) { return a + b; });
    form("setp.lt.s32 $d|$e, $a, $b", [](i32 a, i32 b) { return std::pair(a < b, !(a < b)); });
    form("{ .reg .b32 t; mul.lo.u32 t, $a, $b; add.u32 $d, t, 1; }", [](u32 a, u32 b) { return a * b + 1; });
    form("selp.b64", [](u64 a, u64 b, bool p) { return p ? a : b; });
    near<float>("ex2.approx.f32", {0x1p-22, 0}, [](float a) { return std::exp2(static_cast<double>(a)); });
    return runForms("conformance_integer");
}
