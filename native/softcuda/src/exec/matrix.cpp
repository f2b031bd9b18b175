// mma.sync: products of matrices whose fragments lie in the registers of a warp (matrix_tile.h has the layouts).
//
// The manual leaves the order and the precision of the sum open. Here, for f32 accumulators, d = c, then d = fma(a[k], b[k], d) for k = 0,
// 1, ... in f32: products are exact, each addition rounds to the nearest, subnormal values are kept. f16 accumulators are summed in f32
// likewise and rounded once at the end. Integer products are exact; their sum with c wraps around, or saturates under .satfinite.
#include "../check/checker.h"
#include "../counters.h"
#include "families.h"
#include "float_lanes.h"
#include "matrix_tile.h"

namespace softcuda {
namespace {

using namespace mma;

// The registers that one instruction names, in the order of Inst::list: d, a, b, c.
template <u32 kAccumulators, u32 kPairs>
struct Fragments {
    const u32 *d, *a, *b, *c;
    explicit Fragments(const Inst* i) : d(i->list), a(d + kAccumulators), b(a + 2 * kPairs), c(b + kPairs) {}
};

void checkWhole(Warp& w, const Inst* i) {
    if (w.mask == kAllLanes) return;
    u32 missing = static_cast<u32>(__builtin_ctz(~w.mask));
    tell(Finding::badCollective, w, i, missing, "mma.sync needs all 32 lanes of the warp, and this one does not take part");
}

void countFlops(Warp& w, u32 k) {
    if (w.counters) w.counters->mmaFlops += 2 * 16 * 8 * k;
}

void store(Warp& w, u32 offset, Register value) {
    u32* d = w.r<u32>(offset);
    if (w.mask == kAllLanes) {
        *reinterpret_cast<Words*>(d) = value.low;
        *reinterpret_cast<Words*>(d + 16) = value.high;
        return;
    }
    for (u32 l = 0; l < kLanes; l++)
        if (w.mask >> l & 1) d[l] = l < 16 ? value.low[l] : value.high[l - 16];
}

inline Words canonicalBits(Floats x) {
    Words bits = bitsOf(x);
    Words isNaN = reinterpret_cast<Words>(x != x);
    return (bits & ~isNaN) | (isNaN & 0x7fffffffu);
}

template <class Format, u32 kPairs>
const Inst* mmaFloat(Warp& w, const Inst* i) {
    checkWhole(w, i);
    Fragments<4, kPairs> f(i);
    Floats sum[8];
    for (u32 n = 0; n < 2; n++) {
        Words columns[4];
        toColumns(load(w.r<u32>(f.c[n])), load(w.r<u32>(f.c[2 + n])), columns);
        for (u32 t = 0; t < 4; t++) sum[2 * t + n] = floatsOf(columns[t]);
    }
    accumulate<Format, Format, kPairs>(w, f.a, f.b, sum);
    for (u32 n = 0; n < 2; n++) {
        Words columns[4];
        for (u32 t = 0; t < 4; t++) columns[t] = canonicalBits(sum[2 * t + n]);
        Register top, bottom;
        fromColumns(columns, top, bottom);
        store(w, f.d[n], top);
        store(w, f.d[2 + n], bottom);
    }
    countFlops(w, kPairs * 4 * Format::kElements);
    return i + 1;
}

// f16 accumulators, two a register.
template <u32 kPairs>
const Inst* mmaHalf(Warp& w, const Inst* i) {
    checkWhole(w, i);
    Fragments<2, kPairs> f(i);
    Floats sum[8];
    Words columns[4];
    toColumns(load(w.r<u32>(f.c[0])), load(w.r<u32>(f.c[1])), columns);
    for (u32 n = 0; n < 8; n++) sum[n] = Half::element(columns[n / 2], n % 2);
    accumulate<Half, Half, kPairs>(w, f.a, f.b, sum);
    for (u32 t = 0; t < 4; t++)
        for (u32 row = 0; row < 16; row++)
            columns[t][row] = floatToHalf(sum[2 * t][row]) | static_cast<u32>(floatToHalf(sum[2 * t + 1][row])) << 16;
    Register top, bottom;
    fromColumns(columns, top, bottom);
    store(w, f.d[0], top);
    store(w, f.d[1], bottom);
    countFlops(w, kPairs * 8);
    return i + 1;
}

inline Words addIntegers(Words c, Floats product, bool saturating) {
    Words p = reinterpret_cast<Words>(__builtin_convertvector(product, Ints));
    Words sum = c + p;
    if (!saturating) return sum;
    // Overflow: both terms have a sign that the sum has not.
    Words overflow = reinterpret_cast<Words>(reinterpret_cast<Ints>((c ^ sum) & (p ^ sum)) >> 31);
    Words limit = reinterpret_cast<Words>(reinterpret_cast<Ints>(c) >> 31) ^ 0x7fffffffu;
    return (sum & ~overflow) | (limit & overflow);
}

// Products of 8-bit integers: a sum of 32 is below 2^24, so that f32 holds it exactly. Inst::imm: .satfinite.
template <class FormatA, class FormatB, u32 kPairs>
const Inst* mmaInteger(Warp& w, const Inst* i) {
    checkWhole(w, i);
    Fragments<4, kPairs> f(i);
    Floats sum[8] = {};
    accumulate<FormatA, FormatB, kPairs>(w, f.a, f.b, sum);
    Register result[4];
    for (u32 n = 0; n < 2; n++) {
        Words columns[4];
        toColumns(load(w.r<u32>(f.c[n])), load(w.r<u32>(f.c[2 + n])), columns);
        for (u32 t = 0; t < 4; t++) columns[t] = addIntegers(columns[t], sum[2 * t + n], i->imm != 0);
        fromColumns(columns, result[n], result[2 + n]);
    }
    for (u32 r = 0; r < 4; r++) store(w, f.d[r], result[r]);
    countFlops(w, kPairs * 16);
    return i + 1;
}

// --- Binding ----------------------------------------------------------------------------------------------------------------------

struct MatrixForm {
    ptx::Type d, a, b, c;
    u32 k = 0;
    explicit MatrixForm(const ptx::Instruction& in) : d(in.type(3)), a(in.type(2)), b(in.type(1)), c(in.type(0)) {
        if (in.has("m16n8k4")) k = 4;
        if (in.has("m16n8k8")) k = 8;
        if (in.has("m16n8k16")) k = 16;
        if (in.has("m16n8k32")) k = 32;
    }
};

template <class FormatA, class FormatB>
Run integerHandler(u32 k) {
    return k == 16 ? mmaInteger<FormatA, FormatB, 1> : k == 32 ? mmaInteger<FormatA, FormatB, 2> : nullptr;
}

// The handler of a form, or null. A step of k for each register of B: 4 for tf32, 8 for f16 and bf16, 16 for integers.
Run handlerOf(const MatrixForm& form) {
    using ptx::Type;
    bool floats = form.c == Type::f32 && form.d == Type::f32 && form.a == form.b;
    if (floats && form.a == Type::tf32) return form.k == 4 ? mmaFloat<Tf32, 1> : form.k == 8 ? mmaFloat<Tf32, 2> : nullptr;
    if (floats && form.a == Type::bf16) return form.k == 8 ? mmaFloat<Bfloat, 1> : form.k == 16 ? mmaFloat<Bfloat, 2> : nullptr;
    if (floats && form.a == Type::f16) return form.k == 8 ? mmaFloat<Half, 1> : form.k == 16 ? mmaFloat<Half, 2> : nullptr;
    if (form.a == Type::f16 && form.b == Type::f16 && form.c == Type::f16 && form.d == Type::f16)
        return form.k == 8 ? mmaHalf<1> : form.k == 16 ? mmaHalf<2> : nullptr;
    if (form.c != Type::s32 || form.d != Type::s32) return nullptr;
    if (form.a == Type::s8 && form.b == Type::s8) return integerHandler<Signed8, Signed8>(form.k);
    if (form.a == Type::s8 && form.b == Type::u8) return integerHandler<Signed8, Unsigned8>(form.k);
    if (form.a == Type::u8 && form.b == Type::s8) return integerHandler<Unsigned8, Signed8>(form.k);
    if (form.a == Type::u8 && form.b == Type::u8) return integerHandler<Unsigned8, Unsigned8>(form.k);
    return nullptr;
}

void bindFragment(Binder& b, const ptx::Operand& fragment, u32 count, bool written) {
    if (fragment.kind != ptx::Operand::Kind::vector || fragment.parts.size() != count) throw b.unsupported("wrong number of registers");
    for (const auto& part : fragment.parts) {
        if (written)
            b.listWrite(part, ptx::Type::b32);
        else
            b.listRead(part, ptx::Type::b32);
    }
}

}  // namespace

bool bindMatrix(Binder& b) {
    const auto& in = b.in();
    if (in.opcode != "mma") return false;
    if (!in.has("sync") || !in.has("aligned") || !in.has("row") || !in.has("col")) throw b.unsupported("only .sync.aligned, row.col");
    MatrixForm form(in);
    Run run = handlerOf(form);
    if (run == nullptr || in.operands.size() != 4) throw b.unsupported("this shape and these types");
    u32 elementsOfB = 32 / ptx::bitsOf(form.a == ptx::Type::tf32 ? ptx::Type::b32 : form.a);
    u32 pairs = form.k / (4 * elementsOfB), accumulators = form.c == ptx::Type::f16 ? 2 : 4;
    bindFragment(b, in.operands[0], accumulators, true);
    bindFragment(b, in.operands[1], 2 * pairs, false);
    bindFragment(b, in.operands[2], pairs, false);
    bindFragment(b, in.operands[3], accumulators, false);
    b.out().imm = in.has("satfinite");
    b.out().run = run;
    return true;
}

}  // namespace softcuda
