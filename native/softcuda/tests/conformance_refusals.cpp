// Forms of arithmetic that PTX does not have must be refused when their module is loaded; the form beside each, which PTX has, must load.
#include "harness.h"

namespace {

struct Pair {
    const char *refused, *legal;
};

constexpr Pair kPairs[] = {
    {"add.sat.u32 r, r, r;", "add.sat.s32 r, r, r;"},
    {"add.sat.u16x2 r, r, r;", "add.u16x2 r, r, r;"},
    {"sub.u16x2 r, r, r;", "add.s16x2 r, r, r;"},
    {"neg.u32 r, r;", "neg.s32 r, r;"},
    {"mul.u32 r, r, r;", "mul.lo.u32 r, r, r;"},
    {"mul.wide.u64 d, d, d;", "mul.wide.u32 d, r, r;"},
    {"mad.lo.sat.s32 r, r, r, r;", "mad.hi.sat.s32 r, r, r, r;"},
    {"mul24.u32 r, r, r;", "mul24.lo.u32 r, r, r;"},
    {"min.relu.u32 r, r, r;", "min.relu.s32 r, r, r;"},
    {"lop3.xor.b32 r|p, r, r, r, 1, p;", "lop3.or.b32 r|p, r, r, r, 1, p;"},
    {"shf.l.b32 r, r, r, r;", "shf.l.wrap.b32 r, r, r, r;"},
    {"szext.s32 r, r, r;", "szext.wrap.s32 r, r, r;"},
    {"bmsk.b32 r, r, r;", "bmsk.clamp.b32 r, r, r;"},
    {"fma.f32 f, f, f, f;", "fma.rn.f32 f, f, f, f;"},
    {"mad.f32 f, f, f, f;", "mad.rz.f32 f, f, f, f;"},
    {"div.f32 f, f, f;", "div.rn.f32 f, f, f;"},
    {"sqrt.f32 f, f;", "sqrt.approx.f32 f, f;"},
    {"rcp.f64 g, g;", "rcp.rn.f64 g, g;"},
    {"add.rn.ftz.f64 g, g, g;", "add.rn.f64 g, g, g;"},
    {"min.xorsign.abs.f64 g, g, g;", "min.xorsign.abs.f32 f, f, f;"},
    {"tanh.approx.ftz.f32 f, f;", "tanh.approx.f32 f, f;"},
    {"fma.rz.f16 h, h, h, h;", "fma.rn.f16 h, h, h, h;"},
    {"add.rn.ftz.bf16 h, h, h;", "add.rn.ftz.f16 h, h, h;"},
    {"mul.rn.sat.bf16 h, h, h;", "mul.rn.sat.f16 h, h, h;"},
    {"add.rn.relu.f16 h, h, h;", "fma.rn.relu.f16 h, h, h, h;"},
    {"min.relu.f16 h, h, h;", "min.NaN.f16 h, h, h;"},
    {"ex2.approx.bf16 h, h;", "ex2.approx.ftz.bf16 h, h;"},
    {"ex2.approx.ftz.f16 h, h;", "ex2.approx.f16 h, h;"},
    {"setp.lo.s32 p, r, r;", "setp.lo.u32 p, r, r;"},
    {"setp.equ.s32 p, r, r;", "setp.equ.f32 p, f, f;"},
    {"setp.lt.b32 p, r, r;", "setp.ne.b32 p, r, r;"},
    {"setp.lt.f16 p|q, h, h;", "setp.lt.f16x2 p|q, r, r;"},
    {"set.eq.f32.f16 f, h, h;", "set.eq.f16.f32 h, f, f;"},
    {"set.eq.u16.u32 h, r, r;", "set.eq.u16.f16 h, h, h;"},
    {"slct.u32.u32 r, r, r, r;", "slct.u32.s32 r, r, r, r;"},
    {"add.s32 r, r, d;", "add.s64 d, d, d;"},
    {"mov.b32 r, {r, r};", "mov.b32 r, {h, h};"},
};

bool loads(const std::string& instruction) {
    std::string text =
        ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry form()\n{\n.reg .b16 h;\n.reg .b32 r;\n.reg .b64 d;\n"
        ".reg .f32 f;\n.reg .f64 g;\n.reg .pred p, q;\n" +
        instruction + "\nret;\n}\n";
    CUmodule module;
    CUresult result = cuModuleLoadData(&module, text.c_str());
    CHECK(result == CUDA_SUCCESS || result == CUDA_ERROR_INVALID_PTX, "%s gives code %d", instruction.c_str(), result);
    if (result == CUDA_SUCCESS) MUST(cuModuleUnload(module));
    return result == CUDA_SUCCESS;
}

}  // namespace

int main() {
    openContext();
    for (const Pair& pair : kPairs) {
        CHECK(!loads(pair.refused), "PTX has no %s", pair.refused);
        CHECK(loads(pair.legal), "PTX has %s", pair.legal);
    }
    return report("conformance_refusals");
}
