// atom and red: scalars, packed halves and vectors.
//
// Lanes act one after the other, in an order that depends on the seed when checked. Every element is changed by a compare-and-swap of its
// own, atomic among all CPU threads; scopes and orders need nothing more, because the host's is the strongest of each. atom.add.f32 and
// red.add.f32 flush subnormals in global memory and keep them in shared memory, as the manual says of the hardware.
#include <map>
#include <set>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "families.h"
#include "float_lanes.h"
#include "half.h"
#include "memory_places.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr u32 kMaxElements = 8;

// What a handler knows beyond Inst: op[0] is the address's base, op[1] the third operand, imm the offset; the list holds the registers of
// the results (where there are any), then those of the operands.
struct Form {
    PlaceAll places;
    u32 count = 1;         // elements of a vector
    bool returns = false;  // atom
    bool wide = true;      // a 64-bit base
    bool operator<(const Form& o) const { return std::tie(places, count, returns, wide) < std::tie(o.places, o.count, o.returns, o.wide); }
};

const Form* keep(const Form& form) {
    static std::set<Form>* forms = new std::set<Form>;
    return &*forms->insert(form).first;
}

// --- Operations: the new value from the old one and the operands --------------------------------------------------------------------

constexpr auto bitAnd = []<class T>(T old, T b, T) { return static_cast<T>(old & b); };
constexpr auto bitOr = []<class T>(T old, T b, T) { return static_cast<T>(old | b); };
constexpr auto bitXor = []<class T>(T old, T b, T) { return static_cast<T>(old ^ b); };
constexpr auto exchange = []<class T>(T, T b, T) { return b; };
constexpr auto compareSwap = []<class T>(T old, T b, T c) { return old == b ? c : old; };
constexpr auto add = []<class T>(T old, T b, T) { return static_cast<T>(static_cast<BitsOf<T>>(old) + static_cast<BitsOf<T>>(b)); };
constexpr auto least = []<class T>(T old, T b, T) { return b < old ? b : old; };
constexpr auto greatest = []<class T>(T old, T b, T) { return b > old ? b : old; };
// Counters that wrap: up to b, and down to it.
constexpr auto increment = []<class T>(T old, T b, T) { return old >= b ? T(0) : static_cast<T>(old + 1); };
constexpr auto decrement = []<class T>(T old, T b, T) { return old == 0 || old > b ? b : static_cast<T>(old - 1); };

constexpr auto addFloat = [](float old, float b, float) { return canonical(old + b); };
constexpr auto addFlushed = [](float old, float b, float) { return canonical(flush(flush(old) + flush(b))); };
constexpr auto addDouble = [](double old, double b, double) { return old + b; };

struct Half {
    static float widen(u16 x) { return halfToFloat(x); }
    static u16 round(float x) { return floatToHalf(x); }
};
struct Bfloat {
    static float widen(u16 x) { return bfloatToFloat(x); }
    static u16 round(float x) { return floatToBfloat(x); }
};
enum class HalfOp : u8 { add, least, greatest };

template <class Format, HalfOp kOp>
u16 ofHalf(u16 old, u16 b, u16) {
    float x = Format::widen(old), y = Format::widen(b);
    if constexpr (kOp == HalfOp::add) return Format::round(x + y);
    return Format::round(extremum<kOp == HalfOp::greatest, NaNRule::ignore>(x, y));
}
template <class Format, HalfOp kOp>
u32 ofHalves(u32 old, u32 b, u32) {
    u16 low = ofHalf<Format, kOp>(static_cast<u16>(old), static_cast<u16>(b), 0);
    u16 high = ofHalf<Format, kOp>(static_cast<u16>(old >> 16), static_cast<u16>(b >> 16), 0);
    return low | static_cast<u32>(high) << 16;
}

// --- Execution --------------------------------------------------------------------------------------------------------------------

// A permutation of the lanes.
class LaneOrder {
public:
    explicit LaneOrder(Warp& w) {
        if (!settings().checked()) return;
        w.random ^= w.random << 13, w.random ^= w.random >> 17, w.random ^= w.random << 5;
        start_ = w.random;
        step_ = w.random >> 8 | 1;
    }
    u32 operator[](u32 k) const { return (start_ + k * step_) % kLanes; }

private:
    u32 start_ = 0, step_ = 1;
};

template <class T, class F>
T update(u8* place, bool alone, F f) {
    T* at = reinterpret_cast<T*>(place);
    if (alone) {
        T old = *at;
        *at = f(old);
        return old;
    }
    BitsOf<T>* bits = reinterpret_cast<BitsOf<T>*>(place);
    BitsOf<T> old = __atomic_load_n(bits, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(bits, &old, std::bit_cast<BitsOf<T>>(f(std::bit_cast<T>(old))), true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
    }
    return std::bit_cast<T>(old);
}

void addressesOf(Warp& w, const Inst* i, bool wide, u64* addresses) {
    for (u32 l = 0; l < kLanes; l++) {
        u64 address = addressOf(w, i->op[0], wide, i->imm, l);
        addresses[l] = wide ? address : static_cast<u32>(address);
    }
}

// kGlobal instead of kOther where the address is none of shared memory.
template <class T, auto kOther, auto kGlobal>
const Inst* atomic(Warp& w, const Inst* i) {
    const Form& form = *static_cast<const Form*>(i->form);
    u64 addresses[kLanes];
    addressesOf(w, i, form.wide, addresses);
    Places places;
    form.places(w, i, addresses, static_cast<u32>(sizeof(T)) * form.count, Access::atomic, nullptr, places);
    bool shared = form.places == sharedPlaces;
    const u32 *results = i->list, *operands = form.returns ? i->list + form.count : i->list;
    const T* third = w.r<T>(i->op[1]);
    LaneOrder order(w);
    for (u32 k = 0; k < kLanes; k++) {
        u32 l = order[k];
        if (!(places.mask >> l & 1)) continue;
        bool global = !shared && addresses[l] < kSharedWindow;
        // A result may lie where an operand lay.
        T b[kMaxElements], c = third[l];
        for (u32 e = 0; e < form.count; e++) b[e] = w.r<T>(operands[e])[l];
        for (u32 e = 0; e < form.count; e++) {
            T old = update<T>(places.at[l] + e * sizeof(T), shared, [&](T x) { return global ? kGlobal(x, b[e], c) : kOther(x, b[e], c); });
            if (form.returns) w.r<T>(results[e])[l] = old;
        }
    }
    return i + 1;
}

template <class T, auto kOperation>
inline constexpr Run run = atomic<T, kOperation, kOperation>;

// --- Binding ----------------------------------------------------------------------------------------------------------------------

using Table = std::map<std::pair<std::string, Type>, Run>;

void addInteger(Table& table) {
    for (Type type : {Type::u32, Type::s32}) table[{"add", type}] = run<u32, add>;
    for (Type type : {Type::u64, Type::s64}) table[{"add", type}] = run<u64, add>;
    table[{"inc", Type::u32}] = run<u32, increment>;
    table[{"dec", Type::u32}] = run<u32, decrement>;
    table[{"min", Type::u32}] = run<u32, least>;
    table[{"min", Type::s32}] = run<i32, least>;
    table[{"min", Type::u64}] = run<u64, least>;
    table[{"min", Type::s64}] = run<i64, least>;
    table[{"max", Type::u32}] = run<u32, greatest>;
    table[{"max", Type::s32}] = run<i32, greatest>;
    table[{"max", Type::u64}] = run<u64, greatest>;
    table[{"max", Type::s64}] = run<i64, greatest>;
}

void addBits(Table& table) {
    table[{"and", Type::b32}] = run<u32, bitAnd>;
    table[{"and", Type::b64}] = run<u64, bitAnd>;
    table[{"or", Type::b32}] = run<u32, bitOr>;
    table[{"or", Type::b64}] = run<u64, bitOr>;
    table[{"xor", Type::b32}] = run<u32, bitXor>;
    table[{"xor", Type::b64}] = run<u64, bitXor>;
    table[{"exch", Type::b32}] = run<u32, exchange>;
    table[{"exch", Type::b64}] = run<u64, exchange>;
    table[{"cas", Type::b16}] = run<u16, compareSwap>;
    for (Type type : {Type::b32, Type::u32, Type::s32}) table[{"cas", type}] = run<u32, compareSwap>;
    for (Type type : {Type::b64, Type::u64, Type::s64}) table[{"cas", type}] = run<u64, compareSwap>;
}

template <class Format>
void addHalf(Table& table, Type one, Type two) {
    table[{"add", one}] = run<u16, ofHalf<Format, HalfOp::add>>;
    table[{"min", one}] = run<u16, ofHalf<Format, HalfOp::least>>;
    table[{"max", one}] = run<u16, ofHalf<Format, HalfOp::greatest>>;
    table[{"add", two}] = run<u32, ofHalves<Format, HalfOp::add>>;
    table[{"min", two}] = run<u32, ofHalves<Format, HalfOp::least>>;
    table[{"max", two}] = run<u32, ofHalves<Format, HalfOp::greatest>>;
}

const Table& operations() {
    static const Table table = [] {
        Table t;
        addInteger(t);
        addBits(t);
        addHalf<Half>(t, Type::f16, Type::f16x2);
        addHalf<Bfloat>(t, Type::bf16, Type::bf16x2);
        t[{"add", Type::f32}] = atomic<float, addFloat, addFlushed>;
        t[{"add", Type::f64}] = run<double, addDouble>;
        return t;
    }();
    return table;
}

// The modifiers, in any order: vector forms are written with the type before or behind the operation.
struct Modifiers {
    std::string operation;
    Type type = Type::none;
    u32 count = 1;
    bool noftz = false, policy = false;

    explicit Modifiers(Binder& b) {
        static const std::set<std::string> operations = {"and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max"};
        static const std::set<std::string> ignored = {"relaxed", "acquire", "release", "acq_rel", "cta",        "cluster",
                                                      "gpu",     "sys",     "global",  "shared",  "shared::cta"};
        for (const std::string& name : b.in().allModifiers()) {
            if (operations.count(name) && operation.empty())
                operation = name;
            else if (name == "v2" || name == "v4" || name == "v8")
                count = static_cast<u32>(name[1] - '0');
            else if (name == "noftz")
                noftz = true;
            else if (name == "L2::cache_hint")
                policy = true;
            else if (ptx::typeOf(name) != Type::none && type == Type::none)
                type = ptx::typeOf(name);
            else if (!ignored.count(name))
                throw b.unsupported("modifier ." + name);
        }
    }
};

void check(Binder& b, const Modifiers& m) {
    bool packed = m.type == Type::f16x2 || m.type == Type::bf16x2, half = packed || m.type == Type::f16 || m.type == Type::bf16;
    if (half != m.noftz) throw b.unsupported(half ? "needs .noftz" : ".noftz");
    if (half && m.count == 1 && m.operation != "add") throw b.unsupported("this operation on this type");
    if (m.count > 1 && (!half && !(m.type == Type::f32 && m.operation == "add"))) throw b.unsupported("a vector of this type");
    if (m.count == 8 && (packed || !half)) throw b.unsupported("a vector of this length");
    if (m.count > 1 && (b.in().has("shared") || b.in().has("shared::cta"))) throw b.unsupported("a vector in shared memory");
}

std::vector<Operand> elementsOf(Binder& b, const Operand& operand, u32 count) {
    if (operand.kind == Operand::Kind::sink) return std::vector<Operand>(count, operand);
    std::vector<Operand> elements = operand.kind == Operand::Kind::vector ? operand.parts : std::vector<Operand>{operand};
    if (elements.size() != count) throw b.unsupported("the vector's length");
    return elements;
}

void checkWidth(Binder& b, Type type, u32 bits) {
    if (bits != ptx::bitsOf(type)) throw b.unsupported("a register of " + std::to_string(bits) + " bits");
}

void bind(Binder& b, bool returns) {
    const auto& operands = b.in().operands;
    Modifiers m(b);
    auto found = operations().find({m.operation, m.type});
    bool swap = m.operation == "cas";
    if (found == operations().end() || (!returns && (swap || m.operation == "exch"))) throw b.unsupported();
    check(b, m);
    std::size_t address = returns ? 1 : 0;
    if (operands.size() != address + 2 + swap + m.policy) throw b.unsupported("wrong number of operands");
    if (returns)
        for (const Operand& element : elementsOf(b, operands[0], m.count)) checkWidth(b, m.type, b.listWrite(element, m.type));
    auto elements = elementsOf(b, operands[address + 1], m.count);
    for (const Operand& element : elements) checkWidth(b, m.type, b.listRead(element, m.type));
    b.read(1, swap ? operands[address + 2] : elements[0], m.type);
    AddressOperand base = b.address(0, operands[address]);
    b.out().imm = base.offset;
    b.out().form = keep({placesOf(b), m.count, returns, base.wide});
    b.out().run = found->second;
}

}  // namespace

bool bindAtomic(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op != "atom" && op != "red") return false;
    bind(b, op == "atom");
    return true;
}

}  // namespace softcuda
