// See float_forms.h.
#include "float_forms.h"

#include <utility>

namespace softcuda {
namespace {

u32 modifierOf(const std::string& name) {
    static constexpr std::pair<const char*, u32> kNames[] = {{"rn", kRn},           {"rz", kRz},         {"rm", kRm},    {"rp", kRp},
                                                             {"ftz", kFtz},         {"sat", kSat},       {"NaN", kNaN},  {"abs", kXorsign},
                                                             {"xorsign", kXorsign}, {"approx", kApprox}, {"full", kFull}};
    for (const auto& [known, bit] : kNames)
        if (name == known) return bit;
    return 0;
}

}  // namespace

FloatForm::FloatForm(Binder& b, u32 allowed) {
    const auto& names = b.in().allModifiers();
    width = names.back() == "f32x2" ? 2 : 1;
    type = width == 2 ? ptx::Type::f32 : b.in().type();
    for (std::size_t i = 0; i + 1 < names.size(); i++) {
        u32 modifier = modifierOf(names[i]) & allowed;
        if (modifier == 0) throw b.unsupported("modifier ." + names[i]);
        modifiers |= modifier;
    }
    ftz = has(kFtz);
    sat = has(kSat);
    if (type == ptx::Type::f64 && (sat || (ftz && !has(kApprox)))) throw b.unsupported("f64 has neither .ftz nor .sat");
    if (width == 2 && sat) throw b.unsupported("f32x2 has no .sat");
    rounding = has(kRz) ? Rounding::zero : has(kRm) ? Rounding::down : has(kRp) ? Rounding::up : Rounding::nearest;
}

bool isFloatForm(const ptx::Instruction& in) {
    return in.type() == ptx::Type::f32 || in.type() == ptx::Type::f64 || (!in.modifiers.empty() && in.modifiers.back() == "f32x2");
}

void bindOperands(Binder& b, const FloatForm& form, u32 count) {
    const auto& operands = b.in().operands;
    if (operands.size() != count + 1) throw b.unsupported("wrong number of operands");
    ptx::Type type = form.width == 2 ? ptx::Type::b64 : form.type;
    b.write(0, operands[0], type);
    for (u32 k = 1; k <= count; k++) b.read(k, operands[k], type);
}

}  // namespace softcuda
