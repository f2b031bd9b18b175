// ld, st and their hints: prefetch, discard, createpolicy.
//
// A vector access is one access of all its bytes; its elements are registers in the list. Registers may be wider than what is loaded or
// stored: loads extend with the sign or with zeros, stores cut.
#include <array>
#include <cstring>
#include <set>
#include <tuple>

#include "engine.h"
#include "families.h"
#include "memory_places.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr u32 kMaxElements = 8, kMaxBytes = 32;

struct Form;
// Between lanes' places and a register: element at `offset` of an access of `stride` bytes.
using MoveElement = void (*)(Warp& w, const Places& places, u32 reg, u32 offset, u32 stride);

// What a handler knows beyond Inst: op[0] is the address's base, imm its offset. Forms are few and live for ever.
struct Form {
    PlaceAll places;
    std::array<MoveElement, kMaxElements> moves;
    u32 element;  // bytes
    u32 count;
    Access access;
    bool wide;  // a 64-bit base
    bool operator<(const Form& o) const {
        return std::tie(places, moves, element, count, access, wide) < std::tie(o.places, o.moves, o.element, o.count, o.access, o.wide);
    }
};

const Form* keep(const Form& form) {
    static std::set<Form>* forms = new std::set<Form>;
    return &*forms->insert(form).first;
}

void addressesOf(Warp& w, const Inst* i, bool wide, u64* addresses) {
    if (wide) {
        const u64* base = w.r<u64>(i->op[0]);
        for (u32 l = 0; l < kLanes; l++) addresses[l] = base[l] + i->imm;
    } else {
        const u32* base = w.r<u32>(i->op[0]);
        for (u32 l = 0; l < kLanes; l++) addresses[l] = static_cast<u32>(base[l] + static_cast<u32>(i->imm));
    }
}

template <class Register, class Value>
void loadElement(Warp& w, const Places& places, u32 reg, u32 offset, u32 stride) {
    Register* to = w.r<Register>(reg);
    if (places.dense) {
        const u8* from = places.at[0] + offset;
        if (stride == sizeof(Value)) {
            for (u32 l = 0; l < kLanes; l++) {
                Value value;
                std::memcpy(&value, from + l * sizeof(Value), sizeof value);
                to[l] = static_cast<Register>(value);
            }
        } else {
            for (u32 l = 0; l < kLanes; l++) {
                Value value;
                std::memcpy(&value, from + l * stride, sizeof value);
                to[l] = static_cast<Register>(value);
            }
        }
        return;
    }
    for (u32 rest = places.mask; rest != 0; rest &= rest - 1) {
        u32 l = static_cast<u32>(__builtin_ctz(rest));
        Value value;
        std::memcpy(&value, places.at[l] + offset, sizeof value);
        to[l] = static_cast<Register>(value);
    }
}

template <class Register, class Value>
void storeElement(Warp& w, const Places& places, u32 reg, u32 offset, u32 stride) {
    const Register* from = w.r<Register>(reg);
    if (places.dense) {
        u8* to = places.at[0] + offset;
        for (u32 l = 0; l < kLanes; l++) {
            Value value = static_cast<Value>(from[l]);
            std::memcpy(to + l * stride, &value, sizeof value);
        }
        return;
    }
    for (u32 rest = places.mask; rest != 0; rest &= rest - 1) {
        u32 l = static_cast<u32>(__builtin_ctz(rest));
        Value value = static_cast<Value>(from[l]);
        std::memcpy(places.at[l] + offset, &value, sizeof value);
    }
}

const Inst* load(Warp& w, const Inst* i) {
    const Form& form = *static_cast<const Form*>(i->form);
    alignas(64) u64 addresses[kLanes];
    addressesOf(w, i, form.wide, addresses);
    Places places;
    u32 bytes = form.element * form.count;
    form.places(w, i, addresses, bytes, form.access, nullptr, places);
    for (u32 k = 0; k < form.count; k++) form.moves[k](w, places, i->list[k], k * form.element, bytes);
    return i + 1;
}

// Shared memory's checker wants the bytes that lanes write, to tell equal ones apart from different ones.
void packValues(Warp& w, const Inst* i, const Form& form, u8* values) {
    Places packed;
    packed.mask = w.mask;
    u32 bytes = form.element * form.count;
    for (u32 l = 0; l < kLanes; l++) packed.at[l] = values + l * bytes;
    for (u32 k = 0; k < form.count; k++) form.moves[k](w, packed, i->list[k], k * form.element, bytes);
}

const Inst* store(Warp& w, const Inst* i) {
    const Form& form = *static_cast<const Form*>(i->form);
    alignas(64) u64 addresses[kLanes];
    addressesOf(w, i, form.wide, addresses);
    Places places;
    u32 bytes = form.element * form.count;
    u8 values[kLanes * kMaxBytes];
    bool checked = w.block->shadow != nullptr && (form.places == sharedPlaces || form.places == genericPlaces);
    if (checked) packValues(w, i, form, values);
    form.places(w, i, addresses, bytes, form.access, checked ? values : nullptr, places);
    for (u32 k = 0; k < form.count; k++) form.moves[k](w, places, i->list[k], k * form.element, bytes);
    return i + 1;
}

// --- Kernel parameters: the same for every lane, unless the address is computed ----------------------------------------------------

template <class Register, class Value>
const Inst* loadParameter(Warp& w, const Inst* i) {
    const auto& parameters = w.block->launch->parameters;
    const u64* base = w.r<u64>(i->op[1]);
    forLanes(w.mask, w.r<Register>(i->op[0]), [&](u32 l) {
        Value value{};
        u64 at = base[l] + i->imm;
        if (at + sizeof value <= parameters.size()) std::memcpy(&value, parameters.data() + at, sizeof value);
        return static_cast<Register>(value);
    });
    return i + 1;
}

// For vectors.
void parameterPlaces(Warp& w, const Inst*, const u64* addresses, u32 bytes, Access, const u8*, Places& places) {
    const auto& parameters = w.block->launch->parameters;
    for (u32 l = 0; l < kLanes; l++) {
        if (!(w.mask >> l & 1) || addresses[l] + bytes > parameters.size()) continue;
        places.at[l] = const_cast<u8*>(parameters.data()) + addresses[l];
        places.mask |= 1u << l;
    }
}

// --- Binding ----------------------------------------------------------------------------------------------------------------------

template <bool kStore, class Register, class Value>
MoveElement element() {
    if constexpr (kStore)
        return storeElement<Register, Value>;
    else
        return loadElement<Register, Value>;
}

template <bool kStore, class Register>
MoveElement elementOf(Type type) {
    bool extend = ptx::isSigned(type);
    switch (ptx::bitsOf(type)) {
        case 8:
            return extend ? element<kStore, Register, i8>() : element<kStore, Register, u8>();
        case 16:
            return extend ? element<kStore, Register, i16>() : element<kStore, Register, u16>();
        case 32:
            return extend ? element<kStore, Register, i32>() : element<kStore, Register, u32>();
        default:
            return element<kStore, Register, u64>();
    }
}

template <bool kStore>
MoveElement elementOf(u32 registerBits, Type type) {
    return registerBits == 16   ? elementOf<kStore, u16>(type)
           : registerBits == 32 ? elementOf<kStore, u32>(type)
                                : elementOf<kStore, u64>(type);
}

Run parameterOf(u32 registerBits, Type type) {
    auto pick = [type]<class Register>() -> Run {
        bool extend = ptx::isSigned(type);
        switch (ptx::bitsOf(type)) {
            case 8:
                return extend ? loadParameter<Register, i8> : loadParameter<Register, u8>;
            case 16:
                return extend ? loadParameter<Register, i16> : loadParameter<Register, u16>;
            case 32:
                return extend ? loadParameter<Register, i32> : loadParameter<Register, u32>;
            default:
                return loadParameter<Register, u64>;
        }
    };
    return registerBits == 16   ? pick.template operator()<u16>()
           : registerBits == 32 ? pick.template operator()<u32>()
                                : pick.template operator()<u64>();
}

bool startsWith(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

// Caching hints, scopes and orders do not change values here: the host's memory is coherent, and its single accesses are ordered.
void checkModifiers(Binder& b) {
    static const std::set<std::string> known = {"weak",    "volatile", "relaxed", "acquire", "release", "mmio",   "cta",
                                                "cluster", "gpu",      "sys",     "ca",      "cg",      "cs",     "lu",
                                                "cv",      "wb",       "wt",      "nc",      "global",  "shared", "shared::cta",
                                                "local",   "const",    "param",   "v2",      "v4",      "v8",     "param::entry"};
    const auto& modifiers = b.in().allModifiers();
    for (std::size_t k = 0; k + 1 < modifiers.size(); k++) {
        const std::string& name = modifiers[k];
        if (!known.count(name) && !startsWith(name, "L1::") && !startsWith(name, "L2::") && !startsWith(name, "unified"))
            throw b.unsupported("modifier ." + name);
    }
}

Access accessOf(const ptx::Instruction& in, bool stores) {
    bool strong = in.has("volatile") || in.has("relaxed") || in.has("acquire") || in.has("release") || in.has("mmio");
    return stores ? (strong ? Access::strongWrite : Access::write) : (strong ? Access::strongRead : Access::read);
}

void bindParameter(Binder& b, const Operand& value, const Operand& address) {
    Type type = b.in().type();
    u32 bits = b.writeAny(0, value, type);
    AddressOperand base = b.address(1, address);
    if (!base.wide) throw b.unsupported("a 32-bit address of a parameter");
    b.out().imm = base.offset;
    b.out().run = parameterOf(bits, type);
}

u32 vectorOf(Binder& b) {
    const auto& in = b.in();
    return in.has("v2") ? 2 : in.has("v4") ? 4 : in.has("v8") ? 8 : 1;
}

void bindAccess(Binder& b, bool stores) {
    const auto& in = b.in();
    checkModifiers(b);
    Type type = in.type();
    if (type == Type::none || type == Type::pred || type == Type::b128) throw b.unsupported("this type");
    bool policy = in.has("L2::cache_hint");
    if (in.operands.size() != (policy ? 3u : 2u)) throw b.unsupported("wrong number of operands");
    const Operand &address = in.operands[stores ? 0 : 1], &value = in.operands[stores ? 1 : 0];
    std::vector<Operand> elements = value.kind == Operand::Kind::vector ? value.parts : std::vector<Operand>{value};
    if (elements.size() != vectorOf(b)) throw b.unsupported("the vector's length");
    bool parameter = !stores && (in.has("param") || in.has("param::entry"));
    if (parameter && elements.size() == 1) return bindParameter(b, elements[0], address);
    Form form{parameter ? parameterPlaces : placesOf(b),
              {},
              ptx::bitsOf(type) / 8,
              static_cast<u32>(elements.size()),
              accessOf(in, stores),
              false};
    if (form.element * form.count > kMaxBytes) throw b.unsupported("more than 32 bytes");
    for (u32 k = 0; k < form.count; k++) {
        u32 bits = stores ? b.listRead(elements[k], type) : b.listWrite(elements[k], type);
        form.moves[k] = stores ? elementOf<true>(bits, type) : elementOf<false>(bits, type);
    }
    AddressOperand base = b.address(0, address);
    form.wide = base.wide;
    b.out().imm = base.offset;
    b.out().form = keep(form);
    b.out().run = stores ? store : load;
}

// Instructions that say how caches shall treat memory: their own modifiers, and eviction priorities.
void checkHint(Binder& b, const std::set<std::string>& known) {
    for (const std::string& name : b.in().allModifiers())
        if (!known.count(name) && !startsWith(name, "L2::evict_")) throw b.unsupported("modifier ." + name);
}

const Inst* nothing(Warp&, const Inst* i) { return i + 1; }

// A cache policy is a number that nothing looks at.
const Inst* policy(Warp& w, const Inst* i) {
    forLanes(w.mask, w.r<u64>(i->op[0]), [](u32) { return u64{0}; });
    return i + 1;
}

}  // namespace

bool bindCopy(Binder& b);          // cp.async: memory_copy.cpp
bool bindSharedMatrix(Binder& b);  // ldmatrix, stmatrix, movmatrix: memory_matrix.cpp

bool bindMemory(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op == "ld" || op == "ldu") {
        bindAccess(b, false);
    } else if (op == "st") {
        bindAccess(b, true);
    } else if (op == "prefetch" || op == "prefetchu" || op == "applypriority" || op == "discard") {
        checkHint(b, {"global", "local", "L1", "L2"});
        b.out().run = nothing;
    } else if (op == "createpolicy") {
        checkHint(b, {"fractional", "range", "global", "b64"});
        b.write(0, b.in().operands.at(0), Type::b64);
        b.out().run = policy;
    } else {
        return bindCopy(b) || bindSharedMatrix(b);
    }
    return true;
}

}  // namespace softcuda
