// f32 arithmetic whose first operands are f16 or bf16, such as fma.rn.f32.bf16; the last operand is f32. Rounded once, NaN is 0x7fffffff.
#include "half_mixed.h"

#include "float_lanes.h"
#include "half.h"

namespace softcuda {
namespace {

enum class MixedOp : u8 { add, sub, fma };

template <MixedOp kOp>
inline float compute(float a, float b, float c) {
    if constexpr (kOp == MixedOp::add) return a + c;
    if constexpr (kOp == MixedOp::sub) return a - c;
    if constexpr (kOp == MixedOp::fma) return std::fma(a, b, c);
}

// op[1] and, for fma, op[2] are widened by kWiden; the f32 operand is the last.
template <float (*kWiden)(u16), MixedOp kOp, bool kSat>
const Inst* mixed(Warp& w, const Inst* i) {
    const u16 *a = w.r<u16>(i->op[1]), *b = w.r<u16>(i->op[2]);
    const float* c = w.r<float>(i->op[kOp == MixedOp::fma ? 3 : 2]);
    forElements<1>(w.mask, w.r<float>(i->op[0]), [=](u32 l) {
        float y = kOp == MixedOp::fma ? kWiden(b[l]) : 0.0f;
        return finish<false, kSat>(compute<kOp>(kWiden(a[l]), y, c[l]));
    });
    return i + 1;
}

// Rounding toward zero, down or up (imm): one lane after the other under the processor's own rounding mode.
template <float (*kWiden)(u16), MixedOp kOp, bool kSat>
const Inst* directed(Warp& w, const Inst* i) {
    const u16 *a = w.r<u16>(i->op[1]), *b = w.r<u16>(i->op[2]);
    const float* c = w.r<float>(i->op[kOp == MixedOp::fma ? 3 : 2]);
    float* d = w.r<float>(i->op[0]);
    RoundingScope scope(static_cast<Rounding>(i->imm));
    for (u32 l = 0; l < kLanes; l++) {
        if (!(w.mask >> l & 1)) continue;
        float y = kOp == MixedOp::fma ? kWiden(b[l]) : 0.0f;
        d[l] = finish<false, kSat>(pin(compute<kOp>(pin(kWiden(a[l])), pin(y), pin(c[l]))));
    }
    return i + 1;
}

template <float (*kWiden)(u16), MixedOp kOp>
Run handler(Rounding rounding, bool sat) {
    if (rounding == Rounding::nearest) return sat ? mixed<kWiden, kOp, true> : mixed<kWiden, kOp, false>;
    return sat ? directed<kWiden, kOp, true> : directed<kWiden, kOp, false>;
}

template <MixedOp kOp>
bool bind(Binder& b) {
    const auto& in = b.in();
    constexpr u32 kCount = kOp == MixedOp::fma ? 3 : 2;
    if (in.type() != ptx::Type::f16 && in.type() != ptx::Type::bf16) throw b.unsupported();
    if (in.operands.size() != kCount + 1) throw b.unsupported("wrong number of operands");
    bool nearest = in.has("rn");
    if (kOp == MixedOp::fma && !nearest && !in.has("rz") && !in.has("rm") && !in.has("rp")) throw b.unsupported("no rounding");
    Rounding rounding = in.has("rz") ? Rounding::zero : in.has("rm") ? Rounding::down : in.has("rp") ? Rounding::up : Rounding::nearest;
    b.write(0, in.operands[0], ptx::Type::f32);
    for (u32 k = 1; k < kCount; k++) b.read(k, in.operands[k], in.type());
    b.read(kCount, in.operands[kCount], ptx::Type::f32);
    b.out().imm = static_cast<u64>(rounding);
    b.out().run = in.type() == ptx::Type::f16 ? handler<halfToFloat, kOp>(rounding, in.has("sat"))
                                              : handler<bfloatToFloat, kOp>(rounding, in.has("sat"));
    return true;
}

}  // namespace

bool bindMixed(Binder& b) {
    const std::string& opcode = b.in().opcode;
    if (opcode == "add") return bind<MixedOp::add>(b);
    if (opcode == "sub") return bind<MixedOp::sub>(b);
    if (opcode == "fma") return bind<MixedOp::fma>(b);
    return false;
}

}  // namespace softcuda
