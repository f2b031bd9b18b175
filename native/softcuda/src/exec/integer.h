// What the files of integer instructions share.
#pragma once

#include "binder.h"

namespace softcuda {

// The types of integer arithmetic; b16, b32 and b64 of logic.
bool isInteger(ptx::Type type);

// op[0] written as `result`, op[1..] read as the `sources`; throws when the number of operands differs.
void bindOperands(Binder& b, ptx::Type result, std::initializer_list<ptx::Type> sources);

// A handler for each integer type; F takes values of that type.
template <auto F>
Run integer1(Binder& b, ptx::Type type);
template <auto F>
Run integer2(Binder& b, ptx::Type type);
template <auto F>
Run integer3(Binder& b, ptx::Type type);

bool bindBits(Binder& b);      // logic, shifts, fields, counts: bits.cpp
bool bindMultiply(Binder& b);  // mul, mad, mul24, mad24, dp4a, dp2a: multiply.cpp
bool bindCarry(Binder& b);     // add.cc, addc, sub.cc, subc, mad.cc, madc: carry.cpp

template <auto F>
Run integer1(Binder& b, ptx::Type type) {
    using ptx::Type;
    switch (type) {
        case Type::u16:
            return lanes1<F, u16, u16>;
        case Type::s16:
            return lanes1<F, i16, i16>;
        case Type::u32:
            return lanes1<F, u32, u32>;
        case Type::s32:
            return lanes1<F, i32, i32>;
        case Type::u64:
            return lanes1<F, u64, u64>;
        case Type::s64:
            return lanes1<F, i64, i64>;
        default:
            throw b.unsupported("this type");
    }
}
template <auto F>
Run integer2(Binder& b, ptx::Type type) {
    using ptx::Type;
    switch (type) {
        case Type::u16:
            return lanes2<F, u16, u16, u16>;
        case Type::s16:
            return lanes2<F, i16, i16, i16>;
        case Type::u32:
            return lanes2<F, u32, u32, u32>;
        case Type::s32:
            return lanes2<F, i32, i32, i32>;
        case Type::u64:
            return lanes2<F, u64, u64, u64>;
        case Type::s64:
            return lanes2<F, i64, i64, i64>;
        default:
            throw b.unsupported("this type");
    }
}
template <auto F>
Run integer3(Binder& b, ptx::Type type) {
    using ptx::Type;
    switch (type) {
        case Type::u16:
            return lanes3<F, u16, u16, u16, u16>;
        case Type::s16:
            return lanes3<F, i16, i16, i16, i16>;
        case Type::u32:
            return lanes3<F, u32, u32, u32, u32>;
        case Type::s32:
            return lanes3<F, i32, i32, i32, i32>;
        case Type::u64:
            return lanes3<F, u64, u64, u64, u64>;
        case Type::s64:
            return lanes3<F, i64, i64, i64, i64>;
        default:
            throw b.unsupported("this type");
    }
}

}  // namespace softcuda
