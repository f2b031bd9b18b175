// The scalar types of PTX.
#include <unordered_map>

#include "ast.h"

namespace softcuda::ptx {

Type typeOf(const std::string& modifier) {
    static const std::unordered_map<std::string, Type> types = {
        {"u8", Type::u8},     {"u16", Type::u16},       {"u32", Type::u32},       {"u64", Type::u64},     {"s8", Type::s8},
        {"s16", Type::s16},   {"s32", Type::s32},       {"s64", Type::s64},       {"b8", Type::b8},       {"b16", Type::b16},
        {"b32", Type::b32},   {"b64", Type::b64},       {"b128", Type::b128},     {"f16", Type::f16},     {"f16x2", Type::f16x2},
        {"bf16", Type::bf16}, {"bf16x2", Type::bf16x2}, {"tf32", Type::tf32},     {"f32", Type::f32},     {"f64", Type::f64},
        {"pred", Type::pred}, {"e4m3x2", Type::e4m3x2}, {"e5m2x2", Type::e5m2x2}, {"u16x2", Type::u16x2}, {"s16x2", Type::s16x2},
    };
    auto found = types.find(modifier);
    return found == types.end() ? Type::none : found->second;
}

u32 bitsOf(Type type) {
    switch (type) {
        case Type::none:
            return 0;
        case Type::pred:
            return 1;
        case Type::u8:
        case Type::s8:
        case Type::b8:
            return 8;
        case Type::u16:
        case Type::s16:
        case Type::b16:
        case Type::f16:
        case Type::bf16:
        case Type::e4m3x2:
        case Type::e5m2x2:
            return 16;
        case Type::u64:
        case Type::s64:
        case Type::b64:
        case Type::f64:
            return 64;
        case Type::b128:
            return 128;
        default:
            return 32;
    }
}

bool isSigned(Type type) { return type == Type::s8 || type == Type::s16 || type == Type::s32 || type == Type::s64 || type == Type::s16x2; }

bool isFloat(Type type) {
    switch (type) {
        case Type::f16:
        case Type::f16x2:
        case Type::bf16:
        case Type::bf16x2:
        case Type::tf32:
        case Type::f32:
        case Type::f64:
            return true;
        default:
            return false;
    }
}

}  // namespace softcuda::ptx
