// cvt: reads its modifiers, and executes the forms that are too rare for a loop of their own.
#include "convert.h"

#include <cstring>
#include <map>

#include "families.h"

namespace softcuda {
namespace {

using ptx::Type;
using Round = ConvertRounding;

// How a form without a handler of its own is executed; lies in Inst::imm.
struct Plan {
    u8 from, to;  // ptx::Type
    u8 rounding;
    bool ftz : 1, sat : 1, relu : 1, satfinite : 1;
    u8 fromBytes, toBytes;  // of the registers
    u8 padding[2];
};
static_assert(sizeof(Plan) == sizeof(u64));

Plan planOf(const ConvertForm& form) {
    const ConvertFlags& flags = form.flags;
    return {static_cast<u8>(form.from),
            static_cast<u8>(form.to),
            static_cast<u8>(form.rounding),
            flags.ftz,
            flags.sat,
            flags.relu,
            flags.satfinite,
            static_cast<u8>(form.fromBits / 8),
            static_cast<u8>(form.toBits / 8),
            {}};
}

class Converter {
public:
    explicit Converter(const Inst* i)
        : plan(std::bit_cast<Plan>(i->imm)),
          from(*numberFormat(static_cast<Type>(plan.from))),
          to(*numberFormat(static_cast<Type>(plan.to))),
          flags_{plan.ftz, plan.sat, plan.relu, plan.satfinite} {}

    u64 operator()(u64 raw) const { return convertNumber(from, to, static_cast<Round>(plan.rounding), flags_, raw); }

    const Plan plan;
    const NumberFormat &from, &to;

private:
    ConvertFlags flags_;
};

u64 load(const u8* lanes, u32 lane, u32 bytes) {
    u64 value = 0;
    std::memcpy(&value, lanes + lane * bytes, bytes);
    return value;
}

template <class F>
void forActive(const Warp& w, F f) {
    for (u32 l = 0; l < kLanes; l++)
        if (w.mask >> l & 1) f(l);
}

const Inst* convertOne(Warp& w, const Inst* i) {
    Converter convert(i);
    const Plan& plan = convert.plan;
    bool extend = convert.to.integer && convert.to.negative && convert.to.bits < 64;
    forActive(w, [&](u32 l) {
        u64 result = convert(load(w.regs + i->op[1], l, plan.fromBytes));
        if (extend && (result >> (convert.to.bits - 1) & 1)) result |= ~0ull << convert.to.bits;
        std::memcpy(w.regs + i->op[0] + l * plan.toBytes, &result, plan.toBytes);
    });
    return i + 1;
}

// Two values, from the registers op[1] (high) and op[2] (low).
const Inst* convertTwo(Warp& w, const Inst* i) {
    Converter convert(i);
    forActive(w, [&](u32 l) {
        u64 high = convert(w.r<u32>(i->op[1])[l]), low = convert(w.r<u32>(i->op[2])[l]);
        u64 result = high << convert.to.bits | low;
        std::memcpy(w.regs + i->op[0] + l * convert.plan.toBytes, &result, convert.plan.toBytes);
    });
    return i + 1;
}

// Two values, from the halves of op[1].
const Inst* convertPacked(Warp& w, const Inst* i) {
    Converter convert(i);
    u64 element = (1ull << convert.from.bits) - 1;
    forActive(w, [&](u32 l) {
        u64 both = load(w.regs + i->op[1], l, convert.plan.fromBytes);
        u64 result = convert(both >> convert.from.bits & element) << convert.to.bits | convert(both & element);
        std::memcpy(w.regs + i->op[0] + l * convert.plan.toBytes, &result, convert.plan.toBytes);
    });
    return i + 1;
}

// --- Modifiers -------------------------------------------------------------------------------------------------------------------------

bool isPair(Type type) { return type == Type::f16x2 || type == Type::bf16x2 || type == Type::e4m3x2 || type == Type::e5m2x2; }
bool isEightBit(Type type) { return type == Type::e4m3x2 || type == Type::e5m2x2; }
bool isInteger(Type type) { return numberFormat(type)->integer; }
bool roundsToInteger(Round rounding) { return rounding >= Round::nearestInteger; }
bool roundsToFloat(Round rounding) { return rounding != Round::none && !roundsToInteger(rounding); }

void setModifier(Binder& b, ConvertForm& form, const std::string& name) {
    static const std::map<std::string, Round> roundings = {
        {"rn", Round::nearest},      {"rna", Round::nearestAway}, {"rz", Round::zero},
        {"rm", Round::down},         {"rp", Round::up},           {"rni", Round::nearestInteger},
        {"rzi", Round::zeroInteger}, {"rmi", Round::downInteger}, {"rpi", Round::upInteger}};
    auto rounding = roundings.find(name);
    if (rounding != roundings.end() && form.rounding == Round::none)
        form.rounding = rounding->second;
    else if (name == "ftz")
        form.flags.ftz = true;
    else if (name == "sat")
        form.flags.sat = true;
    else if (name == "relu")
        form.flags.relu = true;
    else if (name == "satfinite")
        form.flags.satfinite = true;
    else
        throw b.unsupported("modifier ." + name);
}

// Whether every value of `from` is one of `to`.
bool holdsAll(Type to, Type from) {
    const NumberFormat &wide = *numberFormat(to), &narrow = *numberFormat(from);
    return wide.fraction >= narrow.fraction && wide.bias >= narrow.bias;
}

void checkRounding(Binder& b, const ConvertForm& form) {
    bool fromInteger = isInteger(form.from), toInteger = isInteger(form.to), right;
    if (fromInteger && toInteger)
        right = form.rounding == Round::none;
    else if (toInteger)
        right = roundsToInteger(form.rounding);
    else if (fromInteger)
        right = roundsToFloat(form.rounding);
    else if (form.from == form.to)
        right = form.rounding == Round::none || roundsToInteger(form.rounding);
    else if (holdsAll(form.to, form.from) && !isPair(form.from))
        right = form.rounding == Round::none;
    else
        right = roundsToFloat(form.rounding);
    bool narrow = isPair(form.to) || isPair(form.from) || form.to == Type::tf32;
    if (narrow) right = right && (form.rounding == Round::nearest || form.rounding == Round::zero || form.rounding == Round::nearestAway);
    if (isEightBit(form.to) || isEightBit(form.from)) right = form.rounding == Round::nearest;
    if ((form.rounding == Round::nearestAway) && form.to != Type::tf32) right = false;
    if (!right) throw b.unsupported("this rounding of these types");
}

void checkFlags(Binder& b, const ConvertForm& form) {
    Type to = form.to;
    const ConvertFlags& flags = form.flags;
    bool half = to == Type::f16 || to == Type::bf16 || to == Type::f16x2 || to == Type::bf16x2;
    bool narrow = half || to == Type::tf32 || isEightBit(to);
    if (flags.ftz && ((form.from != Type::f32 && to != Type::f32) || isPair(to) || to == Type::tf32)) throw b.unsupported(".ftz");
    bool saturates = isInteger(to) || (to != Type::bf16 && form.from != Type::bf16 && !isPair(to) && to != Type::tf32);
    if (flags.sat && !saturates) throw b.unsupported(".sat");
    if (flags.relu && (!narrow || isInteger(form.from))) throw b.unsupported(".relu");
    if (flags.satfinite && (!narrow || isEightBit(form.from) || isInteger(form.from))) throw b.unsupported(".satfinite");
    if (isEightBit(to) && !flags.satfinite) throw b.unsupported("needs .satfinite");
}

ConvertForm formOf(Binder& b) {
    const auto& in = b.in();
    if (in.allModifiers().size() < 2) throw b.unsupported();
    ConvertForm form;
    form.to = in.type(1);
    form.from = in.type(0);
    if (numberFormat(form.to) == nullptr || numberFormat(form.from) == nullptr || form.from == Type::tf32)
        throw b.unsupported("these types");
    for (std::size_t k = 0; k + 2 < in.modifiers.size(); k++) setModifier(b, form, in.modifiers[k]);
    bool pairs = isPair(form.to) ? form.from == Type::f32 || (isEightBit(form.to) && form.from == Type::f16x2) ||
                                       (form.to == Type::f16x2 && isEightBit(form.from))
                                 : !isPair(form.from);
    if (!pairs || (form.to == Type::tf32 && form.from != Type::f32)) throw b.unsupported("these types");
    checkRounding(b, form);
    checkFlags(b, form);
    return form;
}

Run runOf(const ConvertForm& form, bool two) {
    if (isInteger(form.from) && isInteger(form.to) && !form.flags.sat)
        if (Run run = integerConversion(form)) return run;
    bool natural = form.toBits == std::max(ptx::bitsOf(form.to), 16u) && form.fromBits == std::max(ptx::bitsOf(form.from), 16u);
    if (natural)
        if (Run run = vectorConversion(form)) return run;
    return two ? convertTwo : isPair(form.from) ? convertPacked : convertOne;
}

}  // namespace

bool bindConvert(Binder& b) {
    const auto& in = b.in();
    if (in.opcode != "cvt") return false;
    if (in.has("pack")) {
        bindConvertPack(b);
        return true;
    }
    ConvertForm form = formOf(b);
    bool two = isPair(form.to) && form.from == Type::f32;
    if (in.operands.size() != (two ? 3u : 2u)) throw b.unsupported("wrong number of operands");
    form.toBits = b.writeAny(0, in.operands[0], form.to);
    if (two) {
        form.fromBits = 32;
        b.read(1, in.operands[1], form.from);
        b.read(2, in.operands[2], form.from);
    } else {
        form.fromBits = b.readAny(1, in.operands[1], form.from);
    }
    b.out().imm = std::bit_cast<u64>(planOf(form));
    b.out().run = runOf(form, two);
    return true;
}

}  // namespace softcuda
