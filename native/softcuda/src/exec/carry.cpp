// Extended precision: instructions that read or write the carry of each lane.
#include <type_traits>

#include "integer.h"

namespace softcuda {
namespace {

using ptx::Type;

enum class Op : u8 { add, sub, low, high, signedHigh };

// op[0] = a + b, a - b, or the low or high half of a·b, + c; with the carry added (or the borrow taken away) and the new one kept.
template <class T, Op kOp, bool kIn, bool kOut>
const Inst* carried(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]), *c = w.r<T>(i->op[3]);
    T* d = w.r<T>(i->op[0]);
    using Wide = unsigned __int128;
    using Signed = std::make_signed_t<T>;
    for (u32 l = 0; l < kLanes; l++) {
        if (!(w.mask >> l & 1)) continue;
        u32 in = kIn ? w.carry >> l & 1 : 0;
        Wide x = a[l], y = b[l];
        if constexpr (kOp == Op::low) x = static_cast<T>(x * y), y = c[l];
        if constexpr (kOp == Op::high) x = static_cast<T>(x * y >> 8 * sizeof(T)), y = c[l];
        if constexpr (kOp == Op::signedHigh) {
            __int128 product = static_cast<__int128>(static_cast<Signed>(a[l])) * static_cast<Signed>(b[l]);
            x = static_cast<T>(product >> 8 * sizeof(T)), y = c[l];
        }
        Wide sum = kOp == Op::sub ? x - y - in : x + y + in;
        d[l] = static_cast<T>(sum);
        if (kOut) setPredicate(w.carry, sum >> 8 * sizeof(T) & 1 ? kAllLanes : 0, 1u << l);
    }
    return i + 1;
}

template <class T, Op kOp>
Run pick(bool in, bool out) {
    if (in) return out ? carried<T, kOp, true, true> : carried<T, kOp, true, false>;
    return carried<T, kOp, false, true>;
}

template <class T>
Run pick(Op op, bool in, bool out) {
    switch (op) {
        case Op::add:
            return pick<T, Op::add>(in, out);
        case Op::sub:
            return pick<T, Op::sub>(in, out);
        case Op::low:
            return pick<T, Op::low>(in, out);
        case Op::high:
            return pick<T, Op::high>(in, out);
        default:
            return pick<T, Op::signedHigh>(in, out);
    }
}

}  // namespace

bool bindCarry(Binder& b) {
    const auto& in = b.in();
    bool reads = in.opcode == "addc" || in.opcode == "subc" || in.opcode == "madc", writes = in.has("cc");
    if (!reads && !writes) return false;
    std::string base = in.opcode.substr(0, 3);
    bool multiply = base == "mad";
    if (base != "add" && base != "sub" && !multiply) throw b.unsupported();
    if (multiply && !in.has("lo") && !in.has("hi")) throw b.unsupported(".lo or .hi is missing");
    Op op = base == "add" ? Op::add : base == "sub" ? Op::sub : in.has("lo") ? Op::low : Op::high;
    Type type = in.type();
    bool wide = ptx::bitsOf(type) == 64;
    if (!wide && ptx::bitsOf(type) != 32) throw b.unsupported("32 or 64 bits are needed");
    // A signed high half differs from the unsigned one.
    if (op == Op::high && ptx::isSigned(type)) op = Op::signedHigh;
    if (multiply)
        bindOperands(b, type, {type, type, type});
    else
        bindOperands(b, type, {type, type});
    b.out().run = wide ? pick<u64>(op, reads, writes) : pick<u32>(op, reads, writes);
    return true;
}

}  // namespace softcuda
