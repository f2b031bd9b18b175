// mov with packing and unpacking, prmt, cvta and isspacep.
#include <cstring>

#include "../memory/device_memory.h"
#include "families.h"
#include "integer.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr auto same = []<class T>(T a) { return a; };

const Inst* movePredicate(Warp& w, const Inst* i) {
    setPredicate(w.p(i->op[0]), w.p(i->op[1]) ^ static_cast<u32>(i->imm), w.mask);
    return i + 1;
}

// One wide register from `count` narrow ones, the first lowest. The destination may be none of the sources: their widths differ.
template <class Wide, class Narrow, u32 count>
const Inst* pack(Warp& w, const Inst* i) {
    forLanes(w.mask, w.r<Wide>(i->op[0]), [&](u32 l) {
        Wide value = 0;
        for (u32 k = 0; k < count; k++) value |= static_cast<Wide>(w.r<Narrow>(i->list[k])[l]) << 8 * sizeof(Narrow) * k;
        return value;
    });
    return i + 1;
}

template <class Wide, class Narrow, u32 count>
const Inst* unpack(Warp& w, const Inst* i) {
    const Wide* from = w.r<Wide>(i->op[0]);
    for (u32 k = 0; k < count; k++)
        forLanes(w.mask, w.r<Narrow>(i->list[k]), [&](u32 l) { return static_cast<Narrow>(from[l] >> 8 * sizeof(Narrow) * k); });
    return i + 1;
}

void bindPack(Binder& b, const Operand& whole, const Operand& parts, bool packs) {
    u32 bits = ptx::bitsOf(b.in().type());
    u32 count = static_cast<u32>(parts.parts.size());
    u32 part = count == 0 ? 0 : bits / count;
    Type type = part == 16 ? Type::b16 : Type::b32;
    if (!((bits == 32 && count == 2) || (bits == 64 && (count == 2 || count == 4)))) throw b.unsupported();
    if (packs)
        b.write(0, whole, b.in().type());
    else
        b.read(0, whole, b.in().type());
    for (const auto& element : parts.parts) {
        u32 have = packs ? b.listRead(element, type) : b.listWrite(element, type);
        if (have != part) throw b.unsupported("an element has " + std::to_string(have) + " bits");
    }
    if (bits == 32)
        b.out().run = packs ? pack<u32, u16, 2> : unpack<u32, u16, 2>;
    else if (count == 2)
        b.out().run = packs ? pack<u64, u32, 2> : unpack<u64, u32, 2>;
    else
        b.out().run = packs ? pack<u64, u16, 4> : unpack<u64, u16, 4>;
}

void bindMov(Binder& b) {
    const auto& in = b.in();
    if (in.operands.size() != 2 || in.modifiers.size() != 1) throw b.unsupported();
    const Operand &to = in.operands[0], &from = in.operands[1];
    if (from.kind == Operand::Kind::vector) return bindPack(b, to, from, true);
    if (to.kind == Operand::Kind::vector) return bindPack(b, from, to, false);
    Type type = in.type();
    if (type == Type::pred) {
        b.writePredicate(0, to);
        b.out().imm = b.readPredicate(1, from) ? kAllLanes : 0;
        b.out().run = movePredicate;
        return;
    }
    b.write(0, to, type);
    b.read(1, from, type);
    switch (ptx::bitsOf(type)) {
        case 16:
            b.out().run = lanes1<same, u16, u16>;
            break;
        case 32:
            b.out().run = lanes1<same, u32, u32>;
            break;
        case 64:
            b.out().run = lanes1<same, u64, u64>;
            break;
        default:
            throw b.unsupported();
    }
}

// prmt: each byte of the result is one of the eight of {b, a}; bit 3 of its selector replicates the sign instead.
u32 byteOf(u64 both, u32 selector) {
    u8 byte = static_cast<u8>(both >> 8 * (selector & 7));
    return selector & 8 ? (byte & 0x80 ? 0xff : 0) : byte;
}
u32 permute(u32 a, u32 b, u32 c) {
    u64 both = static_cast<u64>(b) << 32 | a;
    u32 result = 0;
    for (u32 k = 0; k < 4; k++) result |= byteOf(both, c >> 4 * k) << 8 * k;
    return result;
}

// The selectors that a mode makes of c's two low bits.
template <u32 mode>
u32 permuteMode(u32 a, u32 b, u32 c) {
    static constexpr u16 selectors[6][4] = {
        {0x3210, 0x4321, 0x5432, 0x6543},  // f4e: four bytes forward from c
        {0x5670, 0x6701, 0x7012, 0x0123},  // b4e: four bytes backward from c
        {0x0000, 0x1111, 0x2222, 0x3333},  // rc8: one byte
        {0x3210, 0x3211, 0x3222, 0x3333},  // ecl: clamped from the left
        {0x0000, 0x1110, 0x2210, 0x3210},  // ecr: clamped from the right
        {0x1010, 0x3232, 0x1010, 0x3232},  // rc16: one half
    };
    return permute(a, b, selectors[mode][c & 3]);
}

void bindPrmt(Binder& b) {
    const auto& in = b.in();
    if (!in.has("b32")) throw b.unsupported();
    if (in.type(0) == Type::b32 && in.modifiers.size() == 1)
        b.out().run = lanes3<permute, u32, u32, u32, u32>;
    else if (in.has("f4e"))
        b.out().run = lanes3<permuteMode<0>, u32, u32, u32, u32>;
    else if (in.has("b4e"))
        b.out().run = lanes3<permuteMode<1>, u32, u32, u32, u32>;
    else if (in.has("rc8"))
        b.out().run = lanes3<permuteMode<2>, u32, u32, u32, u32>;
    else if (in.has("ecl"))
        b.out().run = lanes3<permuteMode<3>, u32, u32, u32, u32>;
    else if (in.has("ecr"))
        b.out().run = lanes3<permuteMode<4>, u32, u32, u32, u32>;
    else if (in.has("rc16"))
        b.out().run = lanes3<permuteMode<5>, u32, u32, u32, u32>;
    else
        throw b.unsupported();
    bindOperands(b, Type::b32, {Type::b32, Type::b32, Type::b32});
}

template <class T>
const Inst* addImmediate(Warp& w, const Inst* i) {
    const T* a = w.r<T>(i->op[1]);
    T add = static_cast<T>(i->imm);
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32 l) { return static_cast<T>(a[l] + add); });
    return i + 1;
}

// Where the generic addresses of the instruction's space begin: those of shared and local memory and of the kernel's parameters lie in
// windows of their own; global and constant addresses are generic already (0).
u64 windowOf(const ptx::Instruction& in) {
    if (in.has("shared") || in.has("shared::cta")) return kSharedWindow;
    if (in.has("param") || in.has("param::entry")) return kParameterWindow;
    return in.has("local") ? kLocalWindow : 0;
}

void bindCvta(Binder& b) {
    const auto& in = b.in();
    u64 window = windowOf(in);
    if (window == 0 && !in.has("global") && !in.has("const")) throw b.unsupported();
    if (ptx::bitsOf(in.type()) != 64) throw b.unsupported("only 64-bit addresses are supported");
    bindOperands(b, Type::u64, {Type::u64});
    b.out().imm = in.has("to") ? 0 - window : window;
    b.out().run = addImmediate<u64>;
}

// isspacep: the window begins at op[2..3].
const Inst* isSpace(Warp& w, const Inst* i) {
    const u64* a = w.r<u64>(i->op[1]);
    u64 base = i->imm, size = i->op[2] != 0 ? kWindowBytes : 0;
    u32 bits = 0;
    for (u32 l = 0; l < kLanes; l++) {
        bool inside = size != 0 ? a[l] - base < size : a[l] - kSharedWindow >= kWindowBytes && a[l] - kLocalWindow >= kWindowBytes;
        bits |= static_cast<u32>(inside) << l;
    }
    setPredicate(w.p(i->op[0]), bits, w.mask);
    return i + 1;
}

void bindIsSpace(Binder& b) {
    const auto& in = b.in();
    u64 window = windowOf(in);
    if (in.operands.size() != 2 || (window == 0 && !in.has("global"))) throw b.unsupported();
    b.writePredicate(0, in.operands[0]);
    b.read(1, in.operands[1], Type::u64);
    b.out().imm = window;
    b.out().op[2] = window != 0;
    b.out().run = isSpace;
}

}  // namespace

bool bindMove(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op == "mov")
        bindMov(b);
    else if (op == "prmt")
        bindPrmt(b);
    else if (op == "cvta")
        bindCvta(b);
    else if (op == "isspacep")
        bindIsSpace(b);
    else
        return false;
    return true;
}

}  // namespace softcuda
